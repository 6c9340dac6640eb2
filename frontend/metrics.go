package frontend

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cloudmirror"
	"cloudmirror/api"
)

// An outcome is what came of a redirect request, as metrics count it.
type outcome int

const (
	outcomeHit      outcome = iota // to the copy, which the cache knew
	outcomeBackfill                // to the copy, which storage had
	outcomeMiss                    // to the copy, which was made meanwhile
	outcomeFallback                // to the origin
	outcomeDenied                  // refused: not a URL, not allowed, a loop
	outcomeError                   // an error
	outcomeGone                    // the client left before it was answered
	outcomeDirect                  // to the origin of an object that is never copied
	outcomes
)

// String returns the outcome as in the label of metrics.
func (o outcome) String() string {
	return [outcomes]string{
		outcomeHit: api.OutcomeHit, outcomeBackfill: api.OutcomeBackfill, outcomeMiss: api.OutcomeMiss, outcomeFallback: api.OutcomeFallback,
		outcomeDenied: api.OutcomeDenied, outcomeError: api.OutcomeError, outcomeGone: api.OutcomeGone, outcomeDirect: api.OutcomeDirect,
	}[o]
}

// A tally counts the redirect requests of one backend.
type tally [outcomes]atomic.Uint64

// buckets of the time that a redirect takes: from hits, which take much less
// than a millisecond, to waits.
func buckets() []float64 {
	return []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30, 60}
}

// metrics counts without looking labels up: the counters are the backends' own.
type metrics struct {
	unknown   tally // requests that name no backend
	durations [outcomes]prometheus.Observer

	tokenMissing, tokenWrong prometheus.Counter // requests that need a token
}

func newMetrics(registerer prometheus.Registerer, backends []*backend, waiters *atomic.Int64) (*metrics, error) {
	m := new(metrics)
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "cloudmirror_redirect_duration_seconds",
		Help:    "Time from a redirect request to its answer, by outcome.",
		Buckets: buckets(),
	}, []string{"outcome"})
	for o := range outcomes {
		m.durations[o] = duration.WithLabelValues(o.String())
	}
	unauthorized := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "cloudmirror_unauthorized_total",
		Help: "Requests that were not authorized, by the reason: the admin token is missing, or it is wrong.",
	}, []string{"reason"})
	m.tokenMissing, m.tokenWrong = unauthorized.WithLabelValues("missing"), unauthorized.WithLabelValues("wrong")
	if registerer == nil {
		return m, nil
	}
	collectors := []prometheus.Collector{duration, unauthorized, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cloudmirror_waiters",
		Help: "Requests that wait for copies now.",
	}, func() float64 { return float64(waiters.Load()) })}
	collectors = append(collectors, m.unknown.collectors(cloudmirror.BackendID{})...)
	for _, b := range backends {
		collectors = append(collectors, b.requests.collectors(b.id)...)
	}
	for _, c := range collectors {
		if err := registerer.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

func (t *tally) collectors(id cloudmirror.BackendID) []prometheus.Collector {
	collectors := make([]prometheus.Collector, outcomes)
	for o := range outcomes {
		collectors[o] = prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name:        "cloudmirror_redirects_total",
			Help:        "Redirect requests, by what came of them.",
			ConstLabels: prometheus.Labels{"service": id.Service, "region": id.Region, "outcome": o.String()},
		}, func() float64 { return float64(t[o].Load()) })
	}
	return collectors
}

// observe counts a redirect request; b is nil if it names no backend.
func (m *metrics) observe(b *backend, o outcome, took time.Duration) {
	t := &m.unknown
	if b != nil {
		t = &b.requests
	}
	t[o].Add(1)
	m.durations[o].Observe(took.Seconds())
}
