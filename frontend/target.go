package frontend

import (
	"net/http"
	"strings"

	"cloudmirror"
	"cloudmirror/api"
)

// A target is what a request names.
type target struct {
	service *service
	backend *backend // nil: all regions of the service
	object  cloudmirror.Object
	options []cloudmirror.Option
	name    string // behind the object's; without a meaning
}

// requestTarget returns the raw target of a request from the path on, as it came
// over the network: nothing is decoded or cleaned, and the query is in it.
func requestTarget(r *http.Request) string {
	raw := r.RequestURI
	if raw == "" { // a request that did not come over the network
		raw = r.URL.RequestURI()
	}
	if strings.HasPrefix(raw, "/") {
		return raw
	}
	// The absolute form (RFC 9112, section 3.2.2), as clients send it to proxies.
	if _, rest, found := strings.Cut(raw, "://"); found {
		if i := strings.IndexAny(rest, "/?"); i >= 0 {
			return rest[i:]
		}
	}
	return ""
}

// A targetParser reads the `:url` of a request: [cloudmirror.ParseTarget] or, for
// operators, [cloudmirror.ParseLegacyTarget].
type targetParser func(rest string) (cloudmirror.Target, error)

// parseTarget reads the target `<prefix>:service/:region/:url`. The names are looked up
// as they are, undecoded. If it names nothing, or has other options than those,
// the answer says why.
func (c *core) parseTarget(r *http.Request, prefix string, parse targetParser, options ...string) (t target, refusal *answer) {
	rest, found := strings.CutPrefix(requestTarget(r), prefix)
	if !found {
		return t, refuse(unknownRoute())
	}
	service, rest, _ := strings.Cut(rest, "/")
	region, rest, found := strings.Cut(rest, "/")
	if !found {
		return t, refuse(unknownRoute())
	}
	if t.service = c.services[service]; t.service == nil {
		return t, refuse(unknownBackend())
	}
	if t.backend = t.service.backends[region]; t.backend == nil && region != api.EveryRegion {
		return t, refuse(unknownBackend())
	}
	parsed, err := parse(rest)
	if err != nil {
		return t, refuse(invalidTarget(err))
	}
	t.object, t.options, t.name = parsed.Object, parsed.Options, parsed.Name
	if err := onlyOptions(t.options, options); err != nil {
		return t, refuse(invalidOption(err))
	}
	return t, nil
}

func refuse(a answer) *answer { return &a }
