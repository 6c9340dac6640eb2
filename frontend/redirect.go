package frontend

import (
	"errors"
	"net/http"
	"time"

	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/engine"
)

const redirectPrefix = "/v1/redirect/"

// redirect answers GET and HEAD of /v1/redirect/:service/:region/:url.
func (rd *redirects) redirect(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	k, refusal := rd.learn(r)
	if refusal != nil {
		rd.finish(w, r, began, k, *refusal)
		return
	}
	rd.redirectKnown(w, r, began, k)
}

// redirectKnown is redirect for a target that has been read.
func (rd *redirects) redirectKnown(w http.ResponseWriter, r *http.Request, began time.Time, k *known) {
	rd.finish(w, r, began, k, rd.decide(r, k, began))
}

// finish sends the answer to a redirect request, counts it and logs it.
func (rd *redirects) finish(w http.ResponseWriter, r *http.Request, began time.Time, k *known, a answer) {
	t := k.target
	switch {
	case t.service == nil:
	case a.redirect != nil:
		t.service.cors.admit(w.Header(), r)
	default:
		t.service.cors.expose(w.Header(), r)
	}
	rd.write(w, r, a)
	took := time.Since(began)
	rd.metrics.observe(t.backend, a.outcome, took)
	if entry := rd.logger.Check(zap.DebugLevel, "redirect"); entry != nil {
		fields := []zap.Field{
			zap.Stringer("object", t.object), zap.Stringer("outcome", a.outcome), zap.Int("status", a.status),
			zap.String("detail", a.cache.detail), zap.Duration("took", took), zap.Strings("request_id", w.Header()["X-Request-Id"]),
		}
		if t.backend != nil {
			fields = append(fields, zap.Stringer("backend", t.backend.id))
		}
		entry.Write(fields...)
	}
}

// decide returns the answer to a client whose target is allowed. What can be
// checked without a look-up is checked first.
func (rd *redirects) decide(r *http.Request, k *known, began time.Time) answer {
	if a, decided := rd.decideUnseen(r, k); decided {
		return a
	}
	view, cut, err := rd.obtain(r, k.want, k.terms, began.Add(k.terms.wait))
	return rd.conclude(r, k, view, cut, err)
}

// decideUnseen decides what needs no look-up of the copy.
func (rd *redirects) decideUnseen(r *http.Request, k *known) (a answer, decided bool) {
	switch {
	case rd.loops(r.Header):
		return loopDetected(), true
	case k.direct != nil:
		return toOriginDirectly(k.direct), true
	case !k.backend.isReachable():
		return unreachable(k.terms, k.object), true
	}
	return a, false
}

// obtain gets a copy within a client's terms, whose wait ends at end. If it ends
// without one, cut is why it was not waited for any longer, or err says that a
// part of ours is down.
func (rd *redirects) obtain(r *http.Request, want engine.Want, t terms, end time.Time) (view engine.View, cut cloudmirror.Code, err error) {
	ctx := r.Context()
	who, refused := rd.waiters.enter(r)
	if refused != "" {
		view, err = rd.engine.Peek(ctx, want)
		return view, refused, err
	}
	defer rd.waiters.leave(who)
	patience := engine.Patience{Until: end, End: rd.draining.Done()}
	if t.now {
		patience = engine.Patience{}
	}
	view, err = rd.engine.Wait(ctx, want, patience)
	if err != nil || isFinal(view.Entry) {
		return view, "", err
	}
	return view, rd.waitEnds(t), nil
}

// waitEnds returns why a client stops waiting for a copy that is not there yet.
func (rd *redirects) waitEnds(t terms) cloudmirror.Code {
	switch {
	case t.now:
		return codeRedirectNow
	case rd.draining.Err() != nil:
		return codeDraining
	}
	return codeWaitTimeout
}

// isFinal reports whether waiting for a copy is of no use.
func isFinal(e cache.Entry) bool {
	return e.State == cache.Present || e.State == cache.Failed && e.Failure.Permanent
}

// conclude decides the answer by what the engine found.
func (rd *redirects) conclude(r *http.Request, k *known, view engine.View, cut cloudmirror.Code, err error) answer {
	t := k.terms
	if r.Context().Err() != nil {
		return gone(notYet(t, k.object, codeWaitTimeout))
	}
	if err == nil && view.Entry.State == cache.Present {
		to, linkErr := rd.locate(r, k, view.Entry.Generation)
		if linkErr == nil {
			return toCopy(to, view)
		}
		err = linkErr
	}
	switch {
	case errors.Is(err, engine.ErrClosed):
		return notYet(t, k.object, codeDraining)
	case err != nil:
		rd.complain(k.want, err)
		return unavailableCopy(t, k.object)
	case view.Entry.State == cache.Failed:
		return failed(t, k.object, view)
	}
	return notYet(t, k.object, cut)
}
