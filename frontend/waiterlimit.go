package frontend

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"cloudmirror"
	"cloudmirror/api"
)

// A waiterLimit bounds the requests that wait for copies: all of them, and those
// of one client.
type waiterLimit struct {
	most      int64
	perClient int // 0: not bounded

	waiting atomic.Int64

	mu      sync.Mutex
	clients map[netip.Prefix]int // their waiting requests; empty if perClient is 0
}

func newWaiterLimit(most, perClient int) *waiterLimit {
	return &waiterLimit{most: int64(most), perClient: perClient, clients: make(map[netip.Prefix]int)}
}

// acquire lets a request of a client wait, or says why it may not. The caller releases
// the network that it got.
func (w *waiterLimit) acquire(c client) (network netip.Prefix, refused cloudmirror.Code) {
	if w.waiting.Add(1) > w.most {
		w.waiting.Add(-1)
		return network, api.CodeTooManyWaiters
	}
	if w.perClient == 0 {
		return network, ""
	}
	network = c.network()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.clients[network] >= w.perClient {
		w.waiting.Add(-1)
		return network, api.CodeTooManyRequests
	}
	w.clients[network]++
	return network, ""
}

func (w *waiterLimit) release(network netip.Prefix) {
	w.waiting.Add(-1)
	if w.perClient == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.clients[network]--; w.clients[network] == 0 {
		delete(w.clients, network)
	}
}
