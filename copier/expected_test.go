package copier_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/copier"
	"cloudmirror/engine"
	"cloudmirror/origin"
	"cloudmirror/origin/origintest"
	"cloudmirror/queue"
	"cloudmirror/storage"
)

func TestACopyIsMadeOfTheExpectedBytesOnly(t *testing.T) {
	t.Parallel()
	const url, content = "https://host.test/x", "the bytes of the object"
	digest := sha256.Sum256([]byte(content))
	right := queue.Order{SizeBytes: int64(len(content)), SHA256: hex.EncodeToString(digest[:])}
	for name, test := range map[string]struct {
		order queue.Order
		code  cloudmirror.Code // "": the object is copied
	}{
		"nothing":                 {queue.Order{}, ""},
		"the size":                {queue.Order{SizeBytes: right.SizeBytes}, ""},
		"the digest":              {queue.Order{SHA256: right.SHA256}, ""},
		"both":                    {right, ""},
		"fewer bytes":             {queue.Order{SizeBytes: right.SizeBytes - 1, SHA256: right.SHA256}, cloudmirror.CodeObjectChanged},
		"more bytes":              {queue.Order{SizeBytes: right.SizeBytes + 1}, cloudmirror.CodeObjectChanged},
		"another digest":          {queue.Order{SHA256: strings.Repeat("0a", 32)}, cloudmirror.CodeDigestMismatch},
		"the size of other bytes": {queue.Order{SizeBytes: right.SizeBytes, SHA256: strings.Repeat("0a", 32)}, cloudmirror.CodeDigestMismatch},
	} {
		for _, announced := range []int64{-1, right.SizeBytes} {
			t.Run(fmt.Sprintf("%s, announced are %d bytes", name, announced), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					digesting := &forgetfulStorage{stored: map[string]storage.Info{}, digests: true}
					b := newBubbleOn(t, digesting, func(o *copier.Options) { o.Origin = announcing{o.Origin.(*scriptedOrigin), announced} })
					b.origin.script(func(context.Context, cloudmirror.Object) (io.Reader, error) {
						return bytes.NewReader([]byte(content)), nil
					})
					w := want(t, url)
					w.Order = &test.order
					if _, err := b.engine.Wait(t.Context(), w, engine.Patience{}); err != nil {
						t.Fatal(err)
					}
					e := b.after(100*time.Millisecond, url)
					switch {
					case test.code == "" && e.State != cache.Present:
						t.Errorf("the entry is %+v: %+v, want a copy", e, e.Failure)
					case test.code != "" && (e.State != cache.Failed || e.Failure.Code != test.code || e.Failure.Permanent):
						t.Errorf("the entry is %+v: %+v, want the transient failure %s", e, e.Failure, test.code)
					case test.code != "" && b.stored(url):
						t.Error("the other object's bytes were stored")
					}
				})
			})
		}
	}
}

// An announcing origin says how many bytes follow.
type announcing struct {
	*scriptedOrigin
	bytes int64
}

func (a announcing) Get(ctx context.Context, rules origin.Rules, o cloudmirror.Object) (*origin.Response, error) {
	response, err := a.scriptedOrigin.Get(ctx, rules, o)
	if err == nil {
		response.SizeBytes = a.bytes
	}
	return response, err
}

// A digest is that of the bytes in their order, so one connection reads them.
func TestALargeObjectIsTheExpectedOne(t *testing.T) {
	t.Parallel() // it waits in real time
	sum := sha256.Sum256(origintest.Bytes("/large", largeBytes))
	for name, test := range map[string]struct {
		order       queue.Order
		connections int64 // 0: the object is not copied
	}{
		"the size":     {queue.Order{SizeBytes: largeBytes}, 4},
		"the digest":   {queue.Order{SHA256: hex.EncodeToString(sum[:])}, 1},
		"another size": {queue.Order{SizeBytes: largeBytes - 1}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newSectionedWorld(t)
			w.origin.Set("/large", origintest.Behaviour{SizeBytes: largeBytes, BytesPerSecond: 4 << 20})
			w.startWith(func(o *copier.Options) { o.Connections = 4 })
			wanted := w.want("/large")
			wanted.Order = &test.order
			if _, err := w.engine.Wait(t.Context(), wanted, engine.Patience{}); err != nil {
				t.Fatal(err)
			}
			if test.connections == 0 {
				w.eventually("the try has failed", func() bool { return w.metric("retry") > 0 })
				return
			}
			w.wantLarge("/large")
			if n := int64(w.origin.MostStreams("/large")); n < test.connections || n > 1 && test.connections == 1 {
				t.Errorf("%d connections at once, want %d", n, test.connections)
			}
		})
	}
}

// TestAJobThatIsPutBackKeepsWhatItSays has a job put back that waits for its host at
// a stop.
func TestAJobThatIsPutBackKeepsWhatItSays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) { o.Limits.CopiesPerHost = 1 })
		b.origin.script(copiesIn(time.Hour))
		b.ask("https://host.test/busy")
		b.settle()
		job, err := queue.DecodeJob(fmt.Appendf(nil, `{"from_a_later_version":9,"version":1,"id":"waits","url":"https://host.test/x",`+
			`"backend":"%s","generation":"0","priority":2,"reason":"popular","sources":["https://copies.test/x"]}`, backendID))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.queue.Send(t.Context(), job, 0); err != nil {
			t.Fatal(err)
		}
		b.settle()
		b.stop()
		deliveries, err := b.queue.Receive(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range deliveries {
			if d.Job.ID != job.ID {
				continue
			}
			if d.Receives != 1 || d.Body != string(job.Encode()) {
				t.Errorf("receive %d is of %s, want the first one of %s", d.Receives, d.Body, job.Encode())
			}
			return
		}
		t.Errorf("%d messages are in the queue, want the job among them", len(deliveries))
	})
}
