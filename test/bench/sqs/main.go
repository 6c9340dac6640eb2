// Command sqs is an SQS-protocol server for measurements and experiments: it keeps
// queues in memory and answers at the given address, whatever the credentials. See
// package sqstest.
package main

import (
	"fmt"
	"net/http"
	"os"
	"time"

	"cloudmirror/queue/sqsqueue/sqstest"
)

func main() {
	server := &http.Server{Addr: os.Args[1], Handler: sqstest.New(sqstest.Options{}), ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintln(os.Stderr, server.ListenAndServe())
	os.Exit(1)
}
