package copier_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"cloudmirror/cache"
	"cloudmirror/copier"
	"cloudmirror/origin/origintest"
)

// Headers that are too long cost a copy nothing but themselves.
func TestACopyWithoutTheHeadersThatAreTooLong(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	w := newWorld(t)
	w.origin.Set("/long", origintest.Behaviour{SizeBytes: 100, Header: http.Header{
		"Content-Type": {"text/plain; secret=" + strings.Repeat("x", 8<<10)}, "X-Amz-Meta-Build": {"7"},
	}})
	stop := w.startWith(func(o *copier.Options) { o.Logger = zap.New(core) })
	e := w.wait("/long")
	if e.State != cache.Present {
		t.Fatalf("the entry is %+v, want a copy", e)
	}
	info, err := w.files.Stat(t.Context(), w.want("/long").Object.StorageKey(e.Generation))
	if err != nil || info.Header.Get("Content-Type") != "" || info.Header.Get("X-Amz-Meta-Build") != "7" {
		t.Errorf("stored headers %v, %v", info.Header, err)
	}
	stop()
	lines := logs.FilterFieldKey("names").All()
	if len(lines) != 1 || lines[0].Level != zap.DebugLevel {
		t.Fatalf("%d lines name headers, want one of debug", len(lines))
	}
	if diff := cmp.Diff([]any{"Content-Type"}, lines[0].ContextMap()["names"]); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	for _, line := range logs.All() {
		for name, value := range line.ContextMap() {
			if text, ok := value.(string); ok && strings.Contains(text, "secret") {
				t.Errorf("the log shows the value: %s=%.80s", name, text)
			}
		}
	}
}
