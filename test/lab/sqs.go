package lab

import "cloudmirror/queue/sqsqueue/sqstest"

// MotoCommand returns the command of moto on a port: an implementation of SQS that
// is not this project's. It takes any credentials, and about 40 messages a second.
func MotoCommand(port string) (Command, error) {
	program, err := Find("moto_server", "`pip install 'moto[server]'`")
	return Command{
		Program: program, Args: []string{"-H", "127.0.0.1", "-p", port},
		Ready: Answers("http://127.0.0.1:" + port + "/moto-api/data.json"),
	}, err
}

// ServeSQS answers at an address as SQS does, from memory: package sqstest.
func ServeSQS(address string) (*Server, error) {
	return Serve(address, sqstest.New(sqstest.Options{}))
}
