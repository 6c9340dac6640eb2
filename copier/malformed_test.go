package copier_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/copier"
	"cloudmirror/origin/origintest"
)

// An answer that is no HTTP will be none again: one request, and a message that
// says so. What the origin repeats is neither in the log nor in the entry.
func TestAMalformedAnswerIsAskedForOnce(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	w := newWorld(t)
	w.origin.Set("/x", origintest.Behaviour{Raw: "HTTP/1.1 200 OK\r\nsig=planted%2Fsecret planted/secret\r\n\r\n"})
	stop := w.startWith(func(o *copier.Options) { o.Logger, o.Grace = zap.New(core), time.Second })
	e := w.wait("/x?sig=planted%2Fsecret")
	w.eventually("the message is gone", func() bool { c := w.counts(); return c.Ready+c.InFlight+c.Delayed == 0 })
	stop()
	if e.State != cache.Failed || e.Failure.Code != cloudmirror.CodeOriginMalformed || !e.Failure.Permanent ||
		!strings.Contains(e.Failure.Message, "a malformed header line") || w.counts().Dead != 0 {
		t.Errorf("the entry is %+v: %+v", e, e.Failure)
	}
	if n := w.origin.Count(http.MethodGet, "/x"); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	if strings.Contains(e.Failure.Cause, "planted") || !strings.Contains(e.Failure.Cause, "MIME header") {
		t.Errorf("the cause is %q", e.Failure.Cause)
	}
	lines := logs.FilterMessage("an object cannot be copied").All()
	if len(lines) != 1 || lines[0].Level != zap.InfoLevel || lines[0].ContextMap()["code"] != "OriginMalformed" || strings.Contains(lines[0].ContextMap()["error"].(string), "planted") {
		t.Errorf("the log has %v", lines)
	}
}

// Anyone may ask for what there is not, by URLs of 8 KiB.
func TestA404LeavesAShortLine(t *testing.T) {
	var out bytes.Buffer
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.Lock(zapcore.AddSync(&out)), zap.InfoLevel)
	w := newWorld(t)
	path := "/" + strings.Repeat("a", 8000)
	w.origin.Set(path, origintest.Behaviour{Status: http.StatusNotFound})
	stop := w.startWith(func(o *copier.Options) { o.Logger, o.Grace = zap.New(core), time.Second })
	e := w.wait(path)
	w.eventually("the message is gone", func() bool { c := w.counts(); return c.Ready+c.InFlight+c.Delayed == 0 })
	stop()
	if n := out.Len(); n == 0 || n > 2<<10 {
		t.Errorf("the log has %d bytes: %s", n, out.String())
	}
	if hash := w.want(path).Object.Hash(); !strings.Contains(out.String(), hash) {
		t.Errorf("the log does not tell which URL it was, by its hash %s: %s", hash, out.String())
	}
	if n := len(e.Failure.Cause); n == 0 || n > 1<<10 {
		t.Errorf("the cause has %d bytes", n)
	}
}
