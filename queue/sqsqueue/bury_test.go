package sqsqueue_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"cloudmirror/queue/sqsqueue"
	"cloudmirror/queue/sqsqueue/sqstest"
)

func TestAMessageThatCannotBeBuriedIsNotLost(t *testing.T) {
	s := newSetup(t, sqsqueue.Options{Create: true})
	s.send("x")
	d := s.receive()
	s.server.Inject("SendMessage", 3, sqstest.Fault{Code: "InternalFailure"})
	if err := s.Bury(t.Context(), d, "a reason"); err == nil {
		t.Fatal("Bury returns no error")
	}
	if n := s.server.Requests("DeleteMessageBatch"); n != 0 {
		t.Fatal("the message was deleted before it was among the dead letters")
	}
	s.server.Advance(time.Minute)
	if err := s.Bury(t.Context(), s.receive(), "a reason"); err != nil {
		t.Fatal(err)
	}
	if dead := s.deadLetters(); len(dead) != 1 {
		t.Errorf("%d dead letters, want one", len(dead))
	}
}

func TestABurialThatEndsHalfwayLeavesTheMessageInBothQueues(t *testing.T) {
	s := newSetup(t, sqsqueue.Options{Create: true})
	s.send("x")
	d := s.receive()
	s.server.Inject("DeleteMessageBatch", 3, sqstest.Fault{Code: "InternalFailure"})
	if err := s.Bury(t.Context(), d, "a reason"); err == nil {
		t.Fatal("Bury returns no error")
	}
	if c, err := s.Count(t.Context()); err != nil || c.InFlight != 1 || c.Dead != 1 {
		t.Errorf("counts are %+v, error %v, want the message in both queues", c, err)
	}
}

// TestAMessageTooLongForItsReasonIsCut sends as much as SQS takes, which leaves
// no room for the attribute of the reason.
func TestAMessageTooLongForItsReasonIsCut(t *testing.T) {
	s := newSetup(t, sqsqueue.Options{Create: true, WaitTime: -1})
	s.send("x")
	s.receive()
	body := strings.Repeat("ü", 1<<19)
	s.sendRaw(body)
	d := s.receive()
	if err := s.Bury(t.Context(), d, d.Unfit.Error()); err != nil {
		t.Fatal(err)
	}
	dead := s.deadLetters()
	if len(dead) != 1 || !strings.HasPrefix(body, dead[0].Body) || len(dead[0].Body) < 200<<10 {
		t.Fatalf("%d dead letters, want the beginning of the message", len(dead))
	}
	if !strings.Contains(dead[0].Reason, "cut from 1048576 bytes") {
		t.Errorf("the reason is %q, want it to tell the length", dead[0].Reason)
	}
}

func TestAReasonIsCutToWholeCharacters(t *testing.T) {
	s := newSetup(t, sqsqueue.Options{Create: true})
	s.send("x")
	if err := s.Bury(t.Context(), s.receive(), "x"+strings.Repeat("ü", 1000)+"\x00"); err != nil {
		t.Fatal(err)
	}
	want := "x" + strings.Repeat("ü", 511)
	if dead := s.deadLetters(); len(dead) != 1 || dead[0].Reason != want {
		t.Errorf("the dead letters are %.80v, want the reason cut to 1 KiB", dead)
	}
}

func (s setup) sendRaw(body string) {
	s.t.Helper()
	_, err := s.client.SendMessage(s.t.Context(), &sqs.SendMessageInput{QueueUrl: urlOf(s.t, s.client, jobsName), MessageBody: &body})
	if err != nil {
		s.t.Fatal(err)
	}
}
