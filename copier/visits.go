package copier

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
	"time"

	"cloudmirror"
	"cloudmirror/queue"
)

// visits are the uses that one copy makes of the hosts that it asks: at its object's host,
// whose turn the job has waited for, and at those that it is redirected to. It takes
// their turns before it asks them, without waiting, since two hosts that redirect
// to each other would wait for ever: a copy that gets none ends, and its job waits
// for the turns of both hosts (turns.go).
//
// Every turn is kept until the copy ends. The object's own host's is, so that a flood
// of jobs which it redirects to a busy host waits for a turn instead of asking it
// again and again; the others' are, so that a broken body can be continued over
// the same hops.
type visits struct {
	hosts *hosts
	tries int // of the job
	own   *hopVisit
	held  []*turn // of hosts that the copy was redirected to before

	mu     sync.Mutex
	isLong bool                 // the copy needs the turns of a long one
	hops   map[string]*hopVisit // by origin; without the object's own
	server string               // the origin that sends the body; "": not known yet
	passes map[string]chan struct{}
	prove  sync.Once
}

// A hopVisit is the use of a host, and a turn of it.
type hopVisit struct {
	*hostUse
	turn *turn
}

// newVisits returns the visits of a copy that has turns, the first one of its
// object's own host. The caller ends them.
func newVisits(hosts *hosts, job queue.Job, own *hostUse, taken []*turn) *visits {
	return &visits{
		hosts: hosts, tries: job.Tries, own: &hopVisit{hostUse: own, turn: taken[0]}, held: taken[1:], isLong: taken[0].isLong,
		hops: make(map[string]*hopVisit), passes: make(map[string]chan struct{}),
	}
}

// enter is origin.Rules.Enter. Besides the body and its sections, which have turns
// of their own, a copy makes one request at a time to a host. The error is a
// *refusedError, or ctx's.
func (v *visits) enter(ctx context.Context, hop cloudmirror.Object) (leave func(), err error) {
	v.mu.Lock()
	err = v.takeTurn(hop)
	pass := v.pass(hop.Origin())
	v.mu.Unlock()
	if err != nil || pass == nil {
		return func() {}, err
	}
	select {
	case pass <- struct{}{}:
		return func() { <-pass }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// takeTurn makes sure that the copy has a turn of the hop's host, without waiting
// for it. The caller holds the lock.
func (v *visits) takeTurn(hop cloudmirror.Object) error {
	origin := hop.Origin()
	if v.hops[origin] != nil || origin == v.own.host.origin {
		return nil
	}
	visit, err := v.visitHop(hop)
	if err == nil {
		v.hops[origin] = visit
	}
	return err
}

// pass returns what a request holds an element of while it runs, or nil. The caller
// holds the lock.
func (v *visits) pass(origin string) chan struct{} {
	if origin == v.server {
		return nil
	}
	if v.passes[origin] == nil {
		v.passes[origin] = make(chan struct{}, 1)
	}
	return v.passes[origin]
}

// visitHop begins to use a host that the copy is redirected to. The host knows it by
// the hop's URL without its query, which may be signed anew each time.
func (v *visits) visitHop(hop cloudmirror.Object) (*hopVisit, error) {
	path, _, _ := strings.Cut(hop.URL(), "?")
	object, err := cloudmirror.ParseObject(path)
	if err != nil { // a canonical URL stays one without its query
		return nil, err
	}
	host := v.hosts.visit(hop.Origin())
	turn := v.turnOf(host)
	if turn == nil {
		defer v.hosts.leave(host)
		return nil, &refusedError{origin: host.origin, isCrowded: true}
	}
	use, again := host.admit(object, v.tries)
	if use == nil {
		turn.giveBack()
		v.hosts.leave(host)
		return nil, &refusedError{origin: host.origin, again: again}
	}
	return &hopVisit{hostUse: use, turn: turn}, nil
}

// turnOf returns the turn that the copy has waited for, or one that is free, or nil.
// The caller holds the lock.
func (v *visits) turnOf(host *host) *turn {
	for _, u := range v.held {
		if u.host == host {
			return u
		}
	}
	return host.tryTurn(v.isLong)
}

// lengthen says that the copy is long. The error is a *refusedError if one of its
// hosts has no turn for a long copy now: then the copy ends before it reads the body.
func (v *visits) lengthen() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.isLong = true
	for u := range v.turns() {
		if !u.lengthen() {
			return &refusedError{origin: u.host.origin, isCrowded: true}
		}
	}
	return nil
}

// overstay says that the copy takes long. Where one of its hosts has no turn for a
// long copy, giveWay is called with a *refusedError as soon as a job waits there
// that may be small.
func (v *visits) overstay(giveWay context.CancelCauseFunc) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.isLong = true
	for u := range v.turns() {
		u.overstay(func() { giveWay(&refusedError{origin: u.host.origin, isCrowded: true}) })
	}
}

// isLongCopy reports whether the copy needs the turns of a long one.
func (v *visits) isLongCopy() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.isLong
}

// turns returns the turns of the hosts that the copy has asked. The caller holds the
// lock.
func (v *visits) turns() iter.Seq[*turn] {
	return func(yield func(*turn) bool) {
		if !yield(v.own.turn) {
			return
		}
		for _, hop := range v.hops {
			if !yield(hop.turn) {
				return
			}
		}
	}
}

// serve notes which URL the body comes from, and returns its host.
func (v *visits) serve(finalURL string) (*host, error) {
	final, err := cloudmirror.ParseObject(finalURL)
	if err != nil { // every final URL is one that was asked for
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.server = final.Origin()
	if hop := v.hops[v.server]; hop != nil {
		return hop.host, nil
	}
	return v.own.host, nil
}

// proven notes that the body gets going.
func (v *visits) proven() { v.prove.Do(func() { v.recordOutcome(nil) }) }

// recordOutcome notes how the copy goes at all its hosts, once for each. Those that
// redirect to a host that refuses the copy are well.
func (v *visits) recordOutcome(err error) {
	if _, ok := errors.AsType[*refusedError](err); ok {
		err = nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.own.recordOutcome(err)
	for _, hop := range v.hops {
		hop.recordOutcome(err)
	}
}

// end records what is not recorded yet, and gives the turns back but that of the object's
// own host.
func (v *visits) end(err error) {
	v.recordOutcome(err)
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, hop := range v.hops {
		hop.turn.end()
		v.hosts.leave(hop.host)
	}
	clear(v.hops)
	for _, u := range v.held {
		u.giveBack() // of a host that was not asked this time
	}
}

// A refusedError says that a host that the copy asks, or to which its origin
// redirects, is not to be asked now: it is paused, or too many copies ask it.
type refusedError struct {
	origin    string
	isCrowded bool
	again     time.Duration // when the paused host may be asked
}

func (e *refusedError) Error() string {
	if e.isCrowded {
		return "copier: too many copies ask " + e.origin
	}
	return "copier: " + e.origin + " is paused"
}
