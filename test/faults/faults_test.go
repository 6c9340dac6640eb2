package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cloudmirror/test/lab"
)

var faultEnd = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// at returns a good hit of a region, begun some time after the end of the fault.
func at(region string, begun time.Duration) record {
	r := record{item: hotItem(region, 0), begun: faultEnd.Add(begun), asked: time.Millisecond, outcome: right, where: "copy", cache: "cloudmirror; hit; ttl=9"}
	r.ended = r.begun.Add(2 * time.Millisecond)
	return r
}

func with(r record, change func(*record)) record {
	change(&r)
	return r
}

func TestHitsAgain(t *testing.T) {
	fallback := func(r *record) { r.where = "origin" }
	tests := []struct {
		name    string
		records []record
		want    time.Duration
		known   bool
	}{
		{"never disturbed", []record{at("eu", 1), at("us", 1)}, 0, true},
		{"nothing of one region yet", []record{at("eu", 1)}, 0, false},
		{"a region that was asked for before the end only", []record{at("eu", -time.Second), at("us", 1)}, 0, false},
		{"a fallback after the end", []record{at("eu", 1), with(at("eu", time.Second), fallback), at("eu", 2*time.Second), at("us", 1)}, time.Second + 2*time.Millisecond, true},
		{"still falling back", []record{at("eu", 1), with(at("eu", time.Second), fallback), at("us", 1)}, time.Second + 2*time.Millisecond, false},
		{"one late answer among many", append(slices.Repeat([]record{at("eu", 1), at("us", 1)}, 10), with(at("eu", 1), func(r *record) { r.asked = 2 * hitLimit })), 0, true},
		{"a backfill is not as before", []record{with(at("eu", 0), func(r *record) { r.cache += "; detail=backfill" }), at("eu", time.Second), at("us", 1)}, 2 * time.Millisecond, true},
		{"slow is not as before", []record{with(at("eu", 0), func(r *record) { r.asked = 2 * hitLimit }), at("eu", time.Second), at("us", 1)}, 2 * time.Millisecond, true},
		{"what ended before the end of the fault does not count", []record{with(at("eu", -time.Second), fallback), at("eu", 1), at("us", 1)}, 0, true},
		{"records in any order", []record{at("us", 1), at("eu", 2*time.Second), with(at("eu", time.Second), fallback)}, time.Second + 2*time.Millisecond, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, known := hitsAgain(tt.records, faultEnd)
			if got.Sub(faultEnd) != tt.want || known != tt.known {
				t.Errorf("%v, %t, want %v, %t", got.Sub(faultEnd), known, tt.want, tt.known)
			}
		})
	}
}

func TestCopiesAgain(t *testing.T) {
	created := func(path string) func(*record) {
		return func(r *record) { r.item.kind, r.item.path = fresh, path }
	}
	eu, us := with(at("eu", time.Second), created("/eu/1")), with(at("us", 2*time.Second), created("/us/1"))
	if got, ok := copiesAgain([]record{eu, us}, faultEnd); !ok || got != us.ended {
		t.Errorf("both regions: %v, %t, want the later of the two", got, ok)
	}
	if _, ok := copiesAgain([]record{eu}, faultEnd); ok {
		t.Error("one region is enough")
	}
	if _, ok := copiesAgain([]record{eu, us, with(at("us", -time.Second), created("/us/1"))}, faultEnd); ok {
		t.Error("an object that was asked for during the fault proves a copy")
	}
	if _, ok := copiesAgain([]record{eu, with(us, func(r *record) { r.where = "origin" })}, faultEnd); ok {
		t.Error("a fallback proves a copy")
	}
}

func TestJudgeBreaksPromises(t *testing.T) {
	good := []record{at("eu", 1), at("us", 1), at("eu", 2), at("us", 2), with(at("eu", 1), func(r *record) { r.item.kind, r.item.path = fresh, "/1" }), with(at("us", 1), func(r *record) { r.item.kind, r.item.path = fresh, "/2" })}
	tests := []struct {
		name string
		bad  record
		more func(*result)
		want string // "" is green
	}{
		{"all right", at("eu", 2), nil, ""},
		{"wrong bytes", with(at("eu", 2), func(r *record) { r.item.kind, r.outcome = big, wrong }), nil, "1 wrong answers"},
		{"no answer", with(at("eu", 2), func(r *record) { r.item.kind, r.outcome = big, hang }), nil, "1 wrong answers"},
		{"5xx", with(at("eu", 2), func(r *record) { r.item.kind, r.outcome = big, serverErr }), nil, "1 times 5xx"},
		{"a dead copy that nobody could know of", with(at("eu", 2), func(r *record) { r.item.kind, r.outcome = big, deadCopy }), nil, ""},
		{"hits do not come back", with(at("eu", 2), func(r *record) { r.where = "origin" }), nil, "hits are not served"},
		{"two copies at once", at("eu", 2), func(r *result) { r.copies.AtOnce = 2 }, "2 copies of one object at once"},
		{"what the scenario found", at("eu", 2), func(r *result) { r.findings = []string{"a finding"} }, "a finding"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := result{records: append(append([]record(nil), good...), tt.bad), faultBegun: faultEnd, faultEnded: faultEnd}
			if tt.more != nil {
				tt.more(&r)
			}
			r.judge(scenario{})
			got := join(r.broken)
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("broken: %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDeadCopiesAreExcusedForTheWindowOnly(t *testing.T) {
	d := &deployment{dead: make(map[string]deadTime)}
	d.declareDead("eu", 5*time.Second)
	from := d.dead["eu"].from
	for _, tt := range []struct {
		region string
		asked  time.Duration
		want   bool
	}{{"eu", -time.Second, true}, {"eu", 4 * time.Second, true}, {"eu", 6 * time.Second, false}, {"us", 0, false}} {
		if got := d.isExcused(tt.region, from.Add(tt.asked)); got != tt.want {
			t.Errorf("%s after %v: %t, want %t", tt.region, tt.asked, got, tt.want)
		}
	}
}

// TestTheMiddleman passes on, flips and answers instead.
func TestTheMiddleman(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) }))
	defer upstream.Close()
	m, err := startMiddleman("127.0.0.1:0", strings.TrimPrefix(upstream.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	get := func() (int, string) {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://signed.example/", nil)
		m.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	if status, body := get(); status != http.StatusOK || body != "signed.example" {
		t.Errorf("passing on: %d %q", status, body)
	}
	m.flip.Store(true)
	if _, body := get(); body != "rigned.example" {
		t.Errorf("flipped: %q", body)
	}
	m.instead(slowDown)
	if status, body := get(); status != http.StatusServiceUnavailable || !strings.Contains(body, "<Code>SlowDown</Code>") {
		t.Errorf("slowed down: %d %q", status, body)
	}
}

// TestScenarios keeps names usable in -run, and the short run short.
func TestScenarios(t *testing.T) {
	seen, short := make(map[string]bool), 0
	for _, s := range scenarios() {
		if !regexp.MustCompile(`^[a-z0-9-]+$`).MatchString(s.name) || seen[s.name] || s.what == "" || s.fault == nil {
			t.Errorf("scenario %q: its name is bad or taken, or something is missing", s.name)
		}
		seen[s.name] = true
		if s.short {
			short++
		}
	}
	if short == 0 || short > 12 {
		t.Errorf("%d scenarios in the short run", short)
	}
}

func TestMemoryThatGrows(t *testing.T) {
	fresh := func() *history { return &history{role: &role{Process: &lab.Process{}}} }
	grows, steady, little := fresh(), fresh(), fresh()
	for i := range 100 {
		little.loaded = append(little.loaded, usage{10, float64(10+i/5) * (1 << 20)})
		grows.loaded = append(grows.loaded, usage{10, float64(50+i) * (1 << 20)})
		steady.loaded = append(steady.loaded, usage{10, float64(80+10*(i%7)) * (1 << 20)})
	}
	if broken := grows.judge(); len(broken) != 1 {
		t.Errorf("growing memory: %q", broken)
	}
	if broken := steady.judge(); len(broken) != 0 {
		t.Errorf("steady memory: %q", broken)
	}
	if broken := little.judge(); len(broken) != 0 {
		t.Errorf("some MiB more: %q", broken)
	}
	steady.idleAfter.goroutines = 11
	if broken := steady.judge(); len(broken) != 1 {
		t.Errorf("goroutines that stay: %q", broken)
	}
}

// TestAClientThatGetsNoAnswer gives up and says so.
func TestAClientThatGetsNoAnswer(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer silent.Close()
	d := &deployment{digests: digests{known: make(map[string][32]byte)}, originName: "127.0.0.1:1"}
	d.front.Store(&silent.URL)
	c := newClient(d)
	defer c.http.CloseIdleConnections()
	c.patience = 10 * time.Millisecond
	if r := c.get(context.Background(), hotItem("eu", 0)); r.outcome != hang {
		t.Errorf("outcome %s, want %s", r.outcome, hang)
	}
}
