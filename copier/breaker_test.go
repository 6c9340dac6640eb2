package copier_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/copier"
	"cloudmirror/queue"
	"cloudmirror/storage"
)

func unreachable() cloudmirror.Failure {
	return cloudmirror.Failure{Code: cloudmirror.CodeOriginUnreachable, Message: "the origin cannot be reached"}
}

// fail has a number of objects of a host fail once each.
func (b *bubble) fail(host string, objects int, f cloudmirror.Failure) {
	b.t.Helper()
	b.origin.script(fails(f))
	for i := range objects {
		b.ask(fmt.Sprintf("https://%s/failing/%d", host, i))
		synctest.Wait() // one after the other
	}
}

func TestAPausedHostCostsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		b.fail("host.test", 5, unreachable())
		asked := b.origin.asked()
		if asked != 5 || b.value("cloudmirror_origin_hosts_paused") != 1 {
			t.Fatalf("after 5 failures the host was asked %d times, %v hosts are paused", asked, b.value("cloudmirror_origin_hosts_paused"))
		}
		for i := range 100 {
			b.ask(fmt.Sprintf("https://host.test/%d", i))
			synctest.Wait() // one after the other
		}
		soon := 0
		for i := range 100 {
			e := b.entry(fmt.Sprintf("https://host.test/%d", i))
			if e.State != cache.Failed || e.Failure.Code != cloudmirror.CodeOriginPaused || e.Failure.Permanent || e.Tries != 0 {
				t.Fatalf("object %d is %+v: %+v", i, e, e.Failure)
			}
			switch rest := time.Until(e.Failure.RetryAt); {
			case rest == 5*time.Second:
				soon++
			case rest < 30*time.Second || rest > 34*time.Second:
				t.Errorf("object %d is to be tried again in %v, want with a probe, or in 30 s and a little", i, rest)
			}
		}
		if soon != 32 {
			t.Errorf("%d objects are to come for the next probe, want 32", soon)
		}
		began := time.Now()
		if b.wait("https://host.test/99", 28*time.Second); time.Since(began) != 0 {
			t.Errorf("a client waited %v for nothing", time.Since(began))
		}
		if n, err := b.queue.Count(t.Context()); err != nil || n != (queue.Counts{}) {
			t.Errorf("messages go round while the host is paused: %+v, error %v", n, err)
		}
		b.origin.script(copiesIn(time.Second))
		if e := b.wait("https://other.test/", 28*time.Second); e.State != cache.Present {
			t.Errorf("the object of another host is %+v", e)
		}
		if n := b.origin.asked() - asked; n != 1 || b.value("cloudmirror_origin_refused_total") != 100 {
			t.Errorf("the origins were asked %d times more, want once for the other; %v tries were refused", n, b.value("cloudmirror_origin_refused_total"))
		}
		time.Sleep(45 * time.Second)
		b.wait("https://host.test/first", 28*time.Second)
		for i := range 100 {
			if e := b.wait(fmt.Sprintf("https://host.test/%d", i), 28*time.Second); e.State != cache.Present {
				t.Fatalf("later object %d is %+v: %+v", i, e, e.Failure)
			}
		}
		if n := b.value("cloudmirror_origin_hosts_paused"); n != 0 {
			t.Errorf("%v hosts are paused in the end", n)
		}
	})
}

// Patient clients, such as warm jobs, get their copies although no client asks anew.
func TestWhoIsPatientOutlastsAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		b.fail("host.test", 5, unreachable())
		b.origin.script(copiesIn(time.Second))
		if e := b.wait("https://host.test/warm", time.Hour); e.State != cache.Present {
			t.Errorf("it got %+v: %+v", e, e.Failure)
		}
	})
}

// A probe that hangs does not keep others from theirs.
func TestATrialThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		b.fail("host.test", 5, unreachable())
		time.Sleep(6 * time.Second)
		b.origin.script(copiesIn(time.Hour))
		b.ask("https://host.test/hangs")
		synctest.Wait()
		b.origin.script(copiesIn(0))
		began := time.Now()
		if e := b.wait("https://host.test/well", 28*time.Second); e.State != cache.Present || time.Since(began) != 5*time.Second {
			t.Errorf("it is %+v after %v, want present with the next probe", e, time.Since(began))
		}
		for i := range 10 {
			b.ask(fmt.Sprintf("https://host.test/then/%d", i))
			if e := b.after(0, fmt.Sprintf("https://host.test/then/%d", i)); e.State != cache.Present {
				t.Errorf("after a probe that succeeded: %+v", e)
			}
		}
	})
}

// A probe that takes hours does not keep the others waiting.
func TestABodyThatGetsGoingProvesAHost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		b.fail("host.test", 5, unreachable())
		time.Sleep(6 * time.Second)
		reader, writer := io.Pipe()
		b.origin.script(func(context.Context, cloudmirror.Object) (io.Reader, error) { return reader, nil })
		b.ask("https://host.test/large")
		_, err := writer.Write(make([]byte, 1<<20-1))
		synctest.Wait()
		b.origin.script(copiesIn(0))
		b.ask("https://host.test/too-soon")
		if e := b.after(0, "https://host.test/too-soon"); err != nil || e.State != cache.Failed {
			t.Errorf("before the host has proven itself: %v, error %v, want it paused", e.State, err)
		}
		_, err = writer.Write(make([]byte, 1))
		synctest.Wait()
		b.ask("https://host.test/small")
		if e := b.after(0, "https://host.test/small"); err != nil || e.State != cache.Present {
			t.Errorf("while the probe goes on: %v, error %v, want present", e.State, err)
		}
		_ = writer.Close()
	})
}

func TestWhatPausesAHost(t *testing.T) {
	t.Parallel()
	status := func(s int) cloudmirror.Failure {
		return cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: s, Permanent: s < 429}
	}
	code := func(c cloudmirror.Code) cloudmirror.Failure { return cloudmirror.Failure{Code: c} }
	for name, tt := range map[string]struct {
		failure cloudmirror.Failure
		pauses  bool
	}{
		"no connection":                 {unreachable(), true},
		"too slow":                      {code(cloudmirror.CodeOriginTimeout), true},
		"longer than a copy may take":   {cloudmirror.Failure{Code: cloudmirror.CodeOriginTimeout, Permanent: true}, false},
		"500":                           {status(500), true},
		"503":                           {status(503), true},
		"429":                           {status(429), true},
		"508, a loop":                   {status(508), false},
		"404":                           {status(404), false},
		"403":                           {status(403), false},
		"a body that is cut off":        {code(cloudmirror.CodeOriginTruncated), false},
		"a wrong digest":                {code(cloudmirror.CodeDigestMismatch), false},
		"a changed object":              {code(cloudmirror.CodeObjectChanged), false},
		"too many redirects":            {code(cloudmirror.CodeTooManyRedirects), false},
		"a forbidden address":           {cloudmirror.Failure{Code: cloudmirror.CodeURLNotAllowed, Permanent: true}, false},
		"a stop, or our own trouble":    {code(cloudmirror.CodeInternal), false},
		"storage that refuses the copy": {code(cloudmirror.CodeStorageFailed), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, nil)
				b.fail("host.test", 5, tt.failure)
				if paused := b.value("cloudmirror_origin_hosts_paused") == 1; paused != tt.pauses {
					t.Errorf("the host is paused: %t, want %t", paused, tt.pauses)
				}
			})
		})
	}
}

func TestWhatEndsAStreakOfFailures(t *testing.T) {
	t.Parallel()
	missing := cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 404, Permanent: true}
	for name, tt := range map[string]struct {
		between  cloudmirror.Failure // behind 4 failures; "": a copy
		later    time.Duration
		failures int // after that
		pauses   bool
	}{
		"a copy":                           {cloudmirror.Failure{}, 61 * time.Second, 4, false},
		"404: the host works":              {missing, 61 * time.Second, 4, false},
		"not for good":                     {cloudmirror.Failure{}, 61 * time.Second, 5, true},
		"after a copy none counts for 60s": {cloudmirror.Failure{}, 59 * time.Second, 10, false},
		"trouble of ours says nothing":     {cloudmirror.Failure{Code: cloudmirror.CodeInternal}, 0, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, nil)
				b.fail("host.test", 4, unreachable())
				if b.origin.script(fails(tt.between)); tt.between.Code == "" {
					b.origin.script(copiesIn(0))
				}
				b.ask("https://host.test/between")
				synctest.Wait()
				time.Sleep(tt.later)
				b.origin.script(fails(unreachable()))
				for i := range tt.failures {
					b.ask(fmt.Sprintf("https://host.test/last/%d", i))
					synctest.Wait()
				}
				if paused := b.value("cloudmirror_origin_hosts_paused") == 1; paused != tt.pauses {
					t.Errorf("the host is paused: %t, want %t", paused, tt.pauses)
				}
			})
		})
	}
}

// Five tries of one object that fails are no five failures of its host.
func TestABadObjectDoesNotPauseItsHost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		b.origin.script(fails(cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 500}))
		if e := b.wait("https://host.test/bad", time.Hour); e.State != cache.Failed || !e.Failure.Permanent {
			t.Fatalf("the entry is %+v", e)
		}
		if n := b.origin.asked(); n != 5 || b.value("cloudmirror_origin_hosts_paused") != 0 {
			t.Errorf("the host was asked %d times, want 5; %v hosts are paused", n, b.value("cloudmirror_origin_hosts_paused"))
		}
	})
}

// Three objects that are told to wait speak for their host, for as long as all of
// them are.
func TestRetryAfterOfThreeObjectsRestsTheirHost(t *testing.T) {
	t.Parallel()
	status := func(s int, after time.Duration) cloudmirror.Failure {
		return cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: s, RetryAfter: after}
	}
	const long, short = 20 * time.Minute, 10 * time.Minute
	for name, tt := range map[string]struct {
		failures []cloudmirror.Failure
		rests    time.Duration
	}{
		"429":                           {[]cloudmirror.Failure{status(429, long), status(429, long), status(429, long)}, long},
		"503":                           {[]cloudmirror.Failure{status(503, long), status(503, long), status(503, long)}, long},
		"the shortest of them":          {[]cloudmirror.Failure{status(429, long), status(503, short), status(429, long)}, short},
		"two":                           {[]cloudmirror.Failure{status(429, long), status(429, long)}, 0},
		"500, whatever it asks":         {[]cloudmirror.Failure{status(500, long), status(500, long), status(500, long)}, 0},
		"429 without a time":            {[]cloudmirror.Failure{status(429, 0), status(429, 0), status(429, 0)}, 0},
		"two, a success, and one again": {[]cloudmirror.Failure{status(429, long), status(429, long), status(404, 0), status(429, long)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, nil)
				for i, f := range tt.failures {
					b.origin.script(fails(f))
					b.ask(fmt.Sprintf("https://host.test/failing/%d", i))
					synctest.Wait()
				}
				isPaused := func() bool { return b.value("cloudmirror_origin_hosts_paused") == 1 }
				if isPaused() != (tt.rests > 0) {
					t.Fatalf("the host is paused: %t, want %t", isPaused(), tt.rests > 0)
				}
				if time.Sleep(tt.rests - time.Second); isPaused() != (tt.rests > 0) {
					t.Errorf("a second before the end of its rest the host is paused: %t", isPaused())
				}
				if time.Sleep(time.Second); isPaused() {
					t.Error("the host is paused after its rest")
				}
			})
		})
	}
}

// What storage makes of a body is not the host's fault.
func TestBrokenStorageDoesNotPauseAHost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		b := newBubble(t, func(o *copier.Options) {
			o.Backends[0].Storage = refusingStorage{forgetfulStorage: o.Backends[0].Storage.(*forgetfulStorage), broken: &broken}
		})
		broken.Store(true)
		for i := range 10 {
			b.ask(fmt.Sprintf("https://host.test/%d", i))
		}
		time.Sleep(time.Minute)
		broken.Store(false)
		if e := b.after(time.Minute, "https://host.test/0"); b.value("cloudmirror_origin_refused_total") != 0 {
			t.Errorf("tries were refused; the entry is %+v", e)
		}
	})
}

type refusingStorage struct {
	*forgetfulStorage
	broken *atomic.Bool
}

func (s refusingStorage) Put(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Info, error) {
	if s.broken.Load() {
		return storage.Info{}, errors.New("refused by the test")
	}
	return s.forgetfulStorage.Put(ctx, key, body, o)
}

// Anybody may find an object that redirects to a host of his own.
func TestAFailureOfAnotherHostIsNotCharged(t *testing.T) {
	t.Parallel()
	busy := cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 429, RetryAfter: time.Hour}
	for name, failure := range map[string]cloudmirror.Failure{"unreachable": unreachable(), "busy": busy} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, nil)
				failure.Origin = "https://elsewhere.test"
				b.fail("host.test", 10, failure)
				if n := b.value("cloudmirror_origin_hosts_paused"); n != 0 || b.origin.asked() != 10 {
					t.Errorf("%v hosts are paused after %d requests, want none after 10", n, b.origin.asked())
				}
				failure.Origin = "https://own.test"
				b.fail("own.test", 5, failure)
				if n := b.value("cloudmirror_origin_hosts_paused"); n != 1 {
					t.Errorf("%v hosts are paused after failures of their own, want 1", n)
				}
			})
		})
	}
}

// The letter of a redriven job is gone: it must not end without a try.
func TestARedrivenJobOutlastsAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		b.fail("host.test", 5, unreachable())
		b.origin.script(copiesIn(time.Second))
		const url = "https://host.test/letter"
		w := want(t, url)
		job := queue.Job{ID: cloudmirror.NewID(), Object: w.Object, Backend: w.Backend, Generation: cloudmirror.FirstGeneration, Redriven: true, SentAt: time.Now()}
		if err := b.queue.Send(t.Context(), job, 0); err != nil {
			t.Fatal(err)
		}
		if e := b.after(time.Second, url); e.State == cache.Present || b.origin.askedFor(url) != 0 {
			t.Fatalf("while the host is paused: %+v, asked for %d times", e, b.origin.askedFor(url))
		}
		if e := b.after(time.Minute, url); e.State != cache.Present {
			t.Errorf("after the pause: %+v", e)
		}
	})
}
