package frontend

import (
	"net/http"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"

	"cloudmirror"
	"cloudmirror/mirror"
)

// Bounds of what is remembered of targets: about 24 MiB if all are as long as
// they may be. Longer ones are read again each time.
const (
	maxKnownTargets     = 8192
	maxKnownTargetBytes = 1 << 10
)

// A known is what a raw request target was found to name: an object that the
// rules of a backend's service allow. The rules do not change while a process
// runs, so that it holds as long as it is remembered.
type known struct {
	target
	want    mirror.Want
	address atomic.Pointer[address]
}

// An address is from where the copy of a generation is fetched, by any method.
type address struct {
	generation cloudmirror.Generation
	redirect   *redirect
}

// newKnownTargets returns an empty memory of targets.
func newKnownTargets() *lru.Cache[string, *known] {
	targets, err := lru.New[string, *known](maxKnownTargets)
	if err != nil {
		panic("frontend: " + err.Error()) // the size is a constant
	}
	return targets
}

// recall returns what is remembered of the target of a request, if it is one for
// a redirect.
func (f *Frontend) recall(r *http.Request) (*known, bool) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nil, false
	}
	return f.known.Get(r.RequestURI)
}

// learn is findAllowed for redirects, and remembers what it finds. Only what is
// allowed is remembered.
func (f *Frontend) learn(r *http.Request) (k *known, refusal *answer) {
	k = new(known)
	if k.target, refusal = f.findAllowed(r, redirectPrefix, cloudmirror.ParseTarget); refusal != nil {
		return k, refusal
	}
	k.want = mirror.Want{Object: k.object, Backend: k.backend.id}.Keyed()
	if r.RequestURI != "" && len(r.RequestURI) <= maxKnownTargetBytes {
		f.known.Add(r.RequestURI, k)
	}
	return k, nil
}

// locate returns the redirect to a present copy. Those to signed addresses are
// made for each client, all others once for each generation.
func (f *Frontend) locate(r *http.Request, k *known, g cloudmirror.Generation) (*redirect, error) {
	if at := k.address.Load(); at != nil && at.generation == g {
		return at.redirect, nil
	}
	link, err := f.engine.Link(r.Context(), k.want, g, r.Method)
	if err != nil {
		return nil, err
	}
	to := newRedirect("present", link.URL)
	if !link.Private {
		k.address.Store(&address{generation: g, redirect: to})
	}
	return to, nil
}
