package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"cloudmirror"
	"cloudmirror/queue"
)

// queueMetrics shows how full the queues were when they were last checked.
type queueMetrics struct {
	messages *prometheus.GaugeVec
}

func newQueueMetrics(r prometheus.Registerer) *queueMetrics {
	m := &queueMetrics{messages: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "cloudmirror_queue_messages",
		Help: "Messages of a backend's queue by state (ready, delayed, in_flight, dead), counted every 10 s. SQS counts approximately.",
	}, []string{"service", "region", "state"})}
	r.MustRegister(m.messages)
	return m
}

// note shows the counts, or nothing while they cannot be had.
func (m *queueMetrics) note(b cloudmirror.BackendID, c queue.Counts, err error) {
	for state, n := range map[string]int{"ready": c.Ready, "delayed": c.Delayed, "in_flight": c.InFlight, "dead": c.Dead} {
		if err != nil {
			m.messages.DeleteLabelValues(b.Service, b.Region, state)
			continue
		}
		m.messages.WithLabelValues(b.Service, b.Region, state).Set(float64(n))
	}
}
