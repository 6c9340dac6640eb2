package copier_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"cloudmirror/copier"
)

// A flood of small copies costs hardly more requests than a tenth of one each for
// sending, receiving and deleting its message: batches are full. The few requests
// more are the first and the last ones.
func TestSQSRequestsOfAFlood(t *testing.T) {
	const jobs, wanted = 2000, 0.5 // 0.33 on a quiet machine; single messages take 3
	w := newWorld(t)
	server, q := withSQS(t, w)
	stop := w.startWith(func(o *copier.Options) {
		o.Backends[0].Queue, o.Logger = q, zap.NewNop()
		o.Concurrency, o.Visibility, o.Limits = 32, time.Minute, copier.Limits{CopiesPerHost: 64}
	})
	var asking sync.WaitGroup
	for client := range 256 {
		asking.Go(func() {
			for i := client; i < jobs; i += 256 {
				w.wait(fmt.Sprintf("/%d?size=100", i))
			}
		})
	}
	asking.Wait()
	stop()
	counts := make(map[string]int)
	total := 0
	for _, action := range []string{"SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessage", "DeleteMessageBatch", "ChangeMessageVisibility", "ChangeMessageVisibilityBatch"} {
		counts[action] = server.Requests(action)
		total += counts[action]
	}
	t.Logf("%d jobs took %d requests: %v", jobs, total, counts)
	if each := float64(total) / jobs; each > wanted {
		t.Errorf("%.2f requests a job, want at most %.2f: %v", each, wanted, counts)
	}
}
