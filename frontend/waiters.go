package frontend

import (
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"

	"cloudmirror"
	"cloudmirror/api"
)

// A waitingRoom bounds the requests that wait for copies: all of them, and those
// of one client.
type waitingRoom struct {
	size      int64
	perClient int // 0: not bounded
	proxies   proxies

	taken atomic.Int64

	mu      sync.Mutex
	clients map[netip.Prefix]int // who waits; empty if perClient is 0
}

func newWaitingRoom(size, perClient int, p proxies) *waitingRoom {
	return &waitingRoom{size: int64(size), perClient: perClient, proxies: p, clients: make(map[netip.Prefix]int)}
}

// enter takes a place, or says why there is none. Who got one calls leave.
func (w *waitingRoom) enter(r *http.Request) (who netip.Prefix, refused cloudmirror.Code) {
	if w.taken.Add(1) > w.size {
		w.taken.Add(-1)
		return who, api.CodeTooManyWaiters
	}
	if w.perClient == 0 {
		return who, ""
	}
	who = network(w.proxies.client(r))
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.clients[who] >= w.perClient {
		w.taken.Add(-1)
		return who, api.CodeTooManyRequests
	}
	w.clients[who]++
	return who, ""
}

func (w *waitingRoom) leave(who netip.Prefix) {
	w.taken.Add(-1)
	if w.perClient == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.clients[who]--; w.clients[who] == 0 {
		delete(w.clients, who)
	}
}
