package app

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"cloudmirror"
	"cloudmirror/presence"
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

// show exports the counts; none, if err says that they are not known.
func (m *queueMetrics) show(b cloudmirror.BackendID, c queue.Counts, err error) {
	for state, n := range map[string]int{"ready": c.Ready, "delayed": c.Delayed, "in_flight": c.InFlight, "dead": c.Dead} {
		if err != nil {
			m.messages.DeleteLabelValues(b.Service, b.Region, state)
			continue
		}
		m.messages.WithLabelValues(b.Service, b.Region, state).Set(float64(n))
	}
}

// copierMetrics shows how many processes copy to each backend, while that is known.
type copierMetrics struct {
	board    *presence.Board
	backends []*backend
	copiers  *prometheus.Desc
}

func newCopierMetrics(board *presence.Board, backends []*backend) *copierMetrics {
	return &copierMetrics{board: board, backends: backends, copiers: prometheus.NewDesc(
		"cloudmirror_copiers", "Processes that copy to a backend; absent while it is not known.", []string{"service", "region"}, nil,
	)}
}

// Describe implements prometheus.Collector.
func (m *copierMetrics) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- m.copiers }

// Collect implements prometheus.Collector.
func (m *copierMetrics) Collect(metrics chan<- prometheus.Metric) {
	notes, err := m.board.Notes(context.Background())
	if err != nil {
		return
	}
	for _, b := range m.backends {
		count := presence.Copiers(notes, b.ID.String())
		metrics <- prometheus.MustNewConstMetric(m.copiers, prometheus.GaugeValue, float64(count), b.ID.Service, b.ID.Region)
	}
}
