package frontend

import (
	"fmt"
	"net/http"
	"time"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/engine"
)

// explainAnswer describes what a redirect would be answered now, and why.
func (ad *administration) explainAnswer(r *http.Request, rt *route, view engine.View, err error) api.ExplainedDecision {
	predicted := ad.redirects.predictAnswer(r, rt, view, err)
	d := api.ExplainedDecision{Status: predicted.answer.status, WaitSeconds: predicted.waits.Round(time.Millisecond).Seconds()}
	if to := predicted.answer.redirect; to != nil {
		d.Location = to.location[0]
	}
	// Why a client is redirected to the origin is the error of a client that wants no
	// fallback.
	strict := *rt
	strict.best(cloudmirror.PlaceOrigin).excluded = reasonFallback
	refused := ad.redirects.predictAnswer(r, &strict, view, err).answer
	d.Code = refused.code
	isLookedUp := err == nil && rt.best(cloudmirror.PlaceCopy).excluded == "" // the state of the copy matters
	instead := insteadText(rt, predicted.answer, isLookedUp && isPassedOn(view.Entry))
	switch {
	case rt.target.direct != nil:
		d.Why = "The URL is direct: the client is redirected to the origin."
	case refused.code == "":
		d.Why = "There is a copy: the client is redirected to it."
	case predicted.waits > 0:
		d.Why = fmt.Sprintf("The client waits for the copy, for up to %g s, and is redirected to it as soon as it is there. After a wait in vain %s", d.WaitSeconds, instead)
	case refused.code == api.CodeRedirectNow:
		d.Why = "No client of this service waits for a copy (mode redirect-now): " + instead
	case refused.code == api.CodeWaitTimeout:
		d.Why = "The client does not wait for the copy, as its wait is 0: " + instead
	default:
		d.Why = refused.message + " So " + instead
	}
	return d
}

// insteadText says what a client without the copy gets, beginning with "the client".
func insteadText(rt *route, a answer, isPassedOn bool) string {
	status := fmt.Sprintf("the client gets the status %d", a.status)
	switch {
	case a.redirect != nil:
		return "the client is redirected to the origin, its fallback."
	case isPassedOn:
		return status + ": this failure is passed on, whatever the fallback is."
	case rt.best(cloudmirror.PlaceOrigin).excluded != reasonFallback:
		return status + "."
	}
	return status + ", as its fallback is none."
}
