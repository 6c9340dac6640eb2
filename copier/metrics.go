package copier

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cloudmirror"
)

// A result is how a delivery ended, as cloudmirror_copies_total counts it.
type result string

const (
	resultCopied     result = "copied"      // the object was copied
	resultExists     result = "exists"      // there was a copy already
	resultDuplicate  result = "duplicate"   // another attempt was copying
	resultStale      result = "stale"       // overtaken by a purge or a failure
	resultFailed     result = "failed"      // for good: no such object, not allowed, …
	resultRetry      result = "retry"       // failed, and may be tried again
	resultPostponed  result = "postponed"   // not tried: its host is paused
	resultDeferred   result = "deferred"    // put off: too many jobs wait for its host, or copies ask one that it redirects to
	resultDead       result = "dead"        // in the dead letters
	resultLost       result = "lost"        // taken over or purged while copying
	resultHandedBack result = "handed_back" // given back to the queue: at a stop, while the cache or the storage is down, or because others brought more
	resultLeft       result = "left"        // left to be received again: neither its entry nor its queue could be told
)

// A deadReason is why a message went to the dead letters, as
// cloudmirror_dead_letters_total counts it.
type deadReason string

const (
	deadMalformed deadReason = "malformed" // it was no job
	deadMisrouted deadReason = "misrouted" // a job of another backend
	deadFailed    deadReason = "failed"    // every try failed
	deadExhausted deadReason = "exhausted" // copiers died over it
)

type metrics struct {
	copies   *prometheus.CounterVec
	dead     *prometheus.CounterVec
	duration *prometheus.HistogramVec
	bytes    *prometheus.CounterVec
	running  *prometheus.GaugeVec
	refused  *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer, hosts *hosts, slots *slots) *metrics {
	backendLabels := []string{"service", "region"}
	m := &metrics{
		copies: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloudmirror_copies_total",
			Help: "Jobs that a copier ended, by result.",
		}, append(backendLabels, "result")),
		dead: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloudmirror_dead_letters_total",
			Help: "Messages that a copier put among the dead letters, by reason.",
		}, append(backendLabels, "reason")),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "cloudmirror_copy_duration_seconds",
			Help:    "Time from the start of an attempt until the copy was visible.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200},
		}, backendLabels),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloudmirror_copy_bytes_total",
			Help: "Bytes read from origins.",
		}, backendLabels),
		running: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "cloudmirror_copies_running",
			Help: "Copies that run now.",
		}, backendLabels),
	}
	m.refused = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "cloudmirror_origin_refused_total",
		Help: "Tries that were not made since their origin host, or one that it redirects to, is paused, or that one is busy.",
	}, backendLabels)
	r.MustRegister(m.copies, m.dead, m.duration, m.bytes, m.running, m.refused)
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cloudmirror_copies_slow",
		Help: "Copies that run outside of the slots since their origins are slow.",
	}, func() float64 { return float64(slots.slowCopies()) }))
	registerHosts(r, hosts)
	return m
}

// registerHosts shows how many hosts need care. Their names, which strangers
// choose, are in the log only: as labels they would have no bound.
func registerHosts(r prometheus.Registerer, hosts *hosts) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cloudmirror_origin_hosts_paused",
		Help: "Origin hosts (by scheme, host and port) that are paused now: only trials go there, since they are in trouble or asked for it.",
	}, func() float64 { return float64(hosts.paused()) }), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cloudmirror_copies_waiting",
		Help: "Jobs in hand that wait until fewer copies of their origin host run.",
	}, func() float64 { return float64(hosts.queue.count()) }))
}

func (m *metrics) ended(b cloudmirror.BackendID, r result) {
	m.copies.WithLabelValues(b.Service, b.Region, string(r)).Inc()
}

// expect shows the counters of a backend's dead letters from the start: alerts on
// their growth would miss the first one otherwise.
func (m *metrics) expect(b cloudmirror.BackendID) {
	for _, r := range []deadReason{deadMalformed, deadMisrouted, deadFailed, deadExhausted} {
		m.dead.WithLabelValues(b.Service, b.Region, string(r))
	}
}

func (m *metrics) buried(b cloudmirror.BackendID, r deadReason) {
	m.dead.WithLabelValues(b.Service, b.Region, string(r)).Inc()
}

func (m *metrics) copied(b cloudmirror.BackendID, took time.Duration) {
	m.duration.WithLabelValues(b.Service, b.Region).Observe(took.Seconds())
}
