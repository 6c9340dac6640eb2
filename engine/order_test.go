package engine_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/engine"
	"cloudmirror/queue"
)

func planned() *queue.Order {
	return &queue.Order{
		Sources: []string{"https://copies.test/1"}, SizeBytes: 7, SHA256: strings.Repeat("0a", 32),
		ExpiresAt: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), Priority: queue.Planned, Reason: "popular",
	}
}

func TestAJobCarriesTheOrderOfTheCallerThatClaimed(t *testing.T) {
	w := newWorld(t)
	first, second := planned(), planned()
	second.Priority = queue.Waiting
	for _, w.want.Order = range []*queue.Order{first, second, nil} {
		if _, err := w.engine.Wait(t.Context(), w.want, engine.Patience{}); err != nil {
			t.Fatal(err)
		}
	}
	if job := w.receive(); !reflect.DeepEqual(&job.Order, first) { // and there is no other
		t.Errorf("the job's order is %+v, want the first caller's, %+v", job.Order, *first)
	}
}

// Also a claim behind a look, of an object whose entry had failed, has the order.
func TestAJobAfterAFailureCarriesTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if _, err := w.engine.Wait(t.Context(), w.want, engine.Patience{}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.begin(w.receive()).Fail(t.Context(), &cloudmirror.Failure{Code: cloudmirror.CodeOriginTimeout}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.want.Order = planned()
		if _, err := w.engine.Wait(t.Context(), w.want, engine.Patience{}); err != nil {
			t.Fatal(err)
		}
		if job := w.receive(); !reflect.DeepEqual(job.Order, *planned()) {
			t.Errorf("the job's order is %+v", job.Order)
		}
	})
}

// Clients that wait for one object share its jobs. They must neither wait behind planned
// copies, nor fail by what another caller expects.
func TestAJobThatAClientWaitsForTooCarriesNoOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		client := w.want
		w.want.Order = planned()
		plan := w.wait(t.Context(), w.engine)
		synctest.Wait()
		w.want = client
		waiting := w.wait(t.Context(), w.engine)
		synctest.Wait()
		if _, err := w.begin(w.receive()).Fail(t.Context(), &cloudmirror.Failure{Code: cloudmirror.CodeDigestMismatch}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		job := w.receive()
		if !reflect.DeepEqual(job.Order, queue.Order{}) {
			t.Errorf("the job's order is %+v, want a waiting client's", job.Order)
		}
		a := w.begin(job)
		if err := a.Complete(t.Context(), w.upload(a)); err != nil {
			t.Fatal(err)
		}
		<-waiting.done
		<-plan.done
		checkExpected(t, waiting.view, waiting.err, nil)
		checkExpected(t, plan.view, plan.err, engine.ErrOtherCopy)
	})
}

func TestAnOrderOutOfBoundsIsRefused(t *testing.T) {
	w := newWorld(t)
	w.want.Order = &queue.Order{SizeBytes: -1}
	if _, err := w.engine.Wait(t.Context(), w.want, engine.Patience{}); err == nil || w.queue.sent.Load() != 0 {
		t.Errorf("an order of -1 bytes: error %v, %d jobs sent, want an error and none", err, w.queue.sent.Load())
	}
	w.want.Order = nil
	w.makePresent()
	w.want.Order = &queue.Order{SHA256: "no digest"}
	if _, err := w.engine.Wait(t.Context(), w.want, engine.Patience{}); err == nil || errors.Is(err, engine.ErrOtherCopy) {
		t.Errorf("an order that no copy can fulfil, of a copy that is there: error %v, want what is wrong with the order", err)
	}
}

func TestACopyThatIsNotTheExpectedOneIsNotHandedOut(t *testing.T) {
	digest := sha256.Sum256([]byte(content))
	right := queue.Order{SizeBytes: int64(len(content)), SHA256: hex.EncodeToString(digest[:])}
	orders := map[string]struct {
		order queue.Order
		want  error
	}{
		"the expected one": {right, nil},
		"another size":     {queue.Order{SizeBytes: right.SizeBytes + 1, SHA256: right.SHA256}, engine.ErrOtherCopy},
		"another digest":   {queue.Order{SizeBytes: right.SizeBytes, SHA256: strings.Repeat("0a", 32)}, engine.ErrOtherCopy},
	}
	for from, prepare := range map[string]func(w *world){
		"from the cache":                func(*world) {},
		"from storage":                  func(w *world) { w.memory.Flush() },
		"from storage without a cache":  func(w *world) { w.cache.broken.Store(true) },
		"from the memory of the engine": func(w *world) { w.engine, _ = w.newNearEngine() },
	} {
		for name, test := range orders {
			t.Run(name+" "+from, func(t *testing.T) {
				w := newWorld(t)
				w.makePresent()
				prepare(w)
				w.want.Order = &test.order
				view, err := w.engine.Wait(t.Context(), w.want, patient)
				checkExpected(t, view, err, test.want)
			})
		}
	}
	for name, test := range orders {
		t.Run(name+" as soon as it is made", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				other := w.wait(t.Context(), w.engine)
				synctest.Wait() // it has begun, and expects nothing
				w.want.Order = &test.order
				waiting := w.wait(t.Context(), w.engine)
				synctest.Wait()
				w.copyOne()
				<-waiting.done
				<-other.done
				checkExpected(t, waiting.view, waiting.err, test.want)
				checkExpected(t, other.view, other.err, nil)
			})
		})
	}
}

func checkExpected(t *testing.T, view engine.View, err, want error) {
	t.Helper()
	if isPresent := view.Entry.State == cache.Present; !errors.Is(err, want) || isPresent != (want == nil) {
		t.Errorf("the caller gets %v and the error %v, want the error %v", view.Entry.State, err, want)
	}
}

// TestAJobThatIsSentAgainKeepsWhatItSays covers the ways of the engine; putting back
// and redriving are the copier's and the queue's.
func TestAJobThatIsSentAgainKeepsWhatItSays(t *testing.T) {
	for name, again := range map[string]func(w *world, job queue.Job) error{
		"deferred":         func(w *world, job queue.Job) error { return w.engine.Defer(w.t.Context(), job, 0) },
		"handed back":      func(w *world, job queue.Job) error { return w.begin(job).HandBack(w.t.Context(), 0) },
		"handed back slow": func(w *world, job queue.Job) error { return w.begin(job).HandBackSlow(w.t.Context(), 0) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.want.Order = planned()
			if _, err := w.engine.Wait(t.Context(), w.want, engine.Patience{}); err != nil {
				t.Fatal(err)
			}
			body := strings.Replace(string(w.receive().Encode()), "{", `{"from_a_later_version":9,`, 1)
			job, err := queue.DecodeJob([]byte(body))
			if err != nil {
				t.Fatal(err)
			}
			if err := again(w, job); err != nil {
				t.Fatal(err)
			}
			got := w.receive()
			got.Slow = 0
			if !reflect.DeepEqual(got, job) {
				t.Errorf("the job came again as %s, want %s", got.Encode(), job.Encode())
			}
		})
	}
}
