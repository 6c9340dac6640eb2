package copier_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/engine"
	"cloudmirror/queue"
)

func limited() cloudmirror.Failure {
	return cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 429, RetryAfter: time.Hour}
}

// poisoned answers what is below /failing/ with a failure, and copies the rest.
func poisoned(f cloudmirror.Failure) func(context.Context, cloudmirror.Object) (io.Reader, error) {
	return func(ctx context.Context, o cloudmirror.Object) (io.Reader, error) {
		if strings.Contains(o.URL(), "/failing/") {
			return fails(f)(ctx, o)
		}
		return copiesIn(0)(ctx, o)
	}
}

// strangers ask for 20 objects of host.test that fail, in turn and again and again,
// until the test ends.
func (b *bubble) strangers(every, wait time.Duration) {
	ctx, stop := context.WithCancel(b.t.Context())
	var asking sync.WaitGroup
	b.t.Cleanup(func() { stop(); asking.Wait() })
	asking.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			url := fmt.Sprintf("https://host.test/failing/%d", i%20)
			if _, err := b.engine.Wait(ctx, want(b.t, url), engine.Patience{Until: time.Now().Add(wait)}); err != nil && ctx.Err() == nil {
				b.t.Errorf("wait for %s: %v", url, err)
			}
			time.Sleep(every)
		}
	})
}

func TestStrangersDoNotKeepAHostPaused(t *testing.T) {
	t.Parallel()
	// A probe waits a second for an object that is newer, and does not come.
	const soon, limit = 10 * time.Second, time.Minute + time.Second
	for name, attack := range map[string]struct {
		failure     cloudmirror.Failure
		every, wait time.Duration
		within      time.Duration
	}{
		"one request in 8 s":       {unreachable(), 8 * time.Second, 0, soon},
		"one a second":             {unreachable(), time.Second, 0, soon},
		"twenty a second":          {unreachable(), 50 * time.Millisecond, 0, soon},
		"clients that wait":        {unreachable(), time.Millisecond, 28 * time.Second, soon},
		"429, one request in 8 s":  {limited(), 8 * time.Second, 0, limit},
		"429, one a second":        {limited(), time.Second, 0, limit},
		"429, twenty a second":     {limited(), 50 * time.Millisecond, 0, limit},
		"429, clients that wait":   {limited(), time.Second, 28 * time.Second, limit},
		"503 without a time to it": {cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 503}, time.Second, 0, soon},
	} {
		for _, first := range []time.Duration{3, 17, 95} {
			t.Run(fmt.Sprintf("%s, first asked for after %d s", name, first), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBubble(t, nil)
					b.origin.script(poisoned(attack.failure))
					b.strangers(attack.every+time.Millisecond, attack.wait)
					for i := range 8 {
						time.Sleep(first * time.Second)
						began, url := time.Now(), fmt.Sprintf("https://host.test/%d", i)
						e := b.wait(url, time.Hour)
						if took := time.Since(began); e.State != cache.Present || took > attack.within {
							t.Fatalf("object %d is %+v: %+v after %v, want present within %v", i, e, e.Failure, took, attack.within)
						}
					}
				})
			})
		}
	}
}

// A host that is really down, or limits us, is asked for one probe at a time,
// however many objects of it are wanted, and costs no messages that go round.
func TestHowOftenAPausedHostIsAsked(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		failure cloudmirror.Failure
		before  int // requests until it is paused
		every   time.Duration
	}{
		"it is down":   {unreachable(), 5, 5 * time.Second},
		"it limits us": {limited(), 3, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, nil)
				b.origin.script(fails(tt.failure))
				const asked = 1800
				for i := range asked {
					b.ask(fmt.Sprintf("https://host.test/%d", i))
					time.Sleep(333 * time.Millisecond)
				}
				synctest.Wait()
				times := b.origin.timesOf("https://host.test")
				for i := tt.before; i < len(times); i++ {
					if gap := times[i].Sub(times[i-1]); gap < tt.every || gap > tt.every+2*time.Second {
						t.Errorf("probe %d came %v after the request before, want %v and a little", i, gap, tt.every)
					}
				}
				if most := tt.before + int(asked*333*time.Millisecond/tt.every); len(times) > most || len(times) < most*3/4 {
					t.Errorf("the host was asked %d times, want about %d", len(times), most)
				}
				if n, err := b.queue.Count(t.Context()); err != nil || n != (queue.Counts{}) || b.queue.sends() > asked {
					t.Errorf("the queue holds %+v, error %v, after %d messages for %d clients", n, err, b.queue.sends(), asked)
				}
				b.origin.script(copiesIn(0))
				time.Sleep(tt.every + time.Second)
				b.ask("https://host.test/well")
				if e := b.after(0, "https://host.test/well"); e.State != cache.Present {
					t.Errorf("after its return: %+v", e)
				}
				b.ask("https://host.test/then")
				if e := b.after(0, "https://host.test/then"); e.State != cache.Present {
					t.Errorf("after that: %+v", e)
				}
			})
		})
	}
}

// One stranger with one URL pauses nothing, nor do two.
func TestRetryAfterRestsItsObject(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		b.origin.script(poisoned(limited()))
		for i := range 2 {
			b.ask(fmt.Sprintf("https://host.test/failing/%d", i))
			synctest.Wait()
		}
		if e := b.wait("https://host.test/healthy", 0); b.after(0, "https://host.test/healthy").State != cache.Present {
			t.Errorf("another object is %+v", e)
		}
		e := b.after(59*time.Minute, "https://host.test/failing/0")
		b.ask("https://host.test/failing/0")
		synctest.Wait()
		if n := b.origin.askedFor("https://host.test/failing/0"); n != 1 || time.Until(e.Failure.RetryAt) != time.Minute {
			t.Errorf("within its hour the object was asked for %d times, its entry is %+v", n, e.Failure)
		}
	})
}

// http and https, and each port, may be different servers.
func TestAPauseIsForOneSchemeAndPort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		b.fail("host.test", 5, unreachable())
		b.origin.script(copiesIn(0))
		for _, url := range []string{"http://host.test/", "https://host.test:8443/", "http://host.test:443/"} {
			b.ask(url)
			if e := b.after(0, url); e.State != cache.Present {
				t.Errorf("%s is %+v: %+v", url, e, e.Failure)
			}
		}
		b.ask("https://host.test/")
		if e := b.after(0, "https://host.test/"); e.State != cache.Failed {
			t.Errorf("the host that failed is not paused: %+v", e)
		}
	})
}
