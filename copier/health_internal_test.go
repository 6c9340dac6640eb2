package copier

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/queue"
)

// A step is what happens to a host, at a number of seconds after its fifth failure.
type step struct {
	at     float64
	object string
	does   string        // "": it asks for a try; or fails, succeeds
	again  time.Duration // 0: it is tried; else when it is to come, up to an eighth later
}

func TestHealth(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for name, steps := range map[string][]step{
		"one probe in 5 s": {
			{4, "a", "", 1 * s}, {5, "a", "", 0}, {5, "b", "", 5 * s}, {5, "c", "", 5 * s}, {10, "c", "", 0},
		},
		"an object that failed waits a minute": {
			{1, "bad0", "", 59 * s}, {59, "bad0", "", 1 * s}, {60, "bad0", "", 0}, {60, "bad1", "", 30 * s},
		},
		"an object that failed gets what no other wants": {
			{61, "a", "", 0}, {61, "b", "", 5 * s}, {66, "bad0", "", 30 * s}, {66.5, "b", "", 0}, {72.6, "bad0", "", 0},
		},
		"the newest first": {
			{1, "a", "", 4 * s}, {2, "b", "", 3 * s}, {5, "a", "", 1 * s}, {5, "b", "", 0}, {6, "a", "", 4 * s}, {10, "a", "", 0},
		},
		"one that was passed is not passed again": {
			{1, "a", "", 4 * s}, {2, "b", "", 3 * s}, {5, "b", "", 0}, {6, "c", "", 9 * s}, {7, "d", "", 8 * s}, {10, "d", "", 1 * s}, {10, "a", "", 0},
		},
		"one that is known gets what is left": {
			{1, "a", "", 4 * s}, {2, "b", "", 3 * s}, {3, "c", "", 2 * s}, {3, "b", "", 30 * s}, {5, "c", "", 0}, {5, "b", "", 10 * s},
		},
		"a promise is kept for a second": {
			{1, "a", "", 4 * s}, {5, "b", "", 1 * s}, {5.5, "c", "", s / 2}, {6, "c", "", 0}, {6, "a", "", 5 * s},
		},
		"a success ends it": {
			{1, "a", "", 4 * s},
			{5, "a", "", 0},
			{5, "a", "succeeds", 0},
			{5, "b", "", 0},
			{5, "bad0", "", 0},
			{6, "b", "fails", 0},
			{7, "c", "fails", 0},
			{8, "d", "fails", 0},
			{9, "e", "fails", 0},
			{10, "f", "fails", 0},
			{11, "b", "", 0},
		},
		"a probe that fails changes nothing": {
			{5, "a", "", 0}, {6, "a", "fails", 0}, {7, "a", "", 59 * s}, {7, "b", "", 3 * s}, {10, "b", "", 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, paused := newHealth(5), time.Unix(1e9, 0)
			for i := range 5 {
				if isPausedNow := h.failed(paused, fmt.Sprintf("bad%d", i), 0); isPausedNow != (i == 4) {
					t.Fatalf("failure %d pauses the host: %t", i, isPausedNow)
				}
			}
			for i, step := range steps {
				now := paused.Add(time.Duration(step.at * float64(time.Second)))
				switch step.does {
				case "fails":
					h.failed(now, step.object, 0)
				case "succeeds":
					h.succeeded(now, step.object)
				default:
					again, ok := h.admit(now, step.object, 0)
					if ok != (step.again == 0) || again < step.again || again > step.again+step.again/8 {
						t.Errorf("step %d: %s at %v s: tried %t, again in %v, want %v", i, step.object, step.at, ok, again, step.again)
					}
				}
			}
		})
	}
}

// A host is limited for as long as three objects at least were told to wait.
func TestHealthIsLimitedByTheLongestThree(t *testing.T) {
	t.Parallel()
	h, now := newHealth(100), time.Unix(1e9, 0)
	for i, minutes := range []time.Duration{10, 30, 1, 20, 5} {
		h.failed(now, fmt.Sprint(i), minutes*time.Minute)
	}
	h.failed(now, "1", 40*time.Minute) // counts once
	for _, after := range []time.Duration{0, 10*time.Minute - 1, 10 * time.Minute} {
		if limited := h.isLimited(now.Add(after)); limited != (after < 10*time.Minute) {
			t.Errorf("after %v it is limited: %t", after, limited)
		}
	}
}

// Objects that failed elsewhere, as their jobs say, get only what no other wants.
func TestHealthKnowsOfTriesElsewhere(t *testing.T) {
	t.Parallel()
	h, now := newHealth(1), time.Unix(1e9, 0)
	h.failed(now, "bad", 0)
	if _, ok := h.admit(now.Add(5*time.Second), "failed elsewhere", 1); ok {
		t.Error("it got a probe that was due at that moment")
	}
	if _, ok := h.admit(now.Add(6*time.Second), "failed elsewhere", 1); !ok {
		t.Error("it got no probe that no other wanted")
	}
}

// Clients name objects: a host remembers at most maxKnown.
func TestHealthIsBounded(t *testing.T) {
	t.Parallel()
	h, now := newHealth(5), time.Unix(1e9, 0)
	for i := range 10_000 {
		now = now.Add(time.Second)
		if _, ok := h.admit(now, fmt.Sprint(i), 0); ok {
			h.failed(now, fmt.Sprint(i), time.Hour)
		}
	}
	if h.known.Len() > 64 || len(h.failing) > 5 || len(h.limits) > 3 {
		t.Errorf("%d objects are known, %d have failed, %d rest", h.known.Len(), len(h.failing), len(h.limits))
	}
}

// Sections that begin anew at the object's own URL pass each host that redirects
// them one after the other: the copy has one turn of it.
func TestACopyPassesRedirectsOneByOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		parse := func(url string) cloudmirror.Object {
			o, err := cloudmirror.ParseObject(url)
			if err != nil {
				t.Fatal(err)
			}
			return o
		}
		own, cdn := parse("https://host.test/a"), parse("https://cdn.test/a")
		hosts := newHosts(Limits{CopiesPerHost: 1}, zap.NewNop(), 1)
		host := hosts.visit(own.Origin())
		v := newVisits(hosts, queue.Job{Object: own}, &hostUse{host: host, object: own}, []*turn{host.tryTurn(false)})
		enter := func(ctx context.Context, o cloudmirror.Object) func() {
			leave, err := v.enter(ctx, o)
			if err != nil {
				t.Error(err)
				return func() {}
			}
			return leave
		}
		enter(t.Context(), cdn) // the body
		if _, err := v.serve(cdn.URL()); err != nil {
			t.Fatal(err)
		}
		enter(t.Context(), cdn) // sections
		enter(t.Context(), cdn)
		leave := enter(t.Context(), own)
		entered := false
		go func() { enter(t.Context(), own); entered = true }()
		if synctest.Wait(); entered {
			t.Error("two requests pass the object's own host at a time")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := v.enter(ctx, own); err == nil {
			t.Error("a request that was given up passed it as well")
		}
		leave()
		if synctest.Wait(); !entered {
			t.Error("the second request does not pass when the first one has")
		}
		v.end(nil)
		if host := hosts.visit(cdn.Origin()); host.tryTurn(false) == nil {
			t.Error("the turn was not given back")
		}
	})
}
