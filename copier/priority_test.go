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
	"cloudmirror/copier"
	"cloudmirror/engine"
	"cloudmirror/queue"
)

// order asks for a copy with a priority, as a caller does that does not wait.
func (b *bubble) order(url string, p queue.Priority) {
	b.t.Helper()
	w := want(b.t, url)
	w.Order = &queue.Order{Priority: p}
	if _, err := b.engine.Wait(b.t.Context(), w, engine.Patience{}); err != nil {
		b.t.Fatalf("order %s: %v", url, err)
	}
}

// begins notes when the copies begin of URLs that hold a word, and how many run at a
// time.
type begins struct {
	mu            sync.Mutex
	times         []time.Time
	running, most int
}

func (n *begins) noting(word string, answer func(context.Context, cloudmirror.Object) (io.Reader, error)) func(context.Context, cloudmirror.Object) (io.Reader, error) {
	return func(ctx context.Context, o cloudmirror.Object) (io.Reader, error) {
		if !strings.Contains(o.URL(), word) {
			return answer(ctx, o)
		}
		n.add(1)
		defer n.add(-1)
		return answer(ctx, o)
	}
}

func (n *begins) add(change int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.running += change; change > 0 {
		n.times = append(n.times, time.Now())
	}
	n.most = max(n.most, n.running)
}

func (n *begins) read() (times []time.Time, most int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.times, n.most
}

// A client's copy begins at once behind a flood of warm jobs, or when one copy ends if
// its host, or the only slot, is busy. The flood has half of the slots all the time.
func TestAClientBehindAFloodOfWarmJobs(t *testing.T) {
	t.Parallel()
	const took = time.Second
	hosts := map[string]struct {
		flood   string
		perHost int           // copies of one host
		limit   time.Duration // until the client's copy begins
	}{
		"of many hosts":    {"https://host%d.test/warm", 8, time.Second / 2},
		"of its host":      {"https://host.test/warm/%d", 8, took + time.Second/2},
		"of its busy host": {"https://host.test/warm/%d", 2, took + time.Second/2},
	}
	for name, host := range hosts {
		for _, slots := range []int{1, 2, 3, 16} {
			t.Run(fmt.Sprintf("%s, %d slots", name, slots), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					half := max(1, slots/2)
					if strings.Contains(host.flood, "host.test") {
						half = min(half, host.perHost)
					}
					jobs := 125 * max(2, half) // more than end while clients come
					if testing.Short() {       // with the race detector, which bears at most 8,128 goroutines
						jobs = 100
					}
					limit := host.limit
					if slots == 1 {
						limit = took + time.Second/2
					}
					var warm, client begins
					b := newBubble(t, func(o *copier.Options) { o.Concurrency, o.Limits.CopiesPerHost = slots, host.perHost })
					b.origin.script(client.noting("/client", warm.noting("/warm", copiesIn(took))))
					for i := range jobs {
						b.order(fmt.Sprintf(host.flood, i), queue.Warm)
					}
					for i := range 5 {
						time.Sleep(7 * time.Second)
						asked := time.Now()
						b.wantSoon(limit+took, fmt.Sprintf("https://host.test/client/%d", i))
						if times, _ := client.read(); len(times) != i+1 || times[i].Sub(asked) > limit {
							t.Fatalf("client %d: its copy began after %v, want at most %v", i, time.Since(asked)-took, limit)
						}
					}
					time.Sleep(time.Duration(jobs/half)*took + time.Minute)
					times, most := warm.read()
					if len(times) != jobs || most != half {
						t.Errorf("%d of %d warm jobs were copied, %d at a time, want %d", len(times), jobs, most, half)
					}
				})
			})
		}
	}
}

// While clients ask for more than a host or the copier can do, one turn in nine goes to
// a job for which none waits, of each priority.
func TestBackgroundJobsDoNotStarve(t *testing.T) {
	t.Parallel()
	for name, client := range map[string]string{"of clients of one host": "https://host.test/client/%d", "of clients of many hosts": "https://host%d.test/client"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, func(o *copier.Options) { o.Concurrency, o.Limits.CopiesPerHost = 4, 2 })
				b.origin.script(copiesIn(time.Second))
				ctx, stop := context.WithCancel(t.Context())
				var clients sync.WaitGroup
				clients.Go(func() {
					for i := 0; pause(ctx, 200*time.Millisecond) == nil; i++ {
						b.ask(fmt.Sprintf(client, i))
					}
				})
				time.Sleep(20 * time.Second)
				b.order("https://host.test/planned", queue.Planned)
				for i := range 20 {
					b.order(fmt.Sprintf("https://host.test/warm/%d", i), queue.Warm)
				}
				time.Sleep(5 * time.Minute)
				if e := b.entry("https://host.test/planned"); e.State != cache.Present {
					t.Errorf("the planned copy is %s", e.State)
				}
				for i := range 20 {
					if e := b.entry(fmt.Sprintf("https://host.test/warm/%d", i)); e.State != cache.Present {
						t.Errorf("the warm copy %d is %s", i, e.State)
					}
				}
				stop()
				clients.Wait()
			})
		})
	}
}

// A warm job of a host whose turns clients take all the time needs such a turn and one of
// the few slots for warm jobs, which those of other hosts take all the time. It does not
// wait for ever for both at once.
func TestAWarmJobOfABusyHostBesideOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) { o.Concurrency, o.Limits.CopiesPerHost = 2, 2 })
		b.origin.script(func(ctx context.Context, o cloudmirror.Object) (io.Reader, error) {
			if strings.Contains(o.URL(), "/other") {
				return copiesIn(10*time.Second)(ctx, o)
			}
			return copiesIn(5*time.Second)(ctx, o)
		})
		ctx, stop := context.WithCancel(t.Context())
		var others sync.WaitGroup
		others.Go(func() {
			for i := 0; pause(ctx, 2*time.Second) == nil; i++ {
				b.ask(fmt.Sprintf("https://host.test/client/%d", i))
			}
		})
		for sender := range 16 {
			others.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					w := want(t, fmt.Sprintf("https://host%d-%d.test/other", sender, i))
					w.Order = &queue.Order{Priority: queue.Warm}
					_, _ = b.engine.Wait(ctx, w, engine.Patience{Until: time.Now().Add(time.Hour)})
				}
			})
		}
		time.Sleep(time.Minute)
		b.order("https://host.test/warm", queue.Warm)
		if e := b.after(15*time.Minute, "https://host.test/warm"); e.State != cache.Present {
			t.Errorf("the warm copy is %s", e.State)
		}
		stop()
		others.Wait()
	})
}

// Warm jobs that drip leave the slots, so that others are copied.
func TestWarmJobsThatDripKeepNoOthersWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) { o.Concurrency = 4 })
		b.origin.script(func(ctx context.Context, o cloudmirror.Object) (io.Reader, error) {
			if strings.Contains(o.URL(), "/drip") {
				return &drip{ctx: ctx, bytes: 1, every: 5 * time.Second, size: 200}, nil
			}
			return copiesIn(0)(ctx, o)
		})
		for i := range 8 {
			b.order(fmt.Sprintf("https://host%d.test/drip", i), queue.Warm)
		}
		b.settle()
		b.order("https://host.test/warm", queue.Warm)
		b.order("https://host.test/planned", queue.Planned)
		if e := b.after(20*time.Second, "https://host.test/warm"); e.State != cache.Present {
			t.Errorf("the warm copy behind those that drip is %s", e.State)
		}
		if e := b.entry("https://host.test/planned"); e.State != cache.Present {
			t.Errorf("the planned copy behind those that drip is %s", e.State)
		}
	})
}
