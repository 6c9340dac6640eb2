package copier_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/copier"
)

// redirectsTo has every host but those that begin with cdn redirect there.
func redirectsTo(host string) func(cloudmirror.Object) string {
	return func(o cloudmirror.Object) (to string) {
		if !strings.HasPrefix(o.Host(), "cdn") {
			to = "https://" + host + "/" + o.Host()
		}
		return to
	}
}

// Requests count, and not bodies only: a host that takes its time to answer has no
// more of them than one that is asked directly.
func TestManyHostsThatRedirectToOne(t *testing.T) {
	t.Parallel()
	const objects = 40
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) { o.Concurrency = 64 })
		b.origin.redirect = redirectsTo("cdn.test")
		b.origin.script(copiesIn(2 * time.Second))
		for i := range objects {
			b.ask(fmt.Sprintf("https://host%d.test/", i)) // no client waits for it
		}
		time.Sleep(10 * time.Minute)
		for i := range objects {
			if e := b.entry(fmt.Sprintf("https://host%d.test/", i)); e.State != cache.Present {
				t.Errorf("object %d is %+v: %+v", i, e, e.Failure)
			}
		}
		if most := b.origin.mostOf("cdn.test"); most != 8 {
			t.Errorf("%d requests were open at the host that answers, want 8", most)
		}
		if n := len(b.origin.timesOf("https://cdn.test")); n != objects || b.origin.asked() > 4*objects {
			t.Errorf("it was asked %d times, want %d; the others were asked %d times", n, objects, b.origin.asked())
		}
	})
}

// A flood of jobs that their host redirects to a busy one waits for its turn, and
// does not ask again and again.
func TestAFloodThatIsRedirected(t *testing.T) {
	t.Parallel()
	const objects = 200
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		b.origin.redirect = redirectsTo("cdn.test")
		b.origin.script(copiesIn(time.Second))
		for i := range objects {
			b.ask(fmt.Sprintf("https://host.test/%d", i))
		}
		for i := range objects {
			if e := b.wait(fmt.Sprintf("https://host.test/%d", i), time.Hour); e.State != cache.Present {
				t.Fatalf("object %d is %+v", i, e)
			}
		}
		if n := len(b.origin.timesOf("https://host.test")); n != objects || b.origin.mostOf("cdn.test") != 8 {
			t.Errorf("%d requests for %d objects, %d of them at a time", n, objects, b.origin.mostOf("cdn.test"))
		}
	})
}

// Objects that drip hold all turns of their host for hours. Jobs that it, or another
// host, sends there rest ever longer: they are no flood of messages, nor one of
// requests at a host whose redirects strangers choose.
func TestAFloodBehindTurnsThatDoNotEnd(t *testing.T) {
	t.Parallel()
	const objects = 400
	for _, host := range []string{"drip.test", "open-redirect.test"} {
		t.Run(host, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, nil)
				b.origin.redirect = func(o cloudmirror.Object) (to string) {
					if path, found := strings.CutPrefix(o.URL(), "https://open-redirect.test/"); found {
						to = "https://drip.test/redirected/" + path
					}
					return to
				}
				b.origin.script(drips(drip{bytes: 4 << 10, every: 2 * time.Second}))
				for i := range 8 {
					b.ask(fmt.Sprintf("https://drip.test/first/%d", i))
				}
				b.settle()
				for i := range objects {
					b.ask(fmt.Sprintf("https://%s/%d", host, i))
				}
				time.Sleep(10 * time.Minute)
				if sent := b.queue.sends(); sent > 20*objects {
					t.Errorf("%d messages were sent for %d jobs", sent, objects)
				}
				if asked := len(b.origin.timesOf("https://open-redirect.test")); asked > 6*objects {
					t.Errorf("the host that redirects was asked %d times for %d objects", asked, objects)
				}
			})
		})
	}
}

func TestHostsThatRedirectToEachOther(t *testing.T) {
	t.Parallel()
	const objects = 20
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) { o.Limits.CopiesPerHost, o.Concurrency = 1, 50 })
		b.origin.took = 10 * time.Millisecond
		b.origin.redirect = func(o cloudmirror.Object) string {
			switch url := o.URL(); {
			case strings.HasSuffix(url, "?there"):
				return ""
			case o.Host() == "a.test":
				return strings.Replace(url, "a.test", "b.test", 1) + "?there"
			}
			return strings.Replace(o.URL(), "b.test", "a.test", 1) + "?there"
		}
		b.origin.script(copiesIn(time.Second))
		for i := range objects {
			b.ask(fmt.Sprintf("https://a.test/%d", i))
			b.ask(fmt.Sprintf("https://b.test/%d", i))
		}
		began := time.Now()
		for i := range 2 * objects {
			url := fmt.Sprintf("https://%c.test/%d", 'a'+i%2, i/2)
			if e := b.wait(url, time.Hour); e.State != cache.Present {
				t.Errorf("%s is %+v: %+v", url, e, e.Failure)
			}
		}
		t.Logf("%d copies took %v, and %d tries", 2*objects, time.Since(began), b.origin.asked())
		if took := time.Since(began); took > 20*time.Minute {
			t.Errorf("all copies took %v", took)
		}
		for _, host := range []string{"a.test", "b.test"} {
			if most := b.origin.mostOf(host); most != 1 {
				t.Errorf("%d requests were open at %s, want 1", most, host)
			}
		}
	})
}

// A host behind redirects that is down is paused, and the hosts before it are not.
func TestAPausedHostBehindOthers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		failure cloudmirror.Failure
		before  int
		every   time.Duration
	}{
		"it is down":   {unreachable(), 5, 5 * time.Second},
		"it limits us": {limited(), 3, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, nil)
				b.origin.redirect = redirectsTo("cdn.test")
				b.origin.script(fails(tt.failure))
				for i := range 100 {
					url := fmt.Sprintf("https://host%d.test/", i)
					b.ask(url)
					synctest.Wait()
					if e := b.entry(url); i >= tt.before && e.Failure.Code != cloudmirror.CodeOriginPaused {
						t.Fatalf("object %d is %+v: %+v", i, e, e.Failure)
					}
				}
				if n := len(b.origin.timesOf("https://cdn.test")); n != tt.before || b.value("cloudmirror_origin_hosts_paused") != 1 {
					t.Errorf("it was asked %d times, want %d; %v hosts are paused", n, tt.before, b.value("cloudmirror_origin_hosts_paused"))
				}
				b.origin.script(copiesIn(0))
				if time.Sleep(tt.every + time.Second); b.wait("https://more.test/", time.Hour).State != cache.Present {
					t.Error("it is not copied when the host is well again")
				}
			})
		})
	}
}

// An address that is signed anew each time names the same object: one that fails
// does not pause its host, whichever host redirects there.
func TestSignedAddressesAreOneObject(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		b.origin.redirect = func(o cloudmirror.Object) (to string) {
			if o.Host() != "cdn.test" {
				to = "https://cdn.test/object?signature=" + o.Host()
			}
			return to
		}
		b.origin.script(fails(unreachable()))
		for i := range 10 {
			b.ask(fmt.Sprintf("https://host%d.test/", i))
			synctest.Wait()
		}
		if n := b.value("cloudmirror_origin_hosts_paused"); n != 0 {
			t.Errorf("%v hosts are paused", n)
		}
	})
}

// The turns of a copy's hosts are free when it ends, however it ends.
func TestTurnsOfHopsAreGivenBack(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(context.Context, cloudmirror.Object) (io.Reader, error){
		"a copy":    copiesIn(0),
		"a failure": fails(cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 404, Permanent: true}),
		"a body that breaks": func(context.Context, cloudmirror.Object) (io.Reader, error) {
			return io.MultiReader(bytes.NewReader(make([]byte, 10)), brokenReader{}), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, func(o *copier.Options) { o.Limits.CopiesPerHost = 1 })
				b.origin.redirect = redirectsTo("cdn.test")
				b.origin.script(answer)
				for i := range 3 {
					b.ask(fmt.Sprintf("https://host%d.test/", i))
					synctest.Wait()
				}
				if n := len(b.origin.timesOf("https://cdn.test")); n != 3 {
					t.Errorf("the host was asked %d times, want 3", n)
				}
			})
		})
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) {
	return 0, &cloudmirror.Failure{Code: cloudmirror.CodeOriginTruncated}
}
