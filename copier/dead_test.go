package copier_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/engine"
	"cloudmirror/origin/origintest"
	"cloudmirror/queue"
	"cloudmirror/queue/memqueue"
)

// letter returns the one dead letter that comes to be there.
func (w *world) letter() queue.DeadLetter {
	w.t.Helper()
	w.eventually("there is a dead letter", func() bool { return w.counts().Dead > 0 })
	letters, err := w.queue.Letters(w.t.Context(), queue.Choice{All: true})
	if err != nil || len(letters) != 1 {
		w.t.Fatalf("the letters are %+v, error %v, want one", letters, err)
	}
	return letters[0]
}

// A message that was received as often as the queue allows, by copiers that died,
// is buried, and clients that wait for its object are told.
func TestAPoisonMessageIsBuriedAndItsObjectFails(t *testing.T) {
	w := newWorld(t)
	w.origin.Set("/x", origintest.Behaviour{SizeBytes: 5000})
	if _, err := w.engine.Wait(t.Context(), w.want("/x"), engine.Patience{}); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		deliveries, err := w.queue.Receive(t.Context(), 1)
		if err != nil || len(deliveries) != 1 {
			t.Fatalf("received %v, error %v", deliveries, err)
		}
		if err := w.queue.Extend(t.Context(), deliveries[0], 0); err != nil {
			t.Fatal(err)
		}
	}
	w.start(time.Second)
	if n, err := testutil.GatherAndCount(w.registry, "cloudmirror_dead_letters_total"); err != nil || n != 4 {
		t.Errorf("%d series of dead letters at the start, error %v, want one of each reason", n, err)
	}
	e := w.wait("/x")
	if e.State != cache.Failed || e.Failure.Code != cloudmirror.CodeCopierLost || !strings.Contains(e.Failure.Cause, "received too often: 5 times") {
		t.Errorf("the entry is %+v: %+v, want an error that says why", e, e.Failure)
	}
	if l := w.letter(); l.Job.Object != w.want("/x").Object || l.Receives != 6 || !strings.Contains(l.Reason, "received too often") {
		t.Errorf("the letter is %+v", l)
	}
	if n := w.origin.Count(http.MethodGet, "/x"); n != 0 {
		t.Errorf("the origin got %d GETs, want none", n)
	}
	if n := w.counted("cloudmirror_dead_letters_total", "reason", "exhausted"); n != 1 {
		t.Errorf("the metric counts %v exhausted messages, want 1", n)
	}
}

// A message that was received too often only because its acknowledgements got
// lost has nothing to be told.
func TestAnExhaustedMessageOfAPresentCopyIsDone(t *testing.T) {
	w := newWorld(t)
	w.origin.Set("/x", origintest.Behaviour{SizeBytes: 5000})
	if _, err := w.engine.Wait(t.Context(), w.want("/x"), engine.Patience{}); err != nil {
		t.Fatal(err)
	}
	w.start(time.Second)
	w.wait("/x")
	w.jobs.exhausted.Store(true)
	job := queue.Job{ID: "1", Object: w.want("/x").Object, Backend: backendID, Generation: cloudmirror.FirstGeneration}
	if err := w.queue.Send(t.Context(), job, 0); err != nil {
		t.Fatal(err)
	}
	w.eventually("it is done", func() bool { return w.metric("exists") == 1 })
	w.eventually("the message is gone", func() bool { return w.counts() == queue.Counts{} })
}

// An operator redrives a job whose origin works again, while its error stands.
func TestARedrivenLetterIsCopied(t *testing.T) {
	w := newWorld(t)
	w.origin.Set("/x", origintest.Behaviour{Status: 500})
	w.start(time.Second)
	if e := w.outcome("/x"); e.State != cache.Failed {
		t.Fatalf("the entry is %+v", e)
	}
	l := w.letter()
	w.origin.Set("/x", origintest.Behaviour{SizeBytes: 5000})
	if handled, err := w.queue.Redrive(t.Context(), queue.Choice{IDs: []string{l.ID}}); err != nil || handled[0].Err != nil {
		t.Fatalf("handled are %+v, error %v", handled, err)
	}
	w.eventually("there is a copy", func() bool { return w.metric("copied") == 1 })
	if e := w.wait("/x"); e.State != cache.Present || w.counts() != (queue.Counts{}) {
		t.Errorf("the entry is %+v, counts %+v, want present and nothing left", e, w.counts())
	}
	if n := w.counted("cloudmirror_dead_letters_total", "reason", "failed"); n != 1 {
		t.Errorf("the metric counts %v failed jobs, want 1", n)
	}
}

func TestAMalformedMessageIsBuried(t *testing.T) {
	w := newWorld(t)
	if _, err := w.engine.Wait(t.Context(), w.want("/x"), engine.Patience{}); err != nil {
		t.Fatal(err)
	}
	w.jobs.malformed.Store(true)
	w.start(time.Second)
	if l := w.letter(); !strings.Contains(l.Reason, "malformed") {
		t.Errorf("the reason is %q", l.Reason)
	}
	w.eventually("it is counted", func() bool { return w.counted("cloudmirror_dead_letters_total", "reason", "malformed") == 1 })
}

// An oddQueue delivers messages as something else than they were sent as.
type oddQueue struct {
	*memqueue.Queue
	malformed, exhausted atomic.Bool
}

func (q *oddQueue) Receive(ctx context.Context, limit int) ([]queue.Delivery, error) {
	deliveries, err := q.Queue.Receive(ctx, limit)
	for i, d := range deliveries {
		maxReceives := 5
		if q.exhausted.Load() {
			maxReceives = 0
		}
		if q.malformed.Load() {
			d.Body = "no job"
		}
		deliveries[i] = queue.Examine(d, maxReceives)
	}
	return deliveries, err
}
