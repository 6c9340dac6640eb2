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

// fail has so many objects of a host fail once each.
func (b *bubble) fail(host string, objects int, f cloudmirror.Failure) {
	b.t.Helper()
	b.origin.script(fails(f))
	for i := range objects {
		b.ask(fmt.Sprintf("https://%s/failing/%d", host, i))
		synctest.Wait() // one after the other
	}
}

func TestAHostInTroubleIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		b.fail("host.test", 5, unreachable())
		asked := b.origin.asked()
		if asked != 5 || b.value("cloudmirror_origin_hosts_paused") != 1 {
			t.Fatalf("after 5 failures the host was asked %d times, %v hosts are paused", asked, b.value("cloudmirror_origin_hosts_paused"))
		}
		b.origin.script(copiesIn(time.Second))

		for i := range 100 {
			began := time.Now()
			e := b.wait(fmt.Sprintf("https://host.test/%d", i), 28*time.Second)
			if e.State != cache.Failed || e.Failure.Code != cloudmirror.CodeOriginPaused || e.Failure.Permanent || e.Tries != 0 {
				t.Fatalf("object %d is %+v: %+v", i, e, e.Failure)
			}
			if rest := time.Until(e.Failure.RetryAt); rest < 30*time.Second || rest > 35*time.Second {
				t.Errorf("object %d is to be tried again in %v, want in 30 s and a little", i, rest)
			}
			if waited := time.Since(began); waited != 0 {
				t.Errorf("the client of object %d waited %v for nothing", i, waited)
			}
		}
		synctest.Wait() // until the last message is acknowledged
		if n, err := b.queue.Count(t.Context()); err != nil || n != (queue.Counts{}) {
			t.Errorf("messages go round while the host is left alone: %+v, error %v", n, err)
		}
		if e := b.wait("https://other.test/", 28*time.Second); e.State != cache.Present {
			t.Errorf("the object of another host is %+v", e)
		}
		if n := b.origin.asked() - asked; n != 1 || b.value("cloudmirror_origin_refused_total") != 100 {
			t.Errorf("the origins were asked %d times more, want once for the other; %v tries were refused", n, b.value("cloudmirror_origin_refused_total"))
		}
		time.Sleep(45 * time.Second)
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

// Patient clients, such as warm jobs, get their copies although nobody asks anew.
func TestWhoIsPatientOutlastsAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		b.fail("host.test", 5, unreachable())
		b.origin.script(copiesIn(time.Second))
		if e := b.wait("https://host.test/warm", time.Hour); e.State != cache.Present {
			t.Errorf("it got %+v: %+v", e, e.Failure)
		}
	})
}

func TestOneCopyAtATimeProbesAHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		b.fail("host.test", 5, unreachable())
		before := b.origin.asked()
		time.Sleep(31 * time.Second)
		b.origin.script(func(ctx context.Context, o cloudmirror.Object) (io.Reader, error) {
			_, _ = copiesIn(20*time.Second)(ctx, o)
			f := unreachable()
			return nil, &f
		})
		for i := range 10 {
			b.ask(fmt.Sprintf("https://host.test/%d", i))
		}
		time.Sleep(10 * time.Second)
		if n := b.origin.asked() - before; n != 1 {
			t.Fatalf("%d copies probe the host, want 1", n)
		}
		time.Sleep(11 * time.Second) // the probe has failed
		for i := range 10 {
			b.ask(fmt.Sprintf("https://host.test/more/%d", i))
		}
		synctest.Wait()
		if n := b.origin.asked() - before; n != 1 || b.value("cloudmirror_origin_hosts_paused") != 1 {
			t.Errorf("after a probe that failed, the host was asked %d times in all, want 1", n)
		}
		b.origin.script(copiesIn(0))
		time.Sleep(31 * time.Second)
		if e := b.wait("https://host.test/well", 0); e.State == cache.Failed {
			t.Errorf("it was not tried again: %+v", e.Failure)
		}
		synctest.Wait()
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
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		b.fail("host.test", 5, unreachable())
		time.Sleep(31 * time.Second)
		reader, writer := io.Pipe()
		b.origin.script(func(context.Context, cloudmirror.Object) (io.Reader, error) { return reader, nil })
		b.ask("https://host.test/large")
		_, err := writer.Write(make([]byte, 1<<20-1))
		synctest.Wait()
		b.origin.script(copiesIn(0))
		b.ask("https://host.test/too-soon")
		if e := b.after(0, "https://host.test/too-soon"); err != nil || e.State != cache.Failed {
			t.Errorf("before the host has proven itself: %v, error %v, want it left alone", e.State, err)
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

func TestWhatOpensABreaker(t *testing.T) {
	status := func(s int) cloudmirror.Failure {
		return cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: s, Permanent: s < 429}
	}
	code := func(c cloudmirror.Code) cloudmirror.Failure { return cloudmirror.Failure{Code: c} }
	for name, tt := range map[string]struct {
		failure cloudmirror.Failure
		opens   bool
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
				if opened := b.value("cloudmirror_origin_hosts_paused") == 1; opened != tt.opens {
					t.Errorf("the host is left alone: %t, want %t", opened, tt.opens)
				}
			})
		})
	}
}

func TestWhatEndsAStreakOfFailures(t *testing.T) {
	for name, tt := range map[string]struct {
		between cloudmirror.Failure // "": a copy
		opens   bool
	}{
		"a copy":                       {cloudmirror.Failure{}, false},
		"404: the host works":          {cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 404, Permanent: true}, false},
		"trouble of ours says nothing": {cloudmirror.Failure{Code: cloudmirror.CodeInternal}, true},
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
				b.origin.script(fails(unreachable()))
				b.ask("https://host.test/last")
				synctest.Wait()
				if opened := b.value("cloudmirror_origin_hosts_paused") == 1; opened != tt.opens {
					t.Errorf("the host is left alone: %t, want %t", opened, tt.opens)
				}
			})
		})
	}
}

// Five tries of one object that fails are no five failures of its host.
func TestABadObjectDoesNotOpenTheBreaker(t *testing.T) {
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

func TestRetryAfterIsForTheWholeHost(t *testing.T) {
	for name, tt := range map[string]struct {
		failure cloudmirror.Failure
		rests   bool
	}{
		"429":                   {cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 429, RetryAfter: 20 * time.Minute}, true},
		"503":                   {cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 503, RetryAfter: 20 * time.Minute}, true},
		"500, whatever it asks": {cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 500, RetryAfter: 20 * time.Minute}, false},
		"429 without a time":    {cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 429}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, nil)
				b.fail("host.test", 1, tt.failure)
				b.origin.script(copiesIn(0))
				b.ask("https://host.test/early")
				if e := b.after(0, "https://host.test/early"); tt.rests && time.Until(e.Failure.RetryAt) < 20*time.Minute {
					t.Errorf("another object is to be tried again in %v", time.Until(e.Failure.RetryAt))
				}
				time.Sleep(20*time.Minute - time.Second)
				b.ask("https://host.test/other")
				switch e := b.after(0, "https://host.test/other"); {
				case tt.rests && (e.State != cache.Failed || e.Failure.Code != cloudmirror.CodeOriginPaused || b.origin.askedFor("https://host.test/other") != 0):
					t.Errorf("another object of the host is %+v, asked for too soon", e)
				case !tt.rests && e.State != cache.Present:
					t.Errorf("another object of the host is %+v, want present", e)
				}
				b.ask("https://elsewhere.test/")
				if e := b.after(0, "https://elsewhere.test/"); e.State != cache.Present {
					t.Errorf("the object of another host is %+v", e)
				}
				if n := b.value("cloudmirror_origin_hosts_paused"); n == 1 != tt.rests {
					t.Errorf("%v hosts are paused", n)
				}
				b.after(2*time.Second, "https://host.test/later")
				b.ask("https://host.test/later")
				if e := b.after(0, "https://host.test/later"); e.State != cache.Present {
					t.Errorf("after the rest: %+v", e)
				}
			})
		})
	}
}

// Strangers name hosts: only so many are remembered, those of which something was
// wanted last.
func TestHostsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) { o.Manners.OpenFor, o.Manners.Remembered = time.Hour, 100 })
		b.fail("host.test", 5, unreachable())
		b.origin.script(copiesIn(0))
		for i := range 99 {
			b.ask(fmt.Sprintf("https://host%d.test/", i))
		}
		synctest.Wait()
		if n := b.value("cloudmirror_origin_hosts_paused"); n != 1 {
			t.Errorf("%v hosts are paused, want 1 of 100", n)
		}
		b.ask("https://one.more.test/")
		synctest.Wait()
		if n := b.value("cloudmirror_origin_hosts_paused"); n != 0 {
			t.Errorf("%v hosts are paused, want the oldest to be forgotten", n)
		}
	})
}

// A host with running copies is not forgotten, or its bound would be too.
func TestABusyHostIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) { o.Manners.Remembered = 10 })
		b.origin.script(copiesIn(time.Hour))
		for i := range 7 {
			b.ask(fmt.Sprintf("https://busy.test/%d", i))
		}
		b.settle()
		b.origin.script(copiesIn(0))
		b.ask("https://busy.test/short")
		b.settle()
		for i := range 50 {
			b.ask(fmt.Sprintf("https://host%d.test/", i))
		}
		b.settle()
		b.origin.script(copiesIn(time.Hour))
		for i := range 7 {
			b.ask(fmt.Sprintf("https://busy.test/more/%d", i))
		}
		b.settle()
		if most := b.origin.mostOf("busy.test"); most != 8 || b.origin.asked() != 8+50+1 {
			t.Errorf("%d copies of the host ran at a time, want 8; %d requests in all", most, b.origin.asked())
		}
	})
}

// What storage makes of a body is not the host's fault.
func TestBrokenStorageDoesNotOpenTheBreaker(t *testing.T) {
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
	busy := cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 429, RetryAfter: time.Hour}
	for name, failure := range map[string]cloudmirror.Failure{"unreachable": unreachable(), "busy": busy} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, nil)
				failure.Host = "elsewhere.test"
				b.fail("host.test", 10, failure)
				if n := b.value("cloudmirror_origin_hosts_paused"); n != 0 || b.origin.asked() != 10 {
					t.Errorf("%v hosts are paused after %d requests, want none after 10", n, b.origin.asked())
				}
				failure.Host = "own.test"
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
			t.Fatalf("while the host is left alone: %+v, asked for %d times", e, b.origin.askedFor(url))
		}
		if e := b.after(time.Minute, url); e.State != cache.Present {
			t.Errorf("after the pause: %+v", e)
		}
	})
}
