package app

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/presence"
)

const (
	checkEvery   = 10 * time.Second
	checkTimeout = 3 * time.Second
)

// stateOK is what /readyz says of a dependency that is well.
const stateOK = "ok"

// A dependency is a part that the process needs and that may be down.
type dependency struct {
	name    string                // as /readyz shows it
	kind    string                // in the metric: cache, queue, storage or copies; "": it is not there
	backend cloudmirror.BackendID // in the metric; zero: of all
	check   func(context.Context) error
	live    bool     // check only tells what another part knows, which logs it
	calls   []*calls // that the process makes of it
	// noteError returns why it did not take the process's last presence.Note. Nil: it
	// takes none.
	noteError func() error
}

// backendDependency returns a dependency of one backend.
func backendDependency(kind string, id cloudmirror.BackendID, check func(context.Context) error, made ...*calls) dependency {
	return dependency{name: kind + " " + id.String(), kind: kind, backend: id, check: check, calls: made}
}

// health tells /healthz and /readyz how the dependencies are: by checks from time to
// time, and by the last calls that the process made. A broken dependency is shown and
// logged, and does not make the process unready: without it, clients still get to
// their origins.
type health struct {
	logger *zap.Logger
	all    []dependency // by name
	ready  atomic.Bool  // false while starting and draining

	mu      sync.Mutex
	checked map[string]error // what the last check found; without a key: there was none
	logged  map[string]bool  // the dependencies that the log has as down
}

func newHealth(logger *zap.Logger, dependencies []dependency, r prometheus.Registerer) *health {
	h := &health{logger: logger, all: slices.Clone(dependencies), checked: make(map[string]error), logged: make(map[string]bool)}
	slices.SortFunc(h.all, func(a, b dependency) int { return strings.Compare(a.name, b.name) })
	for _, d := range h.all {
		if d.kind != "" {
			r.MustRegister(h.newGauge(d))
		}
	}
	return h
}

// newGauge makes the metric of a dependency.
func (h *health) newGauge(d dependency) prometheus.GaugeFunc {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "cloudmirror_dependency_up",
		Help:        "0 while the last check of a dependency (cache, queue, storage, copies), or the last call of a kind that was made of it, failed. Service and region are empty for the cache.",
		ConstLabels: prometheus.Labels{"dependency": d.kind, "service": d.backend.Service, "region": d.backend.Region},
	}, func() float64 {
		if h.down(context.Background(), d) != nil {
			return 0
		}
		return 1
	})
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
	limited, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var checks sync.WaitGroup
	for _, d := range h.all {
		if d.live {
			continue
		}
		checks.Go(func() {
			err := d.check(limited)
			if ctx.Err() == nil {
				h.record(ctx, d, err)
			}
		})
	}
	checks.Wait()
}

// record keeps what a check found, and logs it when the dependency goes down or up.
func (h *health) record(ctx context.Context, d dependency, err error) {
	h.mu.Lock()
	h.checked[d.name] = err
	h.mu.Unlock()
	err = h.down(ctx, d)
	h.mu.Lock()
	wasDown, isKnown := h.logged[d.name]
	h.logged[d.name] = err != nil
	h.mu.Unlock()
	switch {
	case err != nil && !wasDown:
		h.logger.Warn("dependency is down", zap.String("dependency", d.name), zap.Error(err))
	case err == nil && (wasDown || !isKnown):
		h.logger.Info("dependency is up", zap.String("dependency", d.name))
	}
}

// down returns why a dependency is down, or nil: the last check failed, or the last
// call of a kind did.
func (h *health) down(ctx context.Context, d dependency) error {
	if d.live {
		return d.check(ctx)
	}
	h.mu.Lock()
	err := h.checked[d.name]
	h.mu.Unlock()
	for _, c := range d.calls {
		if err == nil {
			err = c.down()
		}
	}
	if err == nil && d.noteError != nil {
		if refusal := d.noteError(); refusal != nil {
			err = &callError{verb: "write", err: refusal}
		}
	}
	return err
}

// stateOf returns what /readyz says of a dependency.
func (h *health) stateOf(ctx context.Context, d dependency) string {
	if err := h.down(ctx, d); err != nil {
		return cloudmirror.Clause(err)
	}
	for _, c := range d.calls {
		if doubt := c.doubt(); doubt != "" {
			return doubt
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, found := h.checked[d.name]; !found && !d.live {
		return "not checked yet"
	}
	return stateOK
}

// dependencies returns the states of all dependencies, by name.
func (h *health) dependencies() []presence.Dependency {
	states := make([]presence.Dependency, 0, len(h.all))
	for _, d := range h.all {
		state := presence.Dependency{Name: d.name}
		if err := h.down(context.Background(), d); err != nil {
			state.Cause = cloudmirror.Clause(err)
		}
		states = append(states, state)
	}
	return states
}

// serveLive answers /healthz: the process lives.
func (h *health) serveLive(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	fmt.Fprintln(w, "ok")
}

// serveReady answers /readyz: 503 only while starting or draining, and a line
// for each dependency. Elsewhere returns what is wrong with one that is ok for this
// process; "": nothing.
func (h *health) serveReady(w http.ResponseWriter, r *http.Request, elsewhere func(dependency) string) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	state := "ready"
	if !h.ready.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		state = "starting or draining"
	}
	fmt.Fprintln(w, state)
	for _, d := range h.all {
		state := h.stateOf(r.Context(), d)
		if state == stateOK {
			state = cmp.Or(elsewhere(d), stateOK)
		}
		fmt.Fprintf(w, "%s: %s\n", d.name, state)
	}
}
