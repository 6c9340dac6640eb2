package frontend_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror/frontend"
)

func TestManyWaitersAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients = 1000
		w := newWorld(t)
		w.storages[east].delay = 20 * time.Millisecond
		answers := make([]<-chan *http.Response, clients)
		for i := range answers {
			answers[i] = w.ask(http.MethodGet, "")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if jobs, looks, waiters := w.jobs(east), w.storages[east].looks.Load(), w.gauge("cloudmirror_waiters"); jobs != 1 || looks != 1 || waiters != clients {
			t.Errorf("%d jobs, %d looks at storage and %v waiters, want 1, 1 and %d", jobs, looks, waiters, clients)
		}
		began := time.Now()
		w.copy(east)
		for _, answer := range answers {
			resp := <-answer
			if got := resp.Header.Get("Cache-Status"); resp.StatusCode != http.StatusFound || got != "cloudmirror; fwd=miss; stored" {
				t.Fatalf("status %d, Cache-Status %q", resp.StatusCode, got)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("the waiters were answered %v after the copy was there", took)
		}
		if waiters := w.gauge("cloudmirror_waiters"); waiters != 0 {
			t.Errorf("%v waiters are left", waiters)
		}
	})
}

func TestClientThatLeavesStopsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, leave := context.WithCancel(t.Context())
		recorder, done := httptest.NewRecorder(), make(chan struct{})
		go func() {
			defer close(done)
			w.frontend.Handler().ServeHTTP(recorder, httptest.NewRequestWithContext(ctx, http.MethodGet, redirectPath(""), nil))
		}()
		synctest.Wait()
		began := time.Now()
		leave()
		<-done
		if took := time.Since(began); took != 0 {
			t.Errorf("the request ended %v after its client left", took)
		}
		// It may only have closed its sending side: an empty 200 would look like
		// the object.
		if recorder.Code != http.StatusFound || recorder.Header().Get("Location") != originURL {
			t.Errorf("who still reads gets %d to %q, want the origin", recorder.Code, recorder.Header().Get("Location"))
		}
		if gone, jobs := w.counted("gone"), w.jobs(east); gone != 1 || jobs != 1 {
			t.Errorf("%d counted as gone and %d jobs, want 1 and 1: the copy goes on", gone, jobs)
		}
	})
}

func TestTooManyWaitersOfOneClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *frontend.Options) {
			o.MaxWaitersPerClient = 1
			o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		})
		ask := func(from, query string) <-chan *http.Response {
			r := httptest.NewRequest(http.MethodGet, redirectPath(query), nil) // by a proxy of 192.0.2.0/24
			r.Header.Set("X-Forwarded-For", from)
			answer := make(chan *http.Response, 1)
			go func() { answer <- w.do(r) }()
			return answer
		}
		waiting := []<-chan *http.Response{ask("198.51.100.1", ""), ask("198.51.100.2", ""), ask("2001:db8::1", "")}
		synctest.Wait()
		failure(429, "TooManyRequests", "fwd=miss; detail=too-many-requests", "5").check(t, w, <-ask("198.51.100.1", "?fallback=none"), http.MethodGet)
		for _, sameClient := range []string{"198.51.100.1", "203.0.113.9, 198.51.100.2", "2001:db8::2"} {
			resp := <-ask(sameClient, "")
			if got := resp.Header.Get("Cache-Status"); got != "cloudmirror; fwd=miss; detail=too-many-requests" || resp.Header.Get("Location") != originURL {
				t.Errorf("one more request of %s got %q and %q", sameClient, got, resp.Header.Get("Location"))
			}
		}
		w.copy(east)
		for _, answer := range waiting {
			if resp := <-answer; resp.Header.Get("Cache-Status") != "cloudmirror; fwd=miss; stored" {
				t.Errorf("the first request of a client got %q", resp.Header.Get("Cache-Status"))
			}
		}
		w.memory.Flush()
		w.storages[east].delay = time.Second
		again := ask("198.51.100.1", "") // its place is free again
		synctest.Wait()
		if resp := <-again; !strings.Contains(resp.Header.Get("Cache-Status"), "hit") {
			t.Errorf("a client whose requests all ended got %q", resp.Header.Get("Cache-Status"))
		}
	})
}

func TestTooManyWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *frontend.Options) { o.MaxWaiters = 1 })
		first := w.ask(http.MethodGet, "")
		synctest.Wait()
		began := time.Now()
		toOrigin("too-many-waiters").check(t, w, <-w.ask(http.MethodGet, ""), http.MethodGet)
		failure(503, "TooManyWaiters", "fwd=miss; detail=too-many-waiters", "5").check(t, w, <-w.ask(http.MethodGet, "?fallback=none"), http.MethodGet)
		if took := time.Since(began); took != 0 {
			t.Errorf("clients beyond the bound waited for %v", took)
		}
		w.copy(east)
		<-first
		w.memory.Flush() // the next look is slow, and takes the one place
		w.storages[east].delay = time.Second
		slow := w.ask(http.MethodGet, "")
		synctest.Wait()
		if resp := <-w.ask(http.MethodGet, ""); resp.Header.Get("Location") == originURL {
			t.Error("a client beyond the bound was not sent to a copy that is there")
		}
		<-slow
	})
}

func TestWaitTooShortStillMakesACopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.storages[east].delay = 50 * time.Millisecond
		toOrigin("wait-timeout").check(t, w, <-w.ask(http.MethodGet, "?wait=1ms"), http.MethodGet)
		if jobs := w.jobs(east); jobs != 1 {
			t.Errorf("%d jobs were sent, want 1", jobs)
		}
	})
}

func TestTransientFailureIsTriedAgainWhileAClientWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		answer := w.ask(http.MethodGet, "")
		synctest.Wait()
		quick := tooSlow()
		quick.RetryAfter = 0
		w.fail(east, quick)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		w.copy(east)
		if got := (<-answer).Header.Get("Cache-Status"); got != "cloudmirror; fwd=miss; stored" {
			t.Errorf("Cache-Status %q", got)
		}
	})
}

func TestDrainAnswersAllWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		answers := make([]<-chan *http.Response, 50)
		for i := range answers {
			answers[i] = w.ask(http.MethodGet, "")
		}
		synctest.Wait()
		began := time.Now()
		w.frontend.Drain()
		w.frontend.Drain() // again does no harm
		for _, answer := range answers {
			if resp := <-answer; resp.Header.Get("Location") != originURL {
				t.Fatalf("Location %q, want the origin", resp.Header.Get("Location"))
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("draining took %v", took)
		}
	})
}
