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
	"cloudmirror/engine"
	"cloudmirror/origin"
)

// explain answers GET of /v1/explain/:service/:region/:url, where the URL may be that
// of the origin or of this mirror, with the options of a redirect: without any, those in
// the mirror's URL count. It causes no copy.
// With a valid token it also has patterns, private causes and names of processes.
func (ad *administration) explain(r *http.Request) answer {
	isOperator := ad.guard.isOperator(r)
	t, refused, refusal := ad.parseExplainedTarget(r, isOperator)
	if refusal != nil {
		return *refusal
	}
	e := api.Explanation{
		At: time.Now().UTC().Truncate(time.Millisecond), Client: api.ExplainedClient{Network: ad.client(r).network().String()},
		Target: api.ExplainedTarget{URL: t.object.URL(), Service: t.service.name, Region: t.backend.id.Region},
		Places: []api.ExplainedPlace{}, Excluded: []api.ExplainedPlace{},
	}
	if isOperator && t.object.URL() != "" {
		namePatterns(&e.Target, &t.service.Rules, t.object)
	}
	if refused == nil {
		refused = admitExplained(&e.Target, t, isOperator)
	}
	if refused == nil && ad.redirects.loops(r.Header) {
		refused = refuse(loopDetected())
	}
	if refused != nil {
		refuseExplained(&e, refused)
		return okJSON(e)
	}
	rt := ad.redirects.doorOf(r.Host).policy.route(ad.client(r), t)
	view, err := peekOne(r.Context(), ad.engine, *rt.best(cloudmirror.PlaceCopy).want)
	if err == nil && !view.Now.IsZero() {
		e.At = *timestamp(view.Now)
	}
	e.Answer = ad.explainAnswer(r, &rt, view, err) // and with it what is excluded
	ad.explainPlaces(r.Context(), &e, &rt, view, err, isOperator)
	return okJSON(e)
}

// parseExplainedTarget reads what a request wants to have explained; t has what is known of
// it. Refused is what a redirect says that cannot read the target. Refusal is the
// answer if there is nothing to explain.
func (ad *administration) parseExplainedTarget(r *http.Request, isOperator bool) (t *redirectTarget, refused, refusal *answer) {
	t = new(redirectTarget)
	options := []string{optionWait, optionFallback}
	t.target, refused = ad.parseTarget(r, api.ExplainPrefix, cloudmirror.ParseTarget, options...)
	switch {
	case t.backend == nil && refused != nil:
		return nil, nil, refused
	case t.backend == nil:
		return nil, nil, refuse(unknownBackend())
	case refused != nil:
		if legacy, failure := ad.parseTarget(r, api.ExplainPrefix, cloudmirror.ParseLegacyTarget, options...); failure == nil {
			t.object = legacy.object
		}
		return t, refused, nil
	}
	named, refusal := ad.parseCopyTarget(r, api.ExplainPrefix, isOperator, options...)
	switch {
	case refusal != nil:
		return nil, nil, refusal
	case named.generation != "":
		return nil, nil, refuse(invalidURL(errors.New("the URL is the address of a copy, from which the origin's URL cannot be read: give that one")))
	}
	t.object = named.object
	if len(t.options) == 0 {
		t.options = named.asked
	}
	if err := onlyOptions(t.options, options); err != nil {
		return t, refuse(invalidOption(err)), nil
	}
	return t, nil, nil
}

// namePatterns says which patterns decide about an object.
func namePatterns(t *api.ExplainedTarget, rules *origin.Rules, o cloudmirror.Object) {
	t.Pattern, t.Direct = firstMatch(rules.Allow, o), firstMatch(rules.Direct, o)
	if t.Pattern == "" {
		t.Nearly = findNearest(rules.Allow, o)
	}
}

// admitExplained fills in the named target as a redirect does. If a redirect would refuse
// the target, it returns that answer; if the rules of the service do, it notes which rule
// in t, and for strangers whether the other scheme is allowed. They pay for no more than
// twice the patterns of a redirect that is refused.
func admitExplained(t *api.ExplainedTarget, named *redirectTarget, isOperator bool) *answer {
	err := origin.Check(named.service.Rules, named.object)
	if err == nil {
		return named.admit()
	}
	failure := cloudmirror.AsFailure(err)
	t.Refused = &api.RefusedTarget{Code: failure.Code, Message: sentence(failure.Message)}
	if isOperator {
		if failure.Err != nil {
			t.Refused.Cause = cut(failure.Err.Error(), maxMessageBytes)
		}
	} else if swapped, scheme, ok := swapScheme(named.object); ok && named.service.admits(swapped) {
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
	e.Excluded = []api.ExplainedPlace{{Region: e.Target.Region, Reason: string(reasonRefused), Why: "The request is refused before any copy is looked for."}}
	e.Answer = api.ExplainedDecision{Status: a.status, Code: a.code, Why: e.Target.Refused.Message}
}

// explainPlaces lists the places of a route, and those that are excluded from it.
func (ad *administration) explainPlaces(ctx context.Context, e *api.Explanation, rt *route, view engine.View, err error, isOperator bool) {
	for i := range rt.candidates {
		c := &rt.candidates[i]
		place := api.ExplainedPlace{Origin: rt.target.object.Origin(), Why: originText(c, rt.target)}
		if c.place.Kind == cloudmirror.PlaceCopy {
			place = ad.explainCopy(ctx, c, view, err, isOperator)
		}
		if place.Reason = string(c.excluded); place.Reason == "" {
			e.Places = append(e.Places, place)
		} else {
			e.Excluded = append(e.Excluded, place)
		}
	}
}

// originText says which clients are redirected to the origin, or why none is.
func originText(c *candidate, t *redirectTarget) string {
	switch {
	case c.excluded == reasonFallback:
		return "The fallback is none: clients without a copy get an error."
	case c.excluded == reasonVerdict:
		return "This failure is passed on instead, whatever the fallback is."
	case t.direct != nil:
		return "Direct URLs are answered with their origin, whatever the fallback is."
	}
	return "Clients without a copy are redirected to the origin."
}
