package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"cloudmirror/test/lab"
)

// processScenarios end processes of cloudmirror.
func processScenarios() []scenario {
	all := []scenario{
		{name: "frontend-killed", what: "a front end: SIGKILL while clients wait, back after 3 s", short: true, fault: killFrontend},
		{name: "rolling-restart", what: "SIGTERM and restart of every process, one after the other", short: true, fault: rollingRestart},
	}
	for _, percent := range []int64{10, 50, 99} {
		var i item
		all = append(all, scenario{
			name: fmt.Sprintf("copier-killed-at-%d", percent), short: percent == 50, atOnce: 1,
			what:   fmt.Sprintf("a copier: SIGKILL when the origin has sent it %d %% of an object, back after 2 s", percent),
			fault:  func(ctx context.Context, p *play) (err error) { i, err = killCopier(ctx, p, percent); return err },
			verify: func(ctx context.Context, p *play) error { return copiedAgain(ctx, p, i) },
		})
	}
	return all
}

// rollingRestart replaces one process after the other, as an upgrade does.
func rollingRestart(ctx context.Context, p *play) error {
	for _, r := range slices.Concat(p.frontends, p.copiers) {
		r.last = r.last.add(p.resultsOf(ctx, r))
		if err := terminate(r.Process); err != nil {
			p.found("%v", err)
		}
		if err := r.Restart(ctx); err != nil {
			return err
		}
		if err := lab.Pause(ctx, time.Second); err != nil {
			return err
		}
	}
	if n := p.load.retried(); n > 0 {
		p.found("%d requests lost their connection to the balancer", n)
	}
	return nil
}

// terminate ends a process in order. Any other end is an error.
func terminate(p *lab.Process) error {
	status, err := p.Terminate()
	if err == nil && status != 0 {
		err = fmt.Errorf("%s ended with status %d after SIGTERM\n%s", p.Command.Name, status, p.Tail())
	}
	return err
}

// killFrontend lets clients wait for a slow copy and ends one of the two front
// ends that they wait at.
func killFrontend(ctx context.Context, p *play) error {
	p.load.also(ctx, 16, specialItem(regions[0], bigBytes, bigBytes/6))
	if err := lab.Pause(ctx, 2*time.Second); err != nil {
		return err
	}
	victim := p.frontends[0]
	p.note("%.0f clients waited there", value(p.metrics(ctx, victim), "cloudmirror_waiters"))
	victim.Kill()
	if err := lab.Pause(ctx, 3*time.Second); err != nil {
		return err
	}
	return victim.Restart(ctx)
}

// killCopier ends the copier that works on an object when the origin has sent it
// a part of it. The load asks for known objects alone, so that the copier which
// copies anything is the one.
func killCopier(ctx context.Context, p *play, percent int64) (item, error) {
	i := specialItem(regions[0], bigBytes, bigBytes/4)
	p.load.onlyKnown.Store(true)
	defer p.load.onlyKnown.Store(false)
	if err := p.awaitIdle(ctx); err != nil {
		return i, err
	}
	p.load.also(ctx, 6, i)
	var owner *role
	for begun := time.Now(); p.origin.SentBytes(i.path) < bigBytes*percent/100; {
		if owner == nil && p.origin.SentBytes(i.path) > 0 {
			owner = p.running(ctx)
		}
		if time.Since(begun) > 30*time.Second {
			return i, fmt.Errorf("%s was not copied", i.path)
		}
		if err := lab.Pause(ctx, time.Millisecond); err != nil {
			return i, err
		}
	}
	if owner == nil {
		return i, fmt.Errorf("no copier says that it copies %s", i.path)
	}
	p.killRole(ctx, owner)
	state, err := p.status(ctx, i)
	p.note("%s ended when %d of %d bytes were sent, of which its entry knew %d (error %v)",
		owner.Command.Name, p.origin.SentBytes(i.path), i.size, state.DoneBytes, err)
	if err := lab.Pause(ctx, 2*time.Second); err != nil {
		return i, err
	}
	return i, owner.Restart(ctx)
}

// copiedAgain asks for the object whose copy was broken off until there is one.
func copiedAgain(ctx context.Context, p *play, i item) error {
	begun := time.Now()
	c := newClient(p.deployment)
	for {
		r := c.get(ctx, i)
		p.load.note(r)
		if r.where == "copy" {
			break
		}
		if time.Since(begun) > recoverLimit {
			p.found("there is no copy after %v", recoverLimit)
			return nil
		}
		if err := lab.Pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	n := p.origin.Started(i.path)
	p.note("a client that went on asking had its copy %v after service was as before; it was started %d times in all", since(begun), n)
	if n > 2 {
		p.found("the copy was started %d times", n)
	}
	return nil
}

// awaitIdle waits until no copier copies anything.
func (p *play) awaitIdle(ctx context.Context) error {
	for begun := time.Now(); p.running(ctx) != nil; {
		if time.Since(begun) > 30*time.Second {
			return fmt.Errorf("copiers did not become idle")
		}
		if err := lab.Pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// running returns a copier that copies something now, or nil.
func (p *play) running(ctx context.Context) *role {
	for _, c := range p.copiers {
		if value(p.metrics(ctx, c), "cloudmirror_copies_running") > 0 {
			return c
		}
	}
	return nil
}

// A state is what /v1/status says.
type state struct {
	State     string `json:"state"`
	DoneBytes int64  `json:"done_bytes"`
	Error     any    `json:"error"`
}

func (p *play) status(ctx context.Context, i item) (state, error) {
	var s state
	text, err := p.text(ctx, p.frontURL()+"/v1/status/"+i.backend().String()+"/"+i.object(p.originName).Target())
	if err == nil {
		err = json.Unmarshal([]byte(text), &s)
	}
	return s, err
}
