package frontend

import (
	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/engine"
)

// A reason says why clients do not get an object from a place, as /v1/explain has it.
type reason string

// Reasons why a place is excluded.
const (
	reasonRefused     reason = "refused"            // the target is
	reasonDirect      reason = "direct"             // the object is never copied
	reasonUnreachable reason = "region-unreachable" // clients cannot fetch the region's copies
	reasonFallback    reason = "fallback"           // the origin is none, by the service or the client
	reasonVerdict     reason = "verdict"            // a failure is passed on, whatever the fallback is
)

// A candidate is a place that could serve an object.
type candidate struct {
	place    cloudmirror.Place
	want     *engine.Want // of a copy; nil for others
	excluded reason       // "": clients may get the object from it
}

// A route lists the places that could serve the object of a request, best first.
type route struct {
	target     *redirectTarget
	candidates [2]candidate
}

// A policy says from which places the clients of a door may get an object.
type policy interface {
	// route asks no other process, and allocates nothing.
	route(c client, t *redirectTarget) route
}

// asAsked is the policy of redirects that name their region: the copy in it, then the
// origin. The origin of a direct object is its only place; that of another is one if
// the fallback allows it.
type asAsked struct{}

func (asAsked) route(_ client, t *redirectTarget) route {
	inRegion := candidate{place: cloudmirror.Place{Kind: cloudmirror.PlaceCopy, Backend: t.backend.id}, want: &t.want}
	atOrigin := candidate{place: cloudmirror.Place{Kind: cloudmirror.PlaceOrigin}}
	switch {
	case t.direct != nil:
		inRegion.excluded = reasonDirect
		return route{target: t, candidates: [2]candidate{atOrigin, inRegion}}
	case !t.backend.isReachable():
		inRegion.excluded = reasonUnreachable
	}
	if t.fallback != cloudmirror.FallbackOrigin {
		atOrigin.excluded = reasonFallback
	}
	return route{target: t, candidates: [2]candidate{inRegion, atOrigin}}
}

// best returns the first candidate of a kind that is not excluded, or else the last of
// that kind. The route has one.
func (rt *route) best(kind cloudmirror.PlaceKind) (best *candidate) {
	for i := range rt.candidates {
		if c := &rt.candidates[i]; c.place.Kind == kind {
			if best = c; c.excluded == "" {
				break
			}
		}
	}
	return best
}

// leadsToOrigin reports whether clients without a copy are sent to the origin.
func (rt *route) leadsToOrigin() bool { return rt.best(cloudmirror.PlaceOrigin).excluded == "" }

// passOn excludes the origin if the copy failed in a way that clients get instead.
func (rt *route) passOn(e cache.Entry) {
	if origin := rt.best(cloudmirror.PlaceOrigin); origin.excluded == "" && isPassedOn(e) {
		origin.excluded = reasonVerdict
	}
}
