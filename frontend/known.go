package frontend

import (
	"net/http"
	"strings"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"

	"cloudmirror"
	"cloudmirror/engine"
)

// Bounds of what is remembered of targets: about 24 MiB if all are as long as
// they may be. Longer ones are read again each time.
const (
	maxKnownTargets     = 8192
	maxKnownTargetBytes = 1 << 10
)

// A known is what a raw request target was found to name: an object that the
// rules of a backend's service allow, and on which terms. The rules do not change
// while a process runs, so that it holds as long as it is remembered.
type known struct {
	target
	terms   terms
	direct  *redirect // to the origin, if the object is never copied; else nil
	want    engine.Want
	address atomic.Pointer[address]
}

// A knownKey is under what a raw request target is remembered: the target without
// the file name that may stand behind the object, for clients may write any.
//
// No two objects have one key. The key of a target without a name is the target.
// That of a target with one is the key of `target without name`; if that is a
// target in base64, ParseTarget finds the same object and options in both (see
// [cloudmirror.SeparatesName]); if it is none, nothing is ever remembered under
// the key, since learn adds only what ParseTarget agrees about.
type knownKey struct {
	path  string
	query string // with its question mark: an empty one differs from none
}

// knownKeyOf returns the key of a raw request target, and whether a file name is
// left out of it. It does not allocate.
func knownKeyOf(raw string) (key knownKey, hasName bool) {
	key.path = raw
	if i := strings.IndexByte(raw, '?'); i >= 0 {
		key.path, key.query = raw[:i], raw[i:]
	}
	rest, isRedirect := strings.CutPrefix(key.path, redirectPrefix)
	_, rest, _ = strings.Cut(rest, "/") // the service
	_, rest, _ = strings.Cut(rest, "/") // the region
	encoded, name, found := strings.Cut(rest, "/")
	hasName = isRedirect && found && cloudmirror.SeparatesName(encoded, name)
	if hasName {
		key.path = key.path[:len(key.path)-len(name)-len("/")]
	}
	return key, hasName
}

// An address is from where the copy of a generation is fetched, by any method.
type address struct {
	generation cloudmirror.Generation
	redirect   *redirect
}

// newKnownTargets returns an empty memory of targets.
func newKnownTargets() *lru.Cache[knownKey, *known] {
	targets, err := lru.New[knownKey, *known](maxKnownTargets)
	if err != nil {
		panic("frontend: " + err.Error()) // the size is a constant
	}
	return targets
}

// recall returns what is remembered of the target of a request, if it is one for
// a redirect.
func (rd *redirects) recall(r *http.Request) (*known, bool) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nil, false
	}
	key, _ := knownKeyOf(r.RequestURI)
	return rd.known.Get(key)
}

// learn finds what a redirect request names, and remembers it if it is allowed.
func (rd *redirects) learn(r *http.Request) (k *known, refusal *answer) {
	k = new(known)
	if k.target, refusal = rd.find(r, redirectPrefix, cloudmirror.ParseTarget, optionWait, optionFallback); refusal != nil {
		return k, refusal
	}
	if refusal = k.judge(); refusal != nil {
		return k, refusal
	}
	key, hasName := knownKeyOf(r.RequestURI)
	if r.RequestURI != "" && len(r.RequestURI) <= maxKnownTargetBytes && hasName == (k.name != "") {
		rd.known.Add(key, k)
	}
	return k, nil
}

// judge fills in what follows from the target and the rules of its service, or says
// why the rules do not allow it.
func (k *known) judge() *answer {
	switch {
	case k.backend == nil:
		return refuse(unknownBackend())
	case !k.service.admits(k.object):
		return refuse(notAllowed())
	}
	var err error
	if k.terms, err = termsOf(k.service, k.options); err != nil {
		return refuse(invalidOption(err))
	}
	if k.service.Rules.IsDirect(k.object) {
		k.direct = newRedirect("origin", k.object.URL())
	}
	k.want = engine.Want{Object: k.object, Backend: k.backend.id}.Keyed()
	return nil
}

// locate returns the redirect to a present copy. Those to signed addresses are
// made for each client, all others once for each generation.
func (rd *redirects) locate(r *http.Request, k *known, g cloudmirror.Generation) (*redirect, error) {
	if at := k.address.Load(); at != nil && at.generation == g {
		return at.redirect, nil
	}
	link, err := rd.engine.Link(r.Context(), k.want, g, r.Method)
	if err != nil {
		return nil, err
	}
	to := newRedirect("present", link.URL)
	if !link.Private {
		k.address.Store(&address{generation: g, redirect: to})
	}
	return to, nil
}
