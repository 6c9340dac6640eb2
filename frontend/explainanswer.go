package frontend

import (
	"fmt"
	"net/http"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/engine"
)

// explainAnswer describes what a redirect would be answered now, and why.
func (ad *administration) explainAnswer(r *http.Request, k *known, view engine.View, err error) explainedDecision {
	cast := ad.redirects.foresee(r, k, view, err)
	d := explainedDecision{Status: cast.answer.status, WaitSeconds: cast.waits.Round(time.Millisecond).Seconds()}
	if to := cast.answer.redirect; to != nil {
		d.Location = to.location[0]
	}
	// Why a client is redirected to the origin is the error that one gets who wants no
	// fallback.
	strict := &known{target: k.target, terms: k.terms, direct: k.direct, want: k.want}
	strict.terms.fallback = cloudmirror.FallbackNone
	refused := ad.redirects.foresee(r, strict, view, err).answer
	d.Code = refused.code
	isPassedOn := err == nil && view.Entry.State == cache.Failed && isPassedOn(view.Entry.Failure)
	instead := insteadText(k, cast.answer, isPassedOn)
	switch {
	case k.direct != nil:
		d.Why = "The URL is direct: the client is redirected to the origin."
	case refused.code == "":
		d.Why = "There is a copy: the client is redirected to it."
	case cast.waits > 0:
		d.Why = fmt.Sprintf("The client waits for the copy, for up to %g s, and is redirected to it as soon as it is there. After a wait in vain %s", d.WaitSeconds, instead)
	case refused.code == codeRedirectNow:
		d.Why = "No client of this service waits for a copy (mode redirect-now): " + instead
	case refused.code == codeWaitTimeout:
		d.Why = "The client does not wait for the copy, as its wait is 0: " + instead
	default:
		d.Why = refused.message + " So " + instead
	}
	return d
}

// insteadText says what a client gets who does not get the copy, beginning with "the client".
func insteadText(k *known, a answer, isPassedOn bool) string {
	status := fmt.Sprintf("the client gets the status %d", a.status)
	switch {
	case a.redirect != nil:
		return "the client is redirected to the origin, its fallback."
	case isPassedOn:
		return status + ": this failure is passed on, whatever the fallback is."
	case k.terms.fallback == cloudmirror.FallbackOrigin:
		return status + "."
	}
	return status + ", as its fallback is none."
}
