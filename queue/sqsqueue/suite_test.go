package sqsqueue_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"cloudmirror"
	"cloudmirror/queue/queuetest"
	"cloudmirror/queue/sqsqueue"
	"cloudmirror/queue/sqsqueue/sqstest"
	"cloudmirror/test/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestQueue(t *testing.T) {
	for name, options := range map[string]sqstest.Options{
		"on a server like SQS":             {},
		"on a server without redrive":      {WithoutRedrive: true},
		"on a server with the older limit": {MaxMessageBytes: 256 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			queuetest.Run(t, queuetest.Harness{New: func(t *testing.T, o queuetest.Options) queuetest.Fixture {
				server, endpoint := sqstest.Start(t, options)
				f := newFixture(t, newClient(t, endpoint), sqsqueue.Options{
					Prefix: "test-", Visibility: o.Visibility, MaxReceives: o.MaxReceives, Now: server.Now,
				})
				f.Advance = server.Advance
				return f
			}})
		})
	}
}

// TestQueueOnMoto runs the suite on an implementation of SQS that nobody of this
// project wrote, in real time.
func TestQueueOnMoto(t *testing.T) {
	moto := servers.StartMoto(t)
	var queues atomic.Int64
	queuetest.Run(t, queuetest.Harness{
		New: func(t *testing.T, o queuetest.Options) queuetest.Fixture {
			f := newFixture(t, newClient(t, moto.Endpoint), sqsqueue.Options{
				Prefix: fmt.Sprintf("suite%d-", queues.Add(1)), Visibility: o.Visibility, MaxReceives: o.MaxReceives,
			})
			f.Advance = func(d time.Duration) { <-time.After(d) } // moto has no other clock
			return f
		},
		Visibility: 4 * time.Second,
		Goroutines: 5,
		RealTime:   true,
		Skip: map[string]string{
			"extend with an old receipt leaves the newest receive alone":             "moto takes any receipt that a message ever had",
			"two who redrive everything send each job once":                          "moto gives a message to two receivers at the same moment now and then",
			"receivers at the same time get different messages":                      "moto gives a message to two receivers at the same moment now and then",
			"an acknowledgement with an old receipt leaves the newest receive alone": "moto takes any receipt that a message ever had",
		},
	})
}

// newClient returns a client of a server that takes any credentials.
func newClient(t testing.TB, endpoint string) *sqs.Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)
	return sqsqueue.NewClient(aws.Config{
		Region:      "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
		HTTPClient:  &http.Client{Transport: transport},
	}, endpoint)
}

// newFixture returns a queue that does not wait for messages, and the ways
// around it.
func newFixture(t *testing.T, client *sqs.Client, o sqsqueue.Options) queuetest.Fixture {
	t.Helper()
	o.Client, o.Create, o.WaitTime = client, true, -1
	o.Logger = zaptest.NewLogger(t)
	o.Backend = cloudmirror.BackendID{Service: "s3", Region: "eu-west-1"}
	q := newQueue(t, o)
	name := o.Prefix + "s3-eu-west-1"
	return queuetest.Fixture{
		Queue: q,
		SendRaw: func(t *testing.T, body string) {
			t.Helper()
			if _, err := q.Count(t.Context()); err != nil { // creates it
				t.Fatal(err)
			}
			_, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: urlOf(t, client, name), MessageBody: &body})
			if err != nil {
				t.Fatal(err)
			}
		},
		DeadLetters: (&deadLetters{client: client, name: name + "-dead"}).all,
	}
}

func newQueue(t testing.TB, o sqsqueue.Options) *sqsqueue.Queue {
	t.Helper()
	q, err := sqsqueue.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
	return q
}

// urlOf returns the URL of a queue, or nil if it does not exist.
func urlOf(t testing.TB, client *sqs.Client, name string) *string {
	t.Helper()
	found, err := client.GetQueueUrl(context.WithoutCancel(t.Context()), &sqs.GetQueueUrlInput{QueueName: &name})
	if _, missing := errors.AsType[*types.QueueDoesNotExist](err); missing {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return found.QueueUrl
}

// deadLetters reads a dead-letter queue. What it has seen it hides from the
// queue's next receive, and remembers.
type deadLetters struct {
	client *sqs.Client
	name   string
	seen   []queuetest.Dead
}

func (d *deadLetters) all(t *testing.T) []queuetest.Dead {
	t.Helper()
	url := urlOf(t, d.client, d.name)
	for url != nil {
		out, err := d.client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: url, MaxNumberOfMessages: 10, VisibilityTimeout: 12 * 3600, MessageAttributeNames: []string{"All"},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range out.Messages {
			reason := m.MessageAttributes[sqsqueue.ReasonAttribute]
			d.seen = append(d.seen, queuetest.Dead{Body: aws.ToString(m.Body), Reason: aws.ToString(reason.StringValue)})
		}
		if len(out.Messages) == 0 {
			break
		}
	}
	return d.seen
}
