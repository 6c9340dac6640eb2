package copier_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/engine"
	"cloudmirror/origin/origintest"
	"cloudmirror/storage"
)

// What docs/operations.md promises origins: however many clients of however many
// front ends ask for an object that fails, it costs so many requests, and as many
// again once its failure is forgotten.
func TestAFailingObjectCostsABoundedNumberOfRequests(t *testing.T) {
	t.Parallel() // it waits in real time
	type is = origintest.Behaviour
	const kilobytes = 50_000
	for name, tt := range map[string]struct {
		behaviour is
		want      cloudmirror.Code
		requests  int
	}{
		"404":                           {is{Status: 404}, cloudmirror.CodeOriginStatus, 1},
		"403":                           {is{Status: 403}, cloudmirror.CodeOriginStatus, 1},
		"too large":                     {is{SizeBytes: 2 << 30}, cloudmirror.CodeObjectTooLarge, 1},
		"a redirect in a circle":        {is{Redirect: "/failing"}, cloudmirror.CodeTooManyRedirects, 1},
		"a chain of redirects":          {is{Hops: 100}, cloudmirror.CodeTooManyRedirects, 6},
		"500":                           {is{Status: 500}, cloudmirror.CodeOriginStatus, 5},
		"500 after a redirect":          {is{Status: 500, Hops: 1}, cloudmirror.CodeOriginStatus, 10},
		"429":                           {is{Status: 429}, cloudmirror.CodeOriginStatus, 5},
		"no answer":                     {is{Hang: true}, cloudmirror.CodeOriginTimeout, 5},
		"a wrong digest":                {is{SizeBytes: kilobytes, Digests: []string{"repr-digest"}, WrongDigest: true}, cloudmirror.CodeDigestMismatch, 5},
		"cut off, without ranges":       {is{SizeBytes: kilobytes, CutAfter: 100, NoRanges: true}, cloudmirror.CodeOriginTruncated, 5},
		"cut off, with ranges":          {is{SizeBytes: kilobytes, CutAfter: 100}, cloudmirror.CodeOriginTruncated, 20},
		"503 with a Retry-After of 1 s": {is{Status: 503, RetryAfter: "1"}, cloudmirror.CodeOriginStatus, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.set("/failing", tt.behaviour)
			w.engine = w.newEngine(frontTiming()) // with the usual lease: an attempt that is taken over asks once more
			w.start(time.Second)
			fronts := []*engine.Engine{w.newEngine(frontTiming()), w.newEngine(frontTiming())}
			for round := 1; round <= 2; round++ {
				answers := w.crowd(fronts)
				w.ahead.Add(int64(2 * negativeTTL / 3))
				for _, e := range append(answers, w.crowd(fronts)...) {
					if e.State != cache.Failed || !e.Failure.Permanent || e.Failure.Code != tt.want {
						t.Fatalf("round %d: a client got %+v: %+v, want an error %s for good", round, e, e.Failure, tt.want)
					}
				}
				if n := w.origin.Count(http.MethodGet, "/failing"); n != round*tt.requests {
					t.Errorf("round %d: the origin got %d requests in all, want %d", round, n, round*tt.requests)
				}
				w.ahead.Add(int64(negativeTTL / 3))
			}
		})
	}
}

// frontTiming has front ends look often, since the test turns the cache's clock.
func frontTiming() engine.Timing { return engine.Timing{Poll: 20 * time.Millisecond} }

// crowd lets 100 clients ask for /failing, each until it has a final answer and
// then twice more. Waits between tries are skipped by the cache's clock.
func (w *world) crowd(fronts []*engine.Engine) []cache.Entry {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*waitLimit)
	defer cancel()
	var clients, clock sync.WaitGroup
	answers := make([]cache.Entry, 300)
	for i := range 100 {
		clients.Go(func() {
			for again := range 3 {
				view, err := fronts[i%len(fronts)].Wait(ctx, w.want("/failing"), engine.Patience{Until: time.Now().Add(time.Hour)})
				if err != nil {
					w.t.Errorf("client %d: %v", i, err)
				}
				answers[3*i+again] = view.Entry
			}
		})
	}
	over := make(chan struct{})
	clock.Go(func() { w.skipRetries("/failing", over) })
	clients.Wait()
	close(over)
	clock.Wait()
	return answers
}

// outcome is wait without the waits between tries.
func (w *world) outcome(path string) cache.Entry {
	w.t.Helper()
	var clock sync.WaitGroup
	over := make(chan struct{})
	clock.Go(func() { w.skipRetries(path, over) })
	defer func() { close(over); clock.Wait() }()
	return w.waitAt(w.newEngine(frontTiming()), path)
}

// skipRetries puts the cache's clock forward whenever it is only waited for the next
// try of an object.
func (w *world) skipRetries(path string, over <-chan struct{}) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return
		case <-tick.C:
		}
		view, err := peek(w.t.Context(), w.engine, w.want(path))
		if err == nil && view.Entry.State == cache.Failed && !view.Entry.Failure.Permanent {
			w.ahead.Add(int64(max(0, view.Entry.Failure.RetryAt.Sub(view.Now))))
		}
	}
}

// Every digest that an origin states is verified before its object is present,
// and one that does not hold leaves nothing behind.
func TestNoObjectWithAWrongDigestIsPresent(t *testing.T) {
	w := newWorld(t)
	kinds := origintest.DigestKinds()
	for _, kind := range kinds {
		w.origin.Set("/right/"+kind, origintest.Behaviour{SizeBytes: 3000, Digests: []string{kind}})
		w.origin.Set("/wrong/"+kind, origintest.Behaviour{SizeBytes: 3000, Digests: []string{kind}, WrongDigest: true})
		w.origin.Set("/mixed/"+kind, origintest.Behaviour{SizeBytes: 3000, Digests: kinds, Header: contradiction()})
	}
	w.start(time.Second)
	for _, kind := range kinds {
		if e := w.wait("/right/" + kind); e.State != cache.Present {
			t.Errorf("%s: with the right one the entry is %+v: %+v", kind, e, e.Failure)
		}
		for _, path := range []string{"/wrong/" + kind, "/mixed/" + kind} {
			view, err := w.engine.Wait(t.Context(), w.want(path), engine.Patience{Until: time.Now().Add(100 * time.Millisecond)})
			for err == nil && view.Entry.Pending() {
				view, err = w.engine.Wait(t.Context(), w.want(path), engine.Patience{Until: time.Now().Add(100 * time.Millisecond)})
			}
			if e := view.Entry; err != nil || e.State != cache.Failed || e.Failure.Code != cloudmirror.CodeDigestMismatch {
				t.Errorf("%s: the entry is %+v: %+v, error %v", path, e, e.Failure, err)
			}
			if _, err := w.files.Stat(t.Context(), w.want(path).Object.StorageKey(cloudmirror.FirstGeneration)); !errors.Is(err, storage.ErrNotExist) {
				t.Errorf("%s: something was stored: %v", path, err)
			}
		}
	}
}

// contradiction is a digest that no object of a test has.
func contradiction() http.Header {
	return http.Header{"Digest": {"SHA-256=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}
}
