package frontend

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/engine"
	"cloudmirror/origin"
)

const explainPrefix = "/v1/explain/"

// explanation is why a redirect request is answered as it is. Members without a
// meaning are left out.
type explanation struct {
	At       time.Time         `json:"at"` // when it was true; on the cache's clock, as all times
	Client   explainedClient   `json:"client"`
	Target   explainedTarget   `json:"target"`
	Places   []explainedPlace  `json:"places"`   // from which the client may get the object, best first
	Excluded []explainedPlace  `json:"excluded"` // from which it does not, each with its reason
	Answer   explainedDecision `json:"answer"`
}

type explainedClient struct {
	Network string `json:"network"` // that counts as one client
}

// explainedTarget is what a request names. The text of a pattern is for operators:
// it may name other hosts and paths than the URL.
type explainedTarget struct {
	URL     string         `json:"url,omitempty"` // canonical; left out if it is no URL
	Service string         `json:"service"`
	Region  string         `json:"region"`
	Pattern string         `json:"pattern,omitempty"` // for operators: the first allow pattern that lets the URL in
	Direct  string         `json:"direct,omitempty"`  // for operators: the first direct pattern that it matches
	Nearly  *nearlyAllowed `json:"nearly,omitempty"`  // of a URL that no pattern lets in
	Refused *refusedTarget `json:"refused,omitempty"`
}

// A nearlyAllowed is the allow pattern that matches the longest beginning of a URL.
// Strangers get no more than the scheme.
type nearlyAllowed struct {
	Pattern string `json:"pattern,omitempty"`
	Matches string `json:"matches,omitempty"` // that beginning
	Scheme  string `json:"scheme,omitempty"`  // instead: the one with which the pattern lets the URL in
}

type refusedTarget struct {
	Code    cloudmirror.Code `json:"code"`
	Message string           `json:"message"`
	Cause   string           `json:"cause,omitempty"` // for operators
}

// An explainedPlace is a region, with the state of the copy in it, or the origin.
type explainedPlace struct {
	Region string `json:"region,omitempty"`
	Origin string `json:"origin,omitempty"`
	State  string `json:"state,omitempty"`  // of the copy in the region
	Reason string `json:"reason,omitempty"` // of an excluded place
	Why    string `json:"why"`

	Tries     int        `json:"tries,omitempty"`
	SizeBytes *int64     `json:"size,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	progress
	Error *statusError `json:"error,omitempty"`
}

// An explainedDecision is the answer to the redirect request, now.
type explainedDecision struct {
	Status      int              `json:"status"`
	Code        cloudmirror.Code `json:"code,omitempty"` // why the client does not get the copy
	Location    string           `json:"location,omitempty"`
	WaitSeconds float64          `json:"wait_seconds,omitempty"` // the rest is the answer after a wait in vain
	Why         string           `json:"why"`
}

// explain answers GET of /v1/explain/:service/:region/:url, where the URL may be that
// of the origin or of this mirror, with the options of a redirect: without any, those in
// the mirror's URL count. It causes no copy.
// With a valid token it also has patterns, private causes and names of processes.
func (ad *administration) explain(r *http.Request) answer {
	isOperator := ad.guard.isOperator(r)
	k, refused, refusal := ad.findExplained(r, isOperator)
	if refusal != nil {
		return *refusal
	}
	e := explanation{
		At: time.Now().UTC().Truncate(time.Millisecond), Client: explainedClient{Network: network(ad.proxies.client(r)).String()},
		Target: explainedTarget{URL: k.object.URL(), Service: k.service.name, Region: k.backend.id.Region},
		Places: []explainedPlace{}, Excluded: []explainedPlace{},
	}
	if isOperator && k.object.URL() != "" {
		e.Target.namePatterns(&k.service.Rules, k.object)
	}
	if refused == nil {
		refused = e.Target.judge(k, isOperator)
	}
	if refused != nil {
		e.refuse(refused)
		return okJSON(e)
	}
	view, err := ad.engine.Peek(r.Context(), k.want)
	if err == nil && !view.Now.IsZero() {
		e.At = *timestamp(view.Now)
	}
	e.Answer = ad.explainAnswer(r, k, view, err)
	ad.explainPlaces(r.Context(), &e, k, view, err, isOperator)
	return okJSON(e)
}

// findExplained finds what a request wants to have explained; k has what is known of
// it. Refused is what a redirect says that cannot read the target. Refusal is the
// answer if there is nothing to explain.
func (ad *administration) findExplained(r *http.Request, isOperator bool) (k *known, refused, refusal *answer) {
	k = new(known)
	options := []string{optionWait, optionFallback}
	k.target, refused = ad.find(r, explainPrefix, cloudmirror.ParseTarget, options...)
	switch {
	case k.backend == nil && refused != nil:
		return nil, nil, refused
	case k.backend == nil:
		return nil, nil, refuse(unknownBackend())
	case refused != nil:
		if legacy, failure := ad.find(r, explainPrefix, cloudmirror.ParseLegacyTarget, options...); failure == nil {
			k.object = legacy.object
		}
		return k, refused, nil
	}
	t, refusal := ad.findCopy(r, explainPrefix, isOperator, options...)
	switch {
	case refusal != nil:
		return nil, nil, refusal
	case t.generation != "":
		return nil, nil, refuse(invalidURL(errors.New("the URL is the address of a copy, from which the origin's URL cannot be read: give that one")))
	}
	k.object = t.object
	if len(k.options) == 0 {
		k.options = t.asked
	}
	if err := onlyOptions(k.options, options); err != nil {
		return k, refuse(invalidOption(err)), nil
	}
	return k, nil, nil
}

// namePatterns says which patterns decide about an object.
func (t *explainedTarget) namePatterns(rules *origin.Rules, o cloudmirror.Object) {
	t.Pattern, t.Direct = firstMatch(rules.Allow, o), firstMatch(rules.Direct, o)
	if t.Pattern == "" {
		t.Nearly = findNearest(rules.Allow, o)
	}
}

// judge fills in k as a redirect does. If the redirect would refuse the target, judge
// returns its answer; if that is for the rules of the service, it notes which rule, and
// for strangers whether the other scheme is allowed. They pay for no more than twice
// the patterns of a redirect that is refused.
func (t *explainedTarget) judge(k *known, isOperator bool) *answer {
	err := origin.Check(k.service.Rules, k.object)
	if err == nil {
		return k.judge()
	}
	failure := cloudmirror.AsFailure(err)
	t.Refused = &refusedTarget{Code: failure.Code, Message: sentence(failure.Message)}
	if isOperator {
		if failure.Err != nil {
			t.Refused.Cause = cut(failure.Err.Error(), maxMessageBytes)
		}
	} else if swapped, scheme, ok := swapScheme(k.object); ok && k.service.admits(swapped) {
		t.Nearly = &nearlyAllowed{Scheme: scheme}
	}
	return refuse(notAllowed())
}

// firstMatch returns the first pattern that matches an object; "": none does.
func firstMatch(patterns []cloudmirror.AllowPattern, o cloudmirror.Object) string {
	if i := slices.IndexFunc(patterns, func(p cloudmirror.AllowPattern) bool { return p.Match(o) }); i >= 0 {
		return patterns[i].String()
	}
	return ""
}

// findNearest returns the first pattern that would match an object with the other
// scheme, or else the first of those that match the longest beginning of its URL. It
// returns nil if there is none.
func findNearest(patterns []cloudmirror.AllowPattern, o cloudmirror.Object) *nearlyAllowed {
	if swapped, scheme, ok := swapScheme(o); ok {
		if match := firstMatch(patterns, swapped); match != "" {
			return &nearlyAllowed{Pattern: match, Scheme: scheme}
		}
	}
	var nearest *nearlyAllowed
	scheme, _, _ := strings.Cut(o.URL(), "://")
	longest := len(scheme + "://")
	for _, p := range patterns {
		if n := p.Reach(o); n > longest {
			longest, nearest = n, &nearlyAllowed{Pattern: p.String(), Matches: o.URL()[:n]}
		}
	}
	return nearest
}

// swapScheme returns the object with https instead of http or the reverse, and that
// scheme.
func swapScheme(o cloudmirror.Object) (swapped cloudmirror.Object, scheme string, ok bool) {
	given, rest, _ := strings.Cut(o.URL(), "://")
	scheme = map[string]string{"http": "https", "https": "http"}[given]
	swapped, err := cloudmirror.ParseLegacyObject(scheme + "://" + rest)
	return swapped, scheme, err == nil
}

// refuse explains a redirect that refuses its target.
func (e *explanation) refuse(a *answer) {
	if e.Target.Refused == nil {
		e.Target.Refused = &refusedTarget{Code: a.code, Message: a.message}
	}
	e.Excluded = []explainedPlace{{Region: e.Target.Region, Reason: reasonRefused, Why: "The request is refused before any copy is looked for."}}
	e.Answer = explainedDecision{Status: a.status, Code: a.code, Why: e.Target.Refused.Message}
}

// Reasons why a place is excluded.
const (
	reasonRefused     = "refused"            // the target is
	reasonDirect      = "direct"             // the object is never copied
	reasonUnreachable = "region-unreachable" // clients cannot fetch the region's copies
	reasonFallback    = "fallback"           // the origin is none, by the service or the client
	reasonVerdict     = "verdict"            // a failure is passed on, whatever the fallback is
)

// explainPlaces lists the region and the origin, each as a place or as excluded.
func (ad *administration) explainPlaces(ctx context.Context, e *explanation, k *known, view engine.View, err error, isOperator bool) {
	region := ad.explainCopy(ctx, k, view, err, isOperator)
	source := explainedPlace{Origin: k.object.Origin(), Why: "Clients without a copy are redirected to the origin."}
	switch {
	case k.direct != nil:
		region.Reason, region.Why = reasonDirect, "The URL matches a direct pattern: it is never copied."
		source.Why = "Direct URLs are answered with their origin, whatever the fallback is."
		e.Places, e.Excluded = append(e.Places, source), append(e.Excluded, region)
		return
	case !k.backend.isReachable():
		region.Reason, region.Why = reasonUnreachable, "Clients cannot fetch the copies of this region now. "+region.Why
		e.Excluded = append(e.Excluded, region)
	default:
		e.Places = append(e.Places, region)
	}
	switch {
	case k.terms.fallback != cloudmirror.FallbackOrigin:
		source.Reason, source.Why = reasonFallback, "The fallback is none: clients without a copy get an error."
	case region.Reason == "" && err == nil && view.Entry.State == cache.Failed && isPassedOn(view.Entry.Failure):
		source.Reason, source.Why = reasonVerdict, "This failure is passed on instead, whatever the fallback is."
	default:
		e.Places = append(e.Places, source)
		return
	}
	e.Excluded = append(e.Excluded, source)
}
