package frontend

import (
	"net/http"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"

	"cloudmirror"
	"cloudmirror/api"
)

// Bounds of what is remembered of targets: about 24 MiB if all are as long as
// they may be. Longer ones are read again each time.
const (
	maxTargets     = 8192
	maxTargetBytes = 1 << 10
)

// A targetKey is under what the target of a redirect is remembered: the door and the raw
// request target without the file name that may stand behind the object, for clients may
// write any.
//
// No two objects have one key. The key of a target without a name is the target.
// That of a target with one is the key of `target without name`; if that is a
// target in base64, ParseTarget finds the same object and options in both (see
// [cloudmirror.SeparatesName]); if it is none, nothing is ever remembered under
// the key, since readTarget adds only what ParseTarget agrees about.
type targetKey struct {
	host  string // of the door
	path  string
	query string // with its question mark: an empty one differs from none
}

// targetKeyOf returns the key of a raw request target, and whether a file name is
// left out of it. It does not allocate.
func targetKeyOf(d *door, raw string) (key targetKey, hasName bool) {
	key.host, key.path = d.host, raw
	if i := strings.IndexByte(raw, '?'); i >= 0 {
		key.path, key.query = raw[:i], raw[i:]
	}
	rest, isRedirect := strings.CutPrefix(key.path, api.RedirectPrefix)
	_, rest, _ = strings.Cut(rest, "/") // the service
	_, rest, _ = strings.Cut(rest, "/") // the region
	encoded, name, found := strings.Cut(rest, "/")
	hasName = isRedirect && found && cloudmirror.SeparatesName(encoded, name)
	if hasName {
		key.path = key.path[:len(key.path)-len(name)-len("/")]
	}
	return key, hasName
}

// newTargetMemory returns an empty memory of targets.
func newTargetMemory() *lru.Cache[targetKey, *redirectTarget] {
	targets, err := lru.New[targetKey, *redirectTarget](maxTargets)
	if err != nil {
		panic("frontend: " + err.Error()) // the size is a constant
	}
	return targets
}

// recallTarget returns what is remembered of the target of a request that came in through
// a door, if it is one for a redirect.
func (rd *redirects) recallTarget(r *http.Request, d *door) (*redirectTarget, bool) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nil, false
	}
	key, _ := targetKeyOf(d, r.RequestURI)
	return rd.targets.Get(key)
}

// readTarget reads and checks what a redirect request names, and remembers it if it is
// allowed. With a refusal, the target has what could be read.
func (rd *redirects) readTarget(r *http.Request, d *door) (t *redirectTarget, refusal *answer) {
	t = new(redirectTarget)
	if t.target, refusal = rd.parseTarget(r, api.RedirectPrefix, cloudmirror.ParseTarget, optionWait, optionFallback); refusal != nil {
		return t, refusal
	}
	if refusal = t.admit(); refusal != nil {
		return t, refusal
	}
	key, hasName := targetKeyOf(d, r.RequestURI)
	if r.RequestURI != "" && len(r.RequestURI) <= maxTargetBytes && hasName == (t.name != "") {
		rd.targets.Add(key, t)
	}
	return t, nil
}
