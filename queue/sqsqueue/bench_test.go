package sqsqueue_test

import (
	"testing"

	"cloudmirror"
	"cloudmirror/queue/sqsqueue"
	"cloudmirror/queue/sqsqueue/sqstest"
)

// BenchmarkSendReceiveAck takes jobs through the protocol, one after the other
// and by many at once, and tells how many requests each one costs.
func BenchmarkSendReceiveAck(b *testing.B) {
	b.Run("alone", func(b *testing.B) {
		q, server := newBenchQueue(b)
		for b.Loop() {
			roundTrip(b, q)
		}
		reportRequests(b, server)
	})
	b.Run("100_at_once", func(b *testing.B) {
		q, server := newBenchQueue(b)
		b.SetParallelism(50) // times GOMAXPROCS
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				roundTrip(b, q)
			}
		})
		reportRequests(b, server)
	})
}

func newBenchQueue(b *testing.B) (*sqsqueue.Queue, *sqstest.Server) {
	b.Helper()
	server, endpoint := sqstest.Start(b, sqstest.Options{})
	return newQueue(b, sqsqueue.Options{
		Client: newClient(b, endpoint), Backend: cloudmirror.BackendID{Service: "s3", Region: "eu-west-1"}, Create: true,
	}), server
}

// roundTrip sends one job, and receives and acknowledges up to ten.
func roundTrip(b *testing.B, q *sqsqueue.Queue) {
	if err := q.Send(b.Context(), job(b, "x"), 0); err != nil {
		b.Error(err)
	}
	deliveries, err := q.Receive(b.Context(), 1)
	if err != nil {
		b.Error(err)
	}
	for _, d := range deliveries {
		if err := q.Ack(b.Context(), d); err != nil {
			b.Error(err)
		}
	}
}

func reportRequests(b *testing.B, server *sqstest.Server) {
	b.Helper()
	for _, action := range []string{"SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch"} {
		b.ReportMetric(float64(server.Requests(action))/float64(b.N), action+"/job")
	}
	b.ReportMetric(float64(server.Requests(""))/float64(b.N), "requests/job")
}
