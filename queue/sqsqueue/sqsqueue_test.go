package sqsqueue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"

	"cloudmirror"
	"cloudmirror/queue"
	"cloudmirror/queue/queuetest"
	"cloudmirror/queue/sqsqueue"
	"cloudmirror/queue/sqsqueue/sqstest"
)

const (
	jobsName = "test-s3-eu-west-1"
	deadName = "test-s3-eu-west-1-dead"
)

// setup is a queue of the given options on a server of its own.
type setup struct {
	*sqsqueue.Queue
	t      *testing.T
	server *sqstest.Server
	client *sqs.Client
}

func newSetup(t *testing.T, o sqsqueue.Options) setup {
	t.Helper()
	server, endpoint := sqstest.Start(t, sqstest.Options{})
	s := setup{t: t, server: server, client: newClient(t, endpoint)}
	s.Queue = s.queue(o)
	return s
}

// queue returns another queue on the same server.
func (s setup) queue(o sqsqueue.Options) *sqsqueue.Queue {
	s.t.Helper()
	o.Client, o.Prefix, o.Now = s.client, "test-", s.server.Now
	o.Backend = cloudmirror.BackendID{Service: "s3", Region: "eu-west-1"}
	return newQueue(s.t, o)
}

func (s setup) send(id string) {
	s.t.Helper()
	if err := s.Send(s.t.Context(), job(s.t, id), 0); err != nil {
		s.t.Fatal(err)
	}
}

// receive returns the one message that there must be.
func (s setup) receive() queue.Delivery {
	s.t.Helper()
	deliveries, err := s.Receive(s.t.Context(), 10)
	if err != nil || len(deliveries) != 1 {
		s.t.Fatalf("received %d messages, error %v, want one", len(deliveries), err)
	}
	return deliveries[0]
}

func (s setup) deadLetters() []queuetest.Dead {
	s.t.Helper()
	return (&deadLetters{client: s.client, name: deadName}).all(s.t)
}

func job(t testing.TB, id string) queue.Job {
	t.Helper()
	object, err := cloudmirror.ParseObject("https://origin.test/" + id + "?token=hush")
	if err != nil {
		t.Fatal(err)
	}
	return queue.Job{
		ID: id, Object: object, Backend: cloudmirror.BackendID{Service: "s3", Region: "eu-west-1"},
		Generation: cloudmirror.FirstGeneration,
	}
}

func TestOptionsThatSQSWouldRefuse(t *testing.T) {
	client := newClient(t, "http://127.0.0.1:1")
	good := sqsqueue.Options{Client: client, Backend: cloudmirror.BackendID{Service: "s3", Region: "us-east-1"}}
	newQueue(t, good)
	for name, change := range map[string]func(o *sqsqueue.Options){
		"no client":                         func(o *sqsqueue.Options) { o.Client = nil },
		"no backend":                        func(o *sqsqueue.Options) { o.Backend = cloudmirror.BackendID{} },
		"a name that is too long":           func(o *sqsqueue.Options) { o.Prefix = strings.Repeat("p", 64) },
		"a dot in the prefix":               func(o *sqsqueue.Options) { o.Prefix = "my.queues-" },
		"a visibility of more than 12h":     func(o *sqsqueue.Options) { o.Visibility = 12*time.Hour + time.Second },
		"a visibility with half a second":   func(o *sqsqueue.Options) { o.Visibility = 1500 * time.Millisecond },
		"a negative visibility":             func(o *sqsqueue.Options) { o.Visibility = -time.Second },
		"a wait time of more than 20s":      func(o *sqsqueue.Options) { o.WaitTime = 21 * time.Second },
		"a wait time below a second":        func(o *sqsqueue.Options) { o.WaitTime = time.Millisecond },
		"a negative number of receives":     func(o *sqsqueue.Options) { o.MaxReceives = -1 },
		"more receives than a policy takes": func(o *sqsqueue.Options) { o.MaxReceives = 1001 },
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			change(&o)
			if q, err := sqsqueue.New(o); err == nil {
				t.Errorf("New took it: %v", q)
			}
		})
	}
}

func TestEachCallerOfABatchGetsItsOwnError(t *testing.T) {
	s := newSetup(t, sqsqueue.Options{Create: true})
	if _, err := s.Count(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The first request is held until the other jobs have gathered behind it.
	arrived, release := make(chan struct{}), make(chan struct{})
	s.server.Inject("SendMessageBatch", 1, sqstest.Fault{Before: func(context.Context) { close(arrived); <-release }})
	s.server.Inject("SendMessageBatch", 2, sqstest.Fault{Entry: `"id":"bad"`, Code: "InvalidMessageContents"})
	var all sync.WaitGroup
	all.Go(func() { s.send("first") })
	<-arrived
	errs := make(map[string]error)
	var mu sync.Mutex
	for _, id := range []string{"good", "bad"} {
		all.Go(func() {
			err := s.Send(t.Context(), job(t, id), 0)
			mu.Lock()
			defer mu.Unlock()
			errs[id] = err
		})
	}
	close(release)
	all.Wait()
	if errs["good"] != nil {
		t.Errorf("the good job has the error %v", errs["good"])
	}
	refused, ok := errors.AsType[smithy.APIError](errs["bad"])
	if !ok || refused.ErrorCode() != "InvalidMessageContents" {
		t.Errorf("the bad job has the error %v, want InvalidMessageContents", errs["bad"])
	}
}

func TestManySendsAndAcknowledgementsShareRequests(t *testing.T) {
	const jobs = 200
	s := newSetup(t, sqsqueue.Options{Create: true})
	s.server.Inject("SendMessageBatch", 1, sqstest.Fault{Before: slowly})
	s.server.Inject("DeleteMessageBatch", 1, sqstest.Fault{Before: slowly})
	var all sync.WaitGroup
	for i := range jobs {
		all.Go(func() { s.send(fmt.Sprint(i)) })
	}
	all.Wait()
	for received := 0; received < jobs; {
		deliveries, err := s.Receive(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		received += len(deliveries)
		for _, d := range deliveries {
			all.Go(func() {
				if err := s.Ack(t.Context(), d); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	for _, action := range []string{"SendMessageBatch", "DeleteMessageBatch", "ReceiveMessage"} {
		if n := s.server.Requests(action); n > jobs/4 {
			t.Errorf("%d requests of %s for %d jobs, want far fewer", n, action, jobs)
		}
	}
	if c, err := s.Count(t.Context()); err != nil || c != (queue.Counts{}) {
		t.Errorf("counts are %+v, error %v, want an empty queue", c, err)
	}
}

// slowly holds a request until its followers have gathered.
func slowly(ctx context.Context) {
	select {
	case <-time.After(20 * time.Millisecond):
	case <-ctx.Done():
	}
}

func TestALongPollWakesAtOnce(t *testing.T) {
	s := newSetup(t, sqsqueue.Options{Create: true, WaitTime: 20 * time.Second})
	polling := make(chan struct{})
	s.server.Inject("ReceiveMessage", 1, sqstest.Fault{Before: func(context.Context) { close(polling) }})
	received := make(chan queue.Delivery)
	start := time.Now()
	go func() { received <- s.receive() }()
	<-polling
	s.send("x")
	if d := <-received; d.Job.ID != "x" {
		t.Errorf("received %q, want x", d.Job.ID)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v, about as long as the poll", took)
	}
}

func TestALongPollEndsWithNothing(t *testing.T) {
	s := newSetup(t, sqsqueue.Options{Create: true, WaitTime: time.Second})
	if deliveries, err := s.Receive(t.Context(), 1); err != nil || len(deliveries) != 0 {
		t.Errorf("received %d messages, error %v, want none", len(deliveries), err)
	}
}

func TestExtendKnowsTheLimitOfSQS(t *testing.T) {
	s := newSetup(t, sqsqueue.Options{Create: true})
	s.send("x")
	d := s.receive()
	extend := func(visibility time.Duration) error { return s.Extend(t.Context(), d, visibility) }
	if err := extend(12*time.Hour + time.Second); !errors.Is(err, sqsqueue.ErrVisibilityLimit) {
		t.Errorf("12h and a second at once: error %v, want ErrVisibilityLimit", err)
	}
	if n := s.server.Requests("ChangeMessageVisibility"); n != 0 {
		t.Errorf("%d requests for what SQS refuses", n)
	}
	for range 11 {
		if err := extend(90 * time.Minute); err != nil {
			t.Fatal(err)
		}
		s.server.Advance(time.Hour)
	}
	if err := extend(2 * time.Hour); !errors.Is(err, sqsqueue.ErrVisibilityLimit) || errors.Is(err, queue.ErrGone) {
		t.Errorf("2h more after 11h: error %v, want ErrVisibilityLimit", err)
	}
	if err := extend(30 * time.Minute); err != nil {
		t.Errorf("half an hour more after 11h: %v", err)
	}
}

func TestAReceiptOfAnotherDriverIsRefused(t *testing.T) {
	s := newSetup(t, sqsqueue.Options{Create: true})
	d := queue.Delivery{Job: job(t, "x"), Receipt: "42"}
	if err := s.Ack(t.Context(), d); err == nil {
		t.Error("Ack took it")
	}
	if err := s.Extend(t.Context(), d, time.Second); err == nil {
		t.Error("Extend took it")
	}
}
