package sqsqueue_test

import (
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"cloudmirror/queue/sqsqueue"
	"cloudmirror/queue/sqsqueue/sqstest"
)

func TestMissingQueuesAreCreatedWithTheirAttributes(t *testing.T) {
	s := newSetup(t, sqsqueue.Options{Create: true, Visibility: 90 * time.Second, MaxReceives: 7})
	if n := s.server.Requests(""); n != 0 {
		t.Errorf("New made %d requests, want none", n)
	}
	s.send("x")
	want := map[string]map[string]string{
		jobsName: {
			"VisibilityTimeout": "90", "ReceiveMessageWaitTimeSeconds": "20", "MessageRetentionPeriod": "345600",
			"RedrivePolicy":        `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:` + deadName + `","maxReceiveCount":"12"}`,
			"SqsManagedSseEnabled": "true",
		},
		deadName: {"MessageRetentionPeriod": "1209600", "SqsManagedSseEnabled": "true"},
	}
	if diff := cmp.Diff(want, s.server.Queues()); diff != "" {
		t.Errorf("the queues differ (-want +created):\n%s", diff)
	}
}

func TestQueuesAreCreatedOnceByManyFirstCalls(t *testing.T) {
	s := newSetup(t, sqsqueue.Options{Create: true})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := s.Count(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for action, most := range map[string]int{"CreateQueue": 2, "GetQueueUrl": 2} {
		if n := s.server.Requests(action); n != most {
			t.Errorf("%d requests of %s, want %d", n, action, most)
		}
	}
}

func TestAnExistingQueueIsLeftAsItIs(t *testing.T) {
	s := newSetup(t, sqsqueue.Options{Create: true, Visibility: time.Minute})
	attributes := map[string]string{"VisibilityTimeout": "5", "MessageRetentionPeriod": "60"}
	create(t, s.client, jobsName, attributes)
	s.send("x")
	s.receive()
	if diff := cmp.Diff(attributes, s.server.Queues()[jobsName]); diff != "" {
		t.Errorf("the queue was changed (-before +after):\n%s", diff)
	}
	s.server.Advance(30 * time.Second)
	if c, err := s.Count(t.Context()); err != nil || c.InFlight != 1 {
		t.Errorf("counts are %+v, error %v: the message is not hidden for our visibility, but for the queue's", c, err)
	}
}

// TestAQueueThatAnotherProcessCreatesMeanwhile has it appear, with attributes of
// its own, between the look-up and the creation.
func TestAQueueThatAnotherProcessCreatesMeanwhile(t *testing.T) {
	s := newSetup(t, sqsqueue.Options{Create: true})
	create(t, s.client, jobsName, map[string]string{"VisibilityTimeout": "5"})
	s.server.Inject("GetQueueUrl", 1, sqstest.Fault{Code: "QueueDoesNotExist"})
	s.send("x")
	if got := s.server.Queues()[jobsName]["VisibilityTimeout"]; got != "5" {
		t.Errorf("the queue's visibility became %s, want its own 5", got)
	}
}

func TestWithoutCreateAMissingQueueIsAnErrorUntilItExists(t *testing.T) {
	s := newSetup(t, sqsqueue.Options{})
	if err := s.Send(t.Context(), job(t, "x"), 0); err == nil {
		t.Fatal("Send to a missing queue returns no error")
	}
	if n := s.server.Requests("CreateQueue"); n != 0 {
		t.Errorf("%d queues were created", n)
	}
	create(t, s.client, jobsName, nil)
	s.send("x")
	if d := s.receive(); d.Job.ID != "x" {
		t.Errorf("received %q, want x", d.Job.ID)
	}
}

func TestADeletedQueueIsCreatedAgain(t *testing.T) {
	s := newSetup(t, sqsqueue.Options{Create: true})
	s.send("lost")
	s.server.DeleteQueue(jobsName)
	s.send("a")
	d := s.receive()
	if err := s.Bury(t.Context(), d, "first"); err != nil {
		t.Fatal(err)
	}
	s.server.DeleteQueue(deadName)
	s.send("b")
	if err := s.Bury(t.Context(), s.receive(), "second"); err != nil {
		t.Fatal(err)
	}
	if dead := s.deadLetters(); len(dead) != 1 || dead[0].Reason != "second" {
		t.Errorf("the dead letters are %v, want the second one", dead)
	}
}

func create(t *testing.T, client *sqs.Client, name string, attributes map[string]string) {
	t.Helper()
	if _, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes}); err != nil {
		t.Fatal(err)
	}
}
