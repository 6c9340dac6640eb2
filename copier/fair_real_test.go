package copier_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"go.uber.org/zap"

	"cloudmirror/cache"
	"cloudmirror/copier"
	"cloudmirror/engine"
	"cloudmirror/origin/origintest"
	"cloudmirror/presence"
	"cloudmirror/queue"
	"cloudmirror/queue/sqsqueue"
	"cloudmirror/queue/sqsqueue/sqstest"
)

// withSQS has a world's jobs go through a server of SQS.
func withSQS(t *testing.T, w *world) (*sqstest.Server, queue.Queue) {
	t.Helper()
	server, endpoint := sqstest.Start(t, sqstest.Options{})
	q, err := sqsqueue.New(sqsqueue.Options{
		Client: sqsqueue.NewClient(aws.Config{
			Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
		}, endpoint),
		Backend: backendID, Create: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	w.engine = engine.New(engine.Options{Cache: w.memory, Logger: zap.NewNop(), Backends: []engine.Backend{{
		ID: backendID, Storage: w.files, Queue: q, TTL: time.Hour, NegativeTTL: negativeTTL,
	}}})
	t.Cleanup(w.engine.Close)
	return server, q
}

// Eight ISOs that a real origin sends slowly, asked for through SQS, do not keep a
// small object of theirs waiting. The origin never has more than eight connections
// that it sends to, and sends the beginning of each ISO twice at most.
func TestASmallObjectBehindRealISOs(t *testing.T) {
	w := newWorld(t)
	_, q := withSQS(t, w)
	var isos []string
	for i := range 10 {
		isos = append(isos, fmt.Sprintf("/iso-%d", i))
		w.origin.Set(isos[i], origintest.Behaviour{SizeBytes: 32 << 20, BytesPerSecond: 128 << 10})
	}
	stop := w.startWith(func(o *copier.Options) {
		o.Backends[0].Queue, o.Logger = q, zap.NewNop()
		o.Concurrency, o.Connections, o.Visibility, o.Limits = 16, 8, time.Minute, copier.Limits{CopiesPerHost: 8}
		o.Grace = time.Millisecond
	})
	for _, iso := range isos {
		if _, err := w.engine.Wait(t.Context(), w.want(iso), engine.Patience{}); err != nil {
			t.Fatal(err)
		}
	}
	w.eventually("seven ISOs are copied, and three wait", func() bool {
		states := make(map[presence.CopyState]int)
		for _, copying := range w.copier.Copies() {
			if copying.State == presence.WaitsForHost || copying.DoneBytes > 0 {
				states[copying.State]++
			}
		}
		return states[presence.Copying] == 7 && states[presence.WaitsForHost] == 3
	})
	began := time.Now()
	for i := range 3 {
		if e := w.wait(fmt.Sprintf("/small-%d?size=65536", i)); e.State != cache.Present {
			t.Errorf("small object %d is %+v", i, e)
		}
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("three small objects took %v", took)
	}
	asked := 0
	for _, iso := range isos {
		n := w.origin.Count("GET", iso)
		if asked += n; n > 2 || w.origin.MostStreams(iso) > 1 {
			t.Errorf("%s was asked for %d times, %d at a time", iso, n, w.origin.MostStreams(iso))
		}
	}
	if asked != len(isos) {
		t.Errorf("%d requests for ISOs, want %d: each that waits was asked for once", asked, len(isos))
	}
	stop()
}
