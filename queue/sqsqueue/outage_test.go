package sqsqueue_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/queue"
	"cloudmirror/queue/sqsqueue"
	"cloudmirror/queue/sqsqueue/sqstest"
)

// methods are all calls of a queue on one delivery.
func methods(q *sqsqueue.Queue, d queue.Delivery) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Send":    func(ctx context.Context) error { return q.Send(ctx, d.Job, 0) },
		"Receive": func(ctx context.Context) error { _, err := q.Receive(ctx, 1); return err },
		"Ack":     func(ctx context.Context) error { return q.Ack(ctx, d) },
		"Extend":  func(ctx context.Context) error { return q.Extend(ctx, d, time.Second) },
		"Bury":    func(ctx context.Context) error { return q.Bury(ctx, d, "a reason") },
		"Count":   func(ctx context.Context) error { _, err := q.Count(ctx); return err },
	}
}

func TestEveryCallEndsWithItsContextWhenSQSHangs(t *testing.T) {
	s := newSetup(t, sqsqueue.Options{Create: true})
	s.send("x")
	d := s.receive()
	actions := map[string]string{
		"Send": "SendMessageBatch", "Receive": "ReceiveMessage", "Ack": "DeleteMessageBatch",
		"Extend": "ChangeMessageVisibility", "Bury": "SendMessage", "Count": "GetQueueAttributes",
	}
	for name, call := range methods(s.Queue, d) {
		t.Run(name, func(t *testing.T) {
			s.server.Inject(actions[name], 1, sqstest.Fault{Before: sqstest.Hang})
			endsWithContext(t, call)
		})
	}
	fresh := s.queue(sqsqueue.Options{Create: true})
	for name, call := range methods(fresh, d) {
		t.Run(name+" while the queue is looked up", func(t *testing.T) {
			s.server.Inject("GetQueueUrl", 1, sqstest.Fault{Before: sqstest.Hang})
			endsWithContext(t, call)
		})
	}
}

func endsWithContext(t *testing.T, call func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is %v, want context.DeadlineExceeded", err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("it took %v with a context of 100ms", took)
	}
}

// TestAQueueIsUsableOnceSQSIs begins with nothing listening at the endpoint.
func TestAQueueIsUsableOnceSQSIs(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	q := newQueue(t, sqsqueue.Options{
		Client: newClient(t, "http://"+address), Create: true, WaitTime: -1,
		Backend: cloudmirror.BackendID{Service: "s3", Region: "eu-west-1"},
	})
	d := queue.Delivery{Job: job(t, "x"), Receipt: "0:handle"}
	for name, call := range methods(q, d) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		err := call(ctx)
		cancel()
		if err == nil {
			t.Errorf("%s returns no error while nothing listens", name)
		} else if strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s shows a secret: %v", name, err)
		}
	}
	listener, err = new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Skipf("another process took the port: %v", err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: sqstest.New(sqstest.Options{}), ReadHeaderTimeout: time.Minute}}
	server.Start()
	t.Cleanup(server.Close)
	if err := q.Send(t.Context(), job(t, "x"), 0); err != nil {
		t.Errorf("send after SQS came back: %v", err)
	}
}

func TestAPassingFailureIsTriedAgain(t *testing.T) {
	for name, fault := range map[string]sqstest.Fault{
		"an internal error":  {Code: "InternalFailure"},
		"an overload":        {Code: "ServiceUnavailable"},
		"a throttle":         {Code: "ThrottlingException"},
		"an answer was lost": {LoseAnswer: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetup(t, sqsqueue.Options{Create: true})
			for _, action := range []string{"GetQueueUrl", "CreateQueue", "SendMessageBatch", "ReceiveMessage"} {
				s.server.Inject(action, 1, fault)
			}
			s.send("x")
			if fault.LoseAnswer { // sent twice, and the first one received by nobody
				s.server.Advance(time.Minute)
			}
			if deliveries, err := s.Receive(t.Context(), 1); err != nil || len(deliveries) != 1 {
				t.Errorf("received %d messages, error %v, want one", len(deliveries), err)
			}
		})
	}
}

func TestALastingRefusalIsReturnedWithoutSecrets(t *testing.T) {
	s := newSetup(t, sqsqueue.Options{Create: true})
	s.send("x")
	d := s.receive()
	for _, action := range []string{
		"SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibility", "SendMessage", "GetQueueAttributes",
	} {
		s.server.Inject(action, 10, sqstest.Fault{Code: "AccessDeniedException"})
	}
	for name, call := range methods(s.Queue, d) {
		switch err := call(t.Context()); {
		case err == nil:
			t.Errorf("%s returns no error", name)
		case !strings.Contains(err.Error(), "AccessDenied") || !strings.HasPrefix(err.Error(), "sqsqueue: "):
			t.Errorf("%s does not tell what was refused: %v", name, err)
		case strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "secret"):
			t.Errorf("%s shows a secret: %v", name, err)
		}
	}
}
