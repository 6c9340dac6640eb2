package sqsqueue_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"cloudmirror/queue/sqsqueue/sqstest"
)

// TestConnectionsAreUsedAgain sends and receives bodies that take more than one
// write and read. A connection that breaks may take the answer of a receive with
// it.
func TestConnectionsAreUsedAgain(t *testing.T) {
	var connections atomic.Int64
	server := httptest.NewUnstartedServer(sqstest.New(sqstest.Options{}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	client := newClient(t, server.URL)
	create(t, client, jobsName, nil)
	url, body := urlOf(t, client, jobsName), strings.Repeat("x", 100_000)
	for range 100 {
		if _, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: &body}); err != nil {
			t.Fatal(err)
		}
		if out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url}); err != nil || len(out.Messages) != 1 {
			t.Fatalf("received no message, error %v", err)
		}
	}
	// net/http itself gives a connection up when the machine is so busy that the
	// end of a write takes 50 ms.
	if n := connections.Load(); n > 5 {
		t.Errorf("%d connections were opened for 200 requests, want one, or few", n)
	}
}
