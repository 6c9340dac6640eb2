package frontend

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/cache"
	"cloudmirror/engine"
	"cloudmirror/origin"
)

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
	e := api.Explanation{
		At: time.Now().UTC().Truncate(time.Millisecond), Client: api.ExplainedClient{Network: network(ad.proxies.client(r)).String()},
		Target: api.ExplainedTarget{URL: k.object.URL(), Service: k.service.name, Region: k.backend.id.Region},
		Places: []api.ExplainedPlace{}, Excluded: []api.ExplainedPlace{},
	}
	if isOperator && k.object.URL() != "" {
		namePatterns(&e.Target, &k.service.Rules, k.object)
	}
	if refused == nil {
		refused = judgeExplained(&e.Target, k, isOperator)
	}
	if refused != nil {
		refuseExplained(&e, refused)
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
	k.target, refused = ad.find(r, api.ExplainPrefix, cloudmirror.ParseTarget, options...)
	switch {
	case k.backend == nil && refused != nil:
		return nil, nil, refused
	case k.backend == nil:
		return nil, nil, refuse(unknownBackend())
	case refused != nil:
		if legacy, failure := ad.find(r, api.ExplainPrefix, cloudmirror.ParseLegacyTarget, options...); failure == nil {
			k.object = legacy.object
		}
		return k, refused, nil
	}
	t, refusal := ad.findCopy(r, api.ExplainPrefix, isOperator, options...)
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
func namePatterns(t *api.ExplainedTarget, rules *origin.Rules, o cloudmirror.Object) {
	t.Pattern, t.Direct = firstMatch(rules.Allow, o), firstMatch(rules.Direct, o)
	if t.Pattern == "" {
		t.Nearly = findNearest(rules.Allow, o)
	}
}

// judgeExplained fills in k as a redirect does. If the redirect would refuse the target,
// judgeExplained returns its answer; if that is for the rules of the service, it notes which rule, and
// for strangers whether the other scheme is allowed. They pay for no more than twice
// the patterns of a redirect that is refused.
func judgeExplained(t *api.ExplainedTarget, k *known, isOperator bool) *answer {
	err := origin.Check(k.service.Rules, k.object)
	if err == nil {
		return k.judge()
	}
	failure := cloudmirror.AsFailure(err)
	t.Refused = &api.RefusedTarget{Code: failure.Code, Message: sentence(failure.Message)}
	if isOperator {
		if failure.Err != nil {
			t.Refused.Cause = cut(failure.Err.Error(), maxMessageBytes)
		}
	} else if swapped, scheme, ok := swapScheme(k.object); ok && k.service.admits(swapped) {
		t.Nearly = &api.NearlyAllowed{Scheme: scheme}
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
func findNearest(patterns []cloudmirror.AllowPattern, o cloudmirror.Object) *api.NearlyAllowed {
	if swapped, scheme, ok := swapScheme(o); ok {
		if match := firstMatch(patterns, swapped); match != "" {
			return &api.NearlyAllowed{Pattern: match, Scheme: scheme}
		}
	}
	var nearest *api.NearlyAllowed
	scheme, _, _ := strings.Cut(o.URL(), "://")
	longest := len(scheme + "://")
	for _, p := range patterns {
		if n := p.Reach(o); n > longest {
			longest, nearest = n, &api.NearlyAllowed{Pattern: p.String(), Matches: o.URL()[:n]}
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

// refuseExplained explains a redirect that refuses its target.
func refuseExplained(e *api.Explanation, a *answer) {
	if e.Target.Refused == nil {
		e.Target.Refused = &api.RefusedTarget{Code: a.code, Message: a.message}
	}
	e.Excluded = []api.ExplainedPlace{{Region: e.Target.Region, Reason: reasonRefused, Why: "The request is refused before any copy is looked for."}}
	e.Answer = api.ExplainedDecision{Status: a.status, Code: a.code, Why: e.Target.Refused.Message}
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
func (ad *administration) explainPlaces(ctx context.Context, e *api.Explanation, k *known, view engine.View, err error, isOperator bool) {
	region := ad.explainCopy(ctx, k, view, err, isOperator)
	source := api.ExplainedPlace{Origin: k.object.Origin(), Why: "Clients without a copy are redirected to the origin."}
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
