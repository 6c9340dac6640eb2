package monitor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/storage"
)

// Options are what a Monitor is made of.
type Options struct {
	Storages map[cloudmirror.BackendID]storage.Provider // the ones to watch

	Interval time.Duration // between the beginnings of two probes; more than 0
	Timeout  time.Duration // of one probe; at most Interval
	Failures int           // in a row make a backend unreachable; at least 1

	Logger     *zap.Logger
	Registerer prometheus.Registerer // nil: metrics are not exported
}

// A Monitor probes backends. It is safe for concurrent use.
type Monitor struct {
	options  Options
	client   *http.Client
	backends map[cloudmirror.BackendID]*Backend
}

// New returns a Monitor to which all backends are reachable until Run has found
// otherwise.
func New(o Options) *Monitor {
	m := &Monitor{
		options: o,
		client: &http.Client{
			// A connection of its own for each probe, as new clients need one, and
			// not through the environment's proxy, which they do not use.
			Transport:     &http.Transport{DisableKeepAlives: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		backends: make(map[cloudmirror.BackendID]*Backend, len(o.Storages)),
	}
	gauge := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "cloudmirror_region_reachable",
		Help: "1 if the addresses of a backend's copies answer, seen from this process; 0 while its clients are sent to the origin.",
	}, []string{"service", "region"})
	for id, provider := range o.Storages {
		b := &Backend{id: id, storage: provider, gauge: gauge.WithLabelValues(id.Service, id.Region)}
		b.gauge.Set(1)
		m.backends[id] = b
	}
	if o.Registerer != nil {
		o.Registerer.MustRegister(gauge)
	}
	return m
}

// Backend returns what is known of a backend, or nil if it is not watched.
func (m *Monitor) Backend(id cloudmirror.BackendID) *Backend { return m.backends[id] }

// Run probes until ctx ends.
func (m *Monitor) Run(ctx context.Context) {
	var probes sync.WaitGroup
	for _, b := range m.backends {
		probes.Go(func() { m.watch(ctx, b) })
	}
	probes.Wait()
}

func (m *Monitor) watch(ctx context.Context, b *Backend) {
	tick := time.NewTicker(m.options.Interval)
	defer tick.Stop()
	failures := 0
	for {
		err := m.probe(ctx, b)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			failures = 0
		} else {
			failures++
		}
		if err == nil || failures >= m.options.Failures {
			m.note(b, err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// note keeps what is found of a backend, and logs it if that is news.
func (m *Monitor) note(b *Backend, err error) {
	before := b.failure.Load()
	if err == nil {
		b.failure.Store(nil)
		b.gauge.Set(1)
	} else {
		b.failure.Store(&err)
		b.gauge.Set(0)
	}
	switch {
	case err != nil && before == nil:
		m.options.Logger.Warn("copies cannot be fetched; clients are sent to the origin", zap.Stringer("backend", b.id), zap.Error(err))
	case err == nil && before != nil:
		m.options.Logger.Info("copies can be fetched again", zap.Stringer("backend", b.id))
	}
}

// probeKey returns a key of the form of copies that no object has.
func probeKey() string {
	return strings.Repeat("0", 64) + "/" + string(cloudmirror.FirstGeneration) + "/probe"
}

// probe asks for a copy that is not there.
func (m *Monitor) probe(ctx context.Context, b *Backend) error {
	ctx, cancel := context.WithTimeout(ctx, m.options.Timeout)
	defer cancel()
	link, err := b.storage.URL(ctx, probeKey(), http.MethodGet)
	if err != nil {
		return fmt.Errorf("monitor: make the address of a copy: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, link.URL, nil)
	if err != nil {
		return errors.New("monitor: the address of a copy is no URL") // it may hold a signature
	}
	response, err := m.client.Do(request)
	if err != nil {
		return fmt.Errorf("monitor: probe %s: %w", request.URL.Host, cloudmirror.At(request.URL.Host, withoutURL(err)))
	}
	_ = response.Body.Close()
	if response.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("monitor: probe: %w", cloudmirror.At(request.URL.Host, fmt.Errorf("status %d", response.StatusCode)))
	}
	return nil
}

// withoutURL returns an error of an HTTP client without the request's URL, which
// may be signed.
func withoutURL(err error) error {
	if wrapped := errors.Unwrap(err); wrapped != nil {
		return wrapped
	}
	return err
}

// A Backend is what a Monitor knows of one backend. It is safe for concurrent
// use.
type Backend struct {
	id      cloudmirror.BackendID
	storage storage.Provider
	gauge   prometheus.Gauge
	failure atomic.Pointer[error] // nil: reachable
}

// Reachable reports whether clients can fetch copies.
func (b *Backend) Reachable() bool { return b.failure.Load() == nil }

// Check returns why they cannot, or nil.
func (b *Backend) Check(context.Context) error {
	if err := b.failure.Load(); err != nil {
		return *err
	}
	return nil
}
