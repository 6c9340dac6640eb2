package copier_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/copier"
	"cloudmirror/origin"
)

// A randomOrigin treats each URL as the words of its path say: "a", "b" and so on are
// the hosts that it is redirected to, one after the other, then comes a kind.
type randomOrigin struct {
	*scriptedOrigin
	first time.Duration // until the first byte; 0: 50 ms
	calm  bool          // all objects are small; guarded by scriptedOrigin.mu
}

func withRandomOrigin(r *randomOrigin, change func(*copier.Options)) func(*copier.Options) {
	return func(o *copier.Options) {
		r.scriptedOrigin = o.Origin.(*scriptedOrigin)
		r.script(r.answer)
		r.redirect, r.took = nextHop, 30*time.Millisecond
		o.Origin = r
		change(o)
	}
}

// nextHop returns where a URL is redirected to, or "".
func nextHop(o cloudmirror.Object) string {
	_, path, _ := strings.Cut(strings.TrimPrefix(o.URL(), "https://"), "/")
	if next, rest, _ := strings.Cut(path, "/"); len(next) == 1 {
		return "https://" + next + ".test/" + rest
	}
	return ""
}

func (r *randomOrigin) kind(o cloudmirror.Object) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calm {
		return "small"
	}
	words := strings.Split(o.URL(), "/")
	return words[len(words)-2]
}

func (r *randomOrigin) answer(ctx context.Context, o cloudmirror.Object) (io.Reader, error) {
	if err := pause(ctx, cmp.Or(r.first, 50*time.Millisecond)); err != nil {
		return nil, &cloudmirror.Failure{Code: cloudmirror.CodeInternal, Err: err}
	}
	switch r.kind(o) {
	case "iso", "chunked":
		return &drip{ctx: ctx, bytes: 8 << 10, every: 20 * time.Millisecond, size: 17 << 20}, nil
	case "medium":
		return &drip{ctx: ctx, bytes: 8 << 10, every: 20 * time.Millisecond, size: 4 << 20}, nil
	case "drip":
		return &drip{ctx: ctx, bytes: 512, every: time.Second, size: 200 << 10}, nil
	case "down":
		return nil, &cloudmirror.Failure{Code: cloudmirror.CodeOriginUnreachable, Origin: o.Origin()}
	case "liar":
		return io.MultiReader(&drip{ctx: ctx, bytes: 8 << 10, every: 20 * time.Millisecond, size: 1 << 20}, brokenReader{}), nil
	case "gone":
		return nil, &cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 404, Permanent: true, Origin: o.Origin()}
	}
	return bytes.NewReader(make([]byte, 64<<10)), nil
}

func (r *randomOrigin) Get(ctx context.Context, rules origin.Rules, o cloudmirror.Object) (*origin.Response, error) {
	response, err := r.scriptedOrigin.Get(ctx, rules, o)
	if err == nil {
		switch r.kind(o) {
		case "iso":
			response.SizeBytes = 17 << 20
		case "liar":
			response.SizeBytes = 1 << 40
		}
	}
	return response, err
}

// Whatever is asked for, purged and stopped, no host is asked by more copies than it
// may be, every object is copied or has failed in the end, and no turn is lost.
func TestRandomJobs(t *testing.T) {
	t.Parallel()
	seeds := uint64(6)
	if testing.Short() { // with the race detector
		seeds = 2
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(1+seed, 1)) //nolint:gosec // a test repeats itself
				r, perHost := &randomOrigin{}, 1+random.IntN(4)
				b := newBubble(t, withRandomOrigin(r, func(o *copier.Options) {
					o.Limits = copier.Limits{CopiesPerHost: perHost, Remembered: 1 + random.IntN(4)}
					o.Concurrency, o.Grace = 1+random.IntN(8), time.Duration(random.IntN(20))*time.Second
				}))
				b.wantAllEnded(b.randomJobs(random), r, perHost)
				b.wantAllTurns(perHost)
			})
		})
	}
}

// randomJobs asks for objects, purges some, and stops copiers. It returns the URLs of
// those that should be copied or fail.
func (b *bubble) randomJobs(random *rand.Rand) (urls []string) {
	hosts := []string{"a", "b", "c"}
	kinds := []string{"small", "small", "small", "small", "iso", "chunked", "medium", "drip", "down", "liar", "gone"}
	for i := range 300 {
		url := "https://" + hosts[random.IntN(3)] + ".test/"
		for range random.IntN(3) {
			url += hosts[random.IntN(3)] + "/"
		}
		url += fmt.Sprintf("%s/%d", kinds[random.IntN(len(kinds))], i)
		urls = append(urls, url)
		b.ask(url)
		time.Sleep(time.Duration(random.IntN(2000)) * time.Millisecond)
		switch random.IntN(60) {
		case 0:
			b.copier.Copies()
		case 1:
			b.restart()
		case 2, 3:
			i := random.IntN(len(urls))
			if _, err := b.engine.Purge(b.t.Context(), want(b.t, urls[i])); err != nil {
				b.t.Error(err)
			}
			urls = slices.Delete(urls, i, i+1)
		}
	}
	return urls
}

// wantAllEnded fails unless all objects end when their origins are well.
func (b *bubble) wantAllEnded(urls []string, r *randomOrigin, perHost int) {
	b.t.Helper()
	r.mu.Lock()
	r.calm = true
	r.mu.Unlock()
	time.Sleep(3 * time.Hour)
	for _, url := range urls {
		if e := b.wait(url, 30*time.Minute); e.State != cache.Present && e.State != cache.Failed {
			b.t.Errorf("%s is %s, job %s", url, e.State, e.Job)
		}
	}
	for _, metric := range []string{"cloudmirror_copies_running", "cloudmirror_copies_waiting", "cloudmirror_copies_slow"} {
		if n := b.value(metric); n != 0 {
			b.t.Errorf("%s is %v", metric, n)
		}
	}
	if n := len(b.copier.Copies()); n != 0 {
		b.t.Errorf("the copier says that it holds %d copies", n)
	}
	for _, host := range []string{"a.test", "b.test", "c.test"} {
		if most := r.mostOf(host); most > perHost {
			b.t.Errorf("%d requests were open at %s, may be %d", most, host, perHost)
		}
	}
}

// wantAllTurns fails unless as many copies ask a host at a time as may.
func (b *bubble) wantAllTurns(perHost int) {
	b.t.Helper()
	b.origin.script(copiesIn(time.Second))
	for _, host := range []string{"a.test", "b.test", "c.test"} {
		b.origin.mu.Lock()
		clear(b.origin.most)
		b.origin.mu.Unlock()
		for i := range 8 {
			b.ask(fmt.Sprintf("https://%s/last/%d", host, i))
		}
		time.Sleep(time.Minute)
		if most := b.origin.mostOf(host); most != perHost && most != b.slots {
			b.t.Errorf("at the end %d requests are open at %s, want %d", most, host, min(perHost, b.slots))
		}
	}
}

// A job that needs turns of several hosts gets them together, although each of them
// has more to do than it can, and asks its origin few times.
func TestAJobOfSeveralBusyHosts(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"https://a.test/b/small/x", "https://b.test/a/small/x", "https://a.test/b/iso/x", "https://b.test/a/iso/x",
		"https://a.test/c/b/small/x", "https://b.test/c/a/small/x", "https://c.test/b/a/iso/x",
	} {
		t.Run(strings.ReplaceAll(strings.TrimPrefix(url, "https://"), "/", " "), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, withRandomOrigin(&randomOrigin{first: 500 * time.Millisecond}, func(o *copier.Options) {
					o.Limits.CopiesPerHost = 3
				}))
				ctx, stop := context.WithCancel(t.Context())
				var others sync.WaitGroup
				others.Go(func() {
					for i := 0; pause(ctx, time.Second) == nil; i++ {
						for _, host := range []string{"a", "b", "c"} {
							for j := range 6 {
								b.ask(fmt.Sprintf("https://%s.test/small/%d-%d", host, i, j))
							}
						}
					}
				})
				time.Sleep(20 * time.Second)
				began := time.Now()
				e := b.wait(url, 10*time.Minute)
				t.Logf("%s after %v and %d requests", e.State, time.Since(began), b.origin.askedFor(url))
				if e.State != cache.Present || b.origin.askedFor(url) > 4 {
					t.Errorf("it is %s after %v and %d requests", e.State, time.Since(began), b.origin.askedFor(url))
				}
				stop()
				others.Wait()
			})
		})
	}
}
