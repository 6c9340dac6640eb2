package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
)

// A drip is the body of a connection that brings some bytes after some time, again
// and again until it breaks.
type drip struct {
	bytes  int
	every  time.Duration
	breaks int           // after so many times; 0: never
	opens  time.Duration // how long the next connection takes to answer
	first  int           // bytes that come at once, before the others
}

type dripping struct {
	drip
	times int
	ctx   context.Context
}

func (d *dripping) Read(p []byte) (int, error) {
	if n := min(d.first, len(p)); n > 0 {
		d.first -= n
		return n, nil
	}
	if d.times++; d.breaks > 0 && d.times > d.breaks {
		return 0, io.ErrUnexpectedEOF
	}
	select {
	case <-time.After(d.every):
		return min(d.bytes, len(p)), nil
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
}

func (d *dripping) Close() error { return nil }

const drippingBytes = 1 << 40

// newDrippingBody returns the body of a large object whose connections drip.
func newDrippingBody(t *testing.T, o Options, d drip) *body {
	t.Helper()
	object, err := cloudmirror.ParseObject("https://origin.test/object?secret=1")
	if err != nil {
		t.Fatal(err)
	}
	connect := func(ctx context.Context, from, until int64) *stream {
		ctx, cancel := context.WithCancelCause(ctx)
		return &stream{object: object, ctx: ctx, cancel: cancel, leave: func() {}, response: &http.Response{
			StatusCode: http.StatusPartialContent, ProtoMajor: 1, ProtoMinor: 1, ContentLength: until - from,
			Header: http.Header{
				"Etag": {`"one"`}, "Accept-Ranges": {"bytes"},
				"Content-Range": {fmt.Sprintf("bytes %d-%d/%d", from, until-1, drippingBytes)},
			},
			Body: &dripping{drip: d, ctx: ctx},
		}}
	}
	b, failure := newBody(t.Context(), exchange{client: New(o), object: object, trail: new(trail)}, connect(t.Context(), 0, drippingBytes))
	if failure != nil {
		t.Fatal(failure)
	}
	b.open = func(ctx context.Context, r *byteRange) (*stream, error) {
		time.Sleep(d.opens)
		if r.until < 0 {
			return connect(ctx, r.offset, drippingBytes), nil
		}
		return connect(ctx, r.offset, r.until), nil
	}
	return b
}

// readFor reads for a time, with a pause after each read, and returns the error that
// ended it and when.
func readFor(limit time.Duration, from io.Reader, pause time.Duration) (time.Duration, error) {
	began, p := time.Now(), make([]byte, 256<<10)
	for time.Since(began) < limit {
		if _, err := from.Read(p); err != nil {
			return time.Since(began), err
		}
		time.Sleep(pause)
	}
	return time.Since(began), nil
}

func TestTheLeastThroughput(t *testing.T) {
	tests := map[string]struct {
		options Options
		drip    drip
		pause   time.Duration // of the caller, after each read
		fails   time.Duration // after; 0: reads on for an hour
		says    string
	}{
		"a byte every 5 s": {
			drip: drip{bytes: 1, every: 5 * time.Second}, fails: 30 * time.Second,
			says: "it sent 6 bytes in 30s, and at least 1024 bytes a second are asked for",
		},
		"just below":          {drip: drip{bytes: 1023, every: time.Second}, fails: 30 * time.Second, says: "30690 bytes in 30s"},
		"just enough":         {drip: drip{bytes: 1024, every: time.Second}},
		"a beginning at once": {drip: drip{bytes: 1, every: 5 * time.Second, first: 1 << 20}, fails: time.Minute, says: "6 bytes in 30s"},
		"a caller that reads little": {
			drip: drip{bytes: 1024, every: time.Second}, pause: 10 * time.Second,
		},
		"a slow origin and a caller that reads little": {
			drip: drip{bytes: 1, every: 5 * time.Second}, pause: 5 * time.Second,
			fails: 55 * time.Second, says: "6 bytes in 30s",
		},
		"connections that break, with progress, and are slow to come": {
			drip:  drip{bytes: minProgressBytes, every: time.Second, breaks: 1, opens: 150 * time.Second},
			fails: 152*time.Second + defaultResumeDelay, says: "131072 bytes in 2m32s",
		},
		"connections that break and come again": {
			drip: drip{bytes: minProgressBytes, every: time.Second, breaks: 1, opens: 20 * time.Second},
		},
		"another rate": {
			options: Options{MinBytesPerSecond: 100, MinRateOver: 10 * time.Second},
			drip:    drip{bytes: 99, every: time.Second}, fails: 10 * time.Second, says: "990 bytes in 10s, and at least 100",
		},
		"none": {options: Options{MinBytesPerSecond: -1}, drip: drip{bytes: 1, every: 5 * time.Second}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newDrippingBody(t, test.options, test.drip)
				defer b.Close()
				took, err := readFor(time.Hour, b, test.pause)
				if test.fails == 0 {
					if err != nil {
						t.Fatalf("after %v: %v", took, err)
					}
					return
				}
				wantTooSlow(t, err, test.says)
				if took != test.fails {
					t.Errorf("it failed after %v, want %v", took, test.fails)
				}
			})
		})
	}
}

func wantTooSlow(t *testing.T, err error, says string) {
	t.Helper()
	if !errors.Is(err, ErrTooSlow) {
		t.Fatalf("it ends with %v", err)
	}
	f := cloudmirror.AsFailure(err)
	if f.Code != cloudmirror.CodeOriginTimeout || f.Permanent || f.Origin != "" {
		t.Errorf("it fails with %+v", f)
	}
	if !strings.Contains(f.Message, says) || strings.Contains(f.Error(), "secret") {
		t.Errorf("the failure says %q, want %q in its message and no query", f.Error(), says)
	}
}

// Each connection of a body that is read over several is held to the least
// throughput.
func TestTheLeastThroughputOfSections(t *testing.T) {
	tests := map[string]struct {
		drip  drip
		fails bool
	}{
		"a byte every 5 s": {drip{bytes: 1, every: 5 * time.Second}, true},
		"just enough":      {drip{bytes: 1024, every: time.Second}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newDrippingBody(t, Options{}, test.drip)
				defer b.Close()
				sections := &Sections{body: b, limit: 8, open: 1, changed: make(chan struct{})}
				section := sections.newSection(t.Context(), 1<<20, 1<<30)
				section.open = b.open
				took, err := readFor(time.Hour, section, 0)
				switch {
				case !test.fails && err != nil:
					t.Errorf("after %v: %v", took, err)
				case test.fails:
					wantTooSlow(t, err, "6 bytes in 30s")
				}
			})
		})
	}
}

// An origin that sends nothing at all is idle, and its host is to blame for it.
func TestASilentOriginIsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newDrippingBody(t, Options{}, drip{bytes: 1, every: time.Hour})
		defer b.Close()
		b.ranges = false
		took, err := readFor(time.Hour, b, 0)
		if f := cloudmirror.AsFailure(err); took != defaultIdleTimeout || errors.Is(err, ErrTooSlow) ||
			f.Code != cloudmirror.CodeOriginTimeout || f.Origin != "https://origin.test" {
			t.Errorf("after %v it fails with %+v", took, f)
		}
	})
}
