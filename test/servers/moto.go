package servers

import (
	"os"
	"testing"

	"cloudmirror/test/lab"
)

// withoutMoto is set to 1 where moto cannot be installed.
const withoutMoto = "CLOUDMIRROR_WITHOUT_MOTO"

// A Moto is a running moto server, which speaks the protocols of SQS and others.
type Moto struct {
	*Process
	Endpoint string // http://127.0.0.1:PORT
}

// StartMoto starts moto: see lab.MotoCommand.
//
// Without moto the test fails, unless CLOUDMIRROR_WITHOUT_MOTO=1 says that this
// is known: then it is skipped, and nothing independent has seen sqsqueue.
func StartMoto(t testing.TB) *Moto {
	t.Helper()
	port := FreePort(t)
	c, err := lab.MotoCommand(port)
	if err != nil && os.Getenv(withoutMoto) == "1" {
		t.Skipf("NOT TESTED against an independent SQS: moto_server is missing, and %s=1 is set", withoutMoto)
	}
	return &Moto{start(t, c, err), "http://127.0.0.1:" + port}
}
