package monitor_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"cloudmirror"
	"cloudmirror/monitor"
	"cloudmirror/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var east = cloudmirror.BackendID{Service: "s3", Region: "us-east-1"}

// linked is a storage that only has addresses.
type linked struct {
	storage.Provider
	base string
}

func (l linked) URL(_ context.Context, key, method string) (storage.Link, error) {
	return storage.Link{URL: l.base + "/" + key + "?signature=secret&method=" + method}, nil
}

// A region is a server of copies that answers as it is told, with a monitor that
// watches it.
type region struct {
	t        *testing.T
	probes   chan *http.Request
	statuses chan int // the answer to each probe; 0: none
	backend  *monitor.Backend
	registry *prometheus.Registry
	logs     *observer.ObservedLogs
}

const failures = 3

func watch(t *testing.T, base string, timeout time.Duration) *region {
	r := &region{t: t, probes: make(chan *http.Request), statuses: make(chan int), registry: prometheus.NewRegistry()}
	stopped := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		status := 0
		select {
		case r.probes <- request:
			select {
			case status = <-r.statuses:
			case <-stopped:
			}
		case <-stopped:
		}
		if status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	if base == "" {
		base = server.URL
	}
	core, logs := observer.New(zap.InfoLevel)
	r.logs = logs
	m := monitor.New(monitor.Options{
		Storages: map[cloudmirror.BackendID]storage.Provider{east: linked{base: base}},
		Interval: time.Millisecond, Timeout: timeout, Failures: failures,
		Logger: zap.New(core), Registerer: r.registry,
	})
	r.backend = m.Backend(east)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); m.Run(ctx) }()
	t.Cleanup(func() { cancel(); close(stopped); <-done })
	return r
}

// answer answers n probes with a status, and waits until the monitor has judged
// them, which it has when the next one comes.
func (r *region) answer(status, n int) {
	for range n {
		r.statuses <- status
		<-r.probes
	}
}

func (r *region) check(reachable bool) {
	r.t.Helper()
	if got := r.backend.Reachable(); got != reachable {
		r.t.Errorf("reachable %v, want %v", got, reachable)
	}
	want := map[bool]string{true: "1", false: "0"}[reachable]
	if err := testutil.GatherAndCompare(r.registry, strings.NewReader(`
# HELP cloudmirror_region_reachable 1 if the addresses of a backend's copies answer, seen from this process; 0 while its clients are sent to the origin.
# TYPE cloudmirror_region_reachable gauge
cloudmirror_region_reachable{region="us-east-1",service="s3"} `+want+`
`)); err != nil {
		r.t.Error(err)
	}
	if err := r.backend.Check(r.t.Context()); (err == nil) != reachable || err != nil && strings.Contains(err.Error(), "secret") {
		r.t.Errorf("check: %v", err)
	}
}

func TestAnswersThatCount(t *testing.T) {
	for status, reachable := range map[int]bool{200: true, 302: true, 400: true, 403: true, 404: true, 429: true, 500: false, 503: false, 0: false} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			r := watch(t, "", time.Minute)
			<-r.probes
			r.answer(status, failures)
			r.check(reachable)
		})
	}
}

func TestTransitions(t *testing.T) {
	r := watch(t, "", time.Minute)
	<-r.probes
	r.answer(404, 1)
	r.check(true)
	r.answer(0, failures-1)
	r.check(true)
	r.answer(0, 1)
	r.check(false)
	r.answer(0, 5)
	r.check(false)
	r.answer(404, 1)
	r.check(true)
	r.answer(500, failures-1)
	r.answer(404, 1)
	r.answer(500, failures-1)
	r.check(true) // they were not in a row
	if lines := r.logs.All(); len(lines) != 2 || lines[0].Level != zap.WarnLevel || lines[1].Level != zap.InfoLevel {
		t.Errorf("log: %v, want one line for each change", lines)
	}
}

func TestTheProbeIsAClients(t *testing.T) {
	r := watch(t, "", time.Minute)
	first := <-r.probes
	r.statuses <- 302
	second := <-r.probes
	if second.URL.Path != first.URL.Path {
		t.Errorf("then %s: a redirect is an answer, and not followed", second.URL.Path)
	}
	if first.Method != http.MethodGet || first.URL.Query().Get("method") != http.MethodGet {
		t.Errorf("%s %s, want a GET of an address for GET", first.Method, first.URL)
	}
	if !strings.HasPrefix(first.URL.Path, "/"+strings.Repeat("0", 64)+"/0/") {
		t.Errorf("path %s, want one like that of a copy", first.URL.Path)
	}
	if first.RemoteAddr == second.RemoteAddr {
		t.Error("two probes share a connection, which says nothing of new ones")
	}
}

func TestNobodyAnswers(t *testing.T) {
	for _, listens := range []bool{true, false} {
		t.Run(fmt.Sprintf("listening %v", listens), func(t *testing.T) {
			listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			if !listens {
				listener.Close()
			}
			r := watch(t, "http://"+listener.Addr().String(), 20*time.Millisecond)
			for r.backend.Reachable() {
				runtime.Gosched()
			}
			r.check(false)
		})
	}
}

func TestOthersAreNotWatched(t *testing.T) {
	m := monitor.New(monitor.Options{Logger: zap.NewNop()})
	if m.Backend(east) != nil {
		t.Error("a backend is known that nobody named")
	}
}
