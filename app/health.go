package app

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	checkEvery   = 10 * time.Second
	checkTimeout = 3 * time.Second
)

// A dependency is a part that the process needs and that may be down.
type dependency struct {
	name  string // as /readyz shows it
	check func(context.Context) error
	live  bool // check only tells what somebody else knows, who logs it
}

// health checks the dependencies from time to time and tells /healthz and
// /readyz. A broken dependency is shown and logged, and does not make the
// process unready: without it, clients still get to their origins.
type health struct {
	logger       *zap.Logger
	dependencies []dependency
	ready        atomic.Bool // false while starting and draining

	mu    sync.Mutex
	state map[string]string // of each dependency: "ok", or what is wrong
}

func newHealth(logger *zap.Logger, dependencies []dependency) *health {
	h := &health{logger: logger, dependencies: dependencies, state: make(map[string]string)}
	for _, d := range dependencies {
		h.state[d.name] = "not checked yet"
	}
	return h
}

// run checks until ctx ends.
func (h *health) run(ctx context.Context) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		h.checkAll(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (h *health) checkAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var checks sync.WaitGroup
	for _, d := range h.dependencies {
		if d.live {
			continue
		}
		checks.Go(func() {
			if err := d.check(ctx); ctx.Err() == nil || err == nil {
				h.note(d.name, err)
			} else {
				h.note(d.name, fmt.Errorf("no answer within %v", checkTimeout))
			}
		})
	}
	checks.Wait()
}

// note keeps the state of a dependency and logs when it changes.
func (h *health) note(name string, err error) {
	state := stateOf(err)
	h.mu.Lock()
	before := h.state[name]
	h.state[name] = state
	h.mu.Unlock()
	switch {
	case err != nil && (before == "ok" || before == "not checked yet"):
		h.logger.Warn("dependency is down", zap.String("dependency", name), zap.Error(err))
	case err == nil && before != "ok":
		h.logger.Info("dependency is up", zap.String("dependency", name))
	}
}

// maxStateBytes bounds what strangers get to see of an error: a part may have sent
// it.
const maxStateBytes = 512

func stateOf(err error) string {
	if err == nil {
		return "ok"
	}
	state := strings.ReplaceAll(err.Error(), "\n", " ")
	if len(state) > maxStateBytes {
		return state[:maxStateBytes] + "…"
	}
	return state
}

// serveLive answers /healthz: the process lives.
func (h *health) serveLive(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	fmt.Fprintln(w, "ok")
}

// serveReady answers /readyz: 503 only while starting or draining, and a line
// for each dependency.
func (h *health) serveReady(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	state := "ready"
	if !h.ready.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		state = "starting or draining"
	}
	fmt.Fprintln(w, state)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range slices.SortedFunc(slices.Values(h.dependencies), func(a, b dependency) int { return strings.Compare(a.name, b.name) }) {
		now := h.state[d.name]
		if d.live {
			now = stateOf(d.check(r.Context()))
		}
		fmt.Fprintf(w, "%s: %s\n", d.name, now)
	}
}
