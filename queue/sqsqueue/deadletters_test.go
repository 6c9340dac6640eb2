package sqsqueue_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"cloudmirror/queue"
	"cloudmirror/queue/sqsqueue"
	"cloudmirror/queue/sqsqueue/sqstest"
)

// buried returns a setup with one dead letter, and its id.
func buried(t *testing.T) (s setup, id string) {
	t.Helper()
	s = newSetup(t, sqsqueue.Options{Create: true, WaitTime: -1})
	s.send("x")
	if err := s.Bury(t.Context(), s.receive(), "a reason"); err != nil {
		t.Fatal(err)
	}
	return s, s.letter().ID
}

// letter returns the one letter that there must be.
func (s setup) letter() queue.DeadLetter {
	s.t.Helper()
	letters, err := s.Letters(s.t.Context(), queue.Choice{All: true})
	if err != nil || len(letters) != 1 {
		s.t.Fatalf("the letters are %+v, error %v, want one", letters, err)
	}
	return letters[0]
}

func TestALetterThatCannotBeSentStays(t *testing.T) {
	s, id := buried(t)
	s.server.Inject("SendMessageBatch", 3, sqstest.Fault{Code: "InternalFailure"})
	handled, err := s.Redrive(t.Context(), queue.Choice{IDs: []string{id}})
	if err != nil || len(handled) != 1 || handled[0].Err == nil {
		t.Errorf("handled are %+v, error %v, want an error of the letter", handled, err)
	}
	if got := s.letter(); got.ID != id {
		t.Errorf("the letter is %s, want %s", got.ID, id)
	}
}

func TestALetterThatIsSentAndCannotBeRemovedIsInBothQueues(t *testing.T) {
	s, id := buried(t)
	s.server.Inject("DeleteMessageBatch", 3, sqstest.Fault{Code: "InternalFailure"})
	handled, err := s.Redrive(t.Context(), queue.Choice{IDs: []string{id}})
	if err != nil || len(handled) != 1 || handled[0].Err == nil {
		t.Errorf("handled are %+v, error %v, want an error of the letter", handled, err)
	}
	if d := s.receive(); d.Job.ID != "x" || s.letter().ID != id {
		t.Errorf("received %+v, want the job, and the letter still there", d)
	}
}

func TestABrokenQueueIsNotOneWithoutLetters(t *testing.T) {
	s, _ := buried(t)
	s.server.Inject("ReceiveMessage", 3, sqstest.Fault{Code: "InternalFailure"})
	if letters, err := s.Letters(t.Context(), queue.Choice{All: true}); err == nil {
		t.Errorf("the letters are %v, without an error", letters)
	}
}

// TestANamedLetterIsWaitedFor has another caller look at it, for a second.
func TestANamedLetterIsWaitedFor(t *testing.T) {
	s, id := buried(t)
	out, err := s.client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: urlOf(t, s.client, deadName), VisibilityTimeout: 1})
	if err != nil || len(out.Messages) != 1 {
		t.Fatalf("received %v, error %v", out, err)
	}
	handled, err := s.Drop(t.Context(), queue.Choice{IDs: []string{id}})
	if err != nil || len(handled) != 1 || handled[0].Err != nil {
		t.Errorf("handled are %+v, error %v, want the letter dropped", handled, err)
	}
}

// TestALetterIsNotSentAgainWithinOneCall has the job come back as a letter while
// all are redriven.
func TestALetterIsNotSentAgainWithinOneCall(t *testing.T) {
	s, first := buried(t)
	other := s.queue(sqsqueue.Options{Create: true, WaitTime: -1})
	comeBack := func() {
		s.server.Advance(time.Second)
		deliveries, err := other.Receive(t.Context(), 10)
		if err != nil || len(deliveries) != 1 {
			t.Errorf("received %v, error %v", deliveries, err)
			return
		}
		if err := other.Bury(t.Context(), deliveries[0], "again"); err != nil {
			t.Error(err)
		}
	}
	s.server.Inject("ReceiveMessage", 1, sqstest.Fault{})
	s.server.Inject("ReceiveMessage", 1, sqstest.Fault{Before: func(context.Context) { comeBack() }})
	handled, err := s.Redrive(t.Context(), queue.Choice{All: true})
	if err != nil || len(handled) != 1 || handled[0].Letter.ID != first || handled[0].Err != nil {
		t.Errorf("handled are %+v, error %v, want the first letter alone", handled, err)
	}
	if got := s.letter(); got.ID == first || got.Reason != "again" {
		t.Errorf("the letter is %+v, want the one that came back", got)
	}
}

func TestALetterThatSQSMovedHasNoReason(t *testing.T) {
	s := newSetup(t, sqsqueue.Options{Create: true, MaxReceives: 1, WaitTime: -1})
	s.send("x")
	for range 6 {
		if err := s.Extend(t.Context(), s.receive(), 0); err != nil {
			t.Fatal(err)
		}
	}
	if deliveries, err := s.Receive(t.Context(), 1); err != nil || len(deliveries) != 0 {
		t.Fatalf("received %v, error %v, want it moved", deliveries, err)
	}
	if got := s.letter(); got.Job.ID != "x" || got.Reason != "" || got.Receives != 0 || got.BuriedAt.IsZero() {
		t.Errorf("the letter is %+v", got)
	}
	handled, err := s.Redrive(t.Context(), queue.Choice{All: true})
	if err != nil || len(handled) != 1 || handled[0].Err != nil {
		t.Errorf("handled are %+v, error %v", handled, err)
	}
	if d := s.receive(); d.Receives != 1 || errors.Is(d.Unfit, queue.ErrExhausted) {
		t.Errorf("received %+v, want the first receive of a fresh message", d)
	}
}
