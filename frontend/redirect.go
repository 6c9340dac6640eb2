package frontend

import (
	"errors"
	"net/http"
	"time"

	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/cache"
	"cloudmirror/engine"
)

// redirect answers GET and HEAD of /v1/redirect/:service/:region/:url.
func (rd *redirects) redirect(w http.ResponseWriter, r *http.Request) {
	began, d := time.Now(), rd.doorOf(r.Host)
	t, refusal := rd.readTarget(r, d)
	if refusal != nil {
		rd.finish(w, r, began, t, *refusal)
		return
	}
	rd.finish(w, r, began, t, rd.answerTarget(r, d, t, began))
}

// redirectRemembered is redirect for a target that is remembered. It reports whether it
// is; if not, the request is not answered.
func (rd *redirects) redirectRemembered(w http.ResponseWriter, r *http.Request) bool {
	d := rd.doorOf(r.Host)
	t, found := rd.recallTarget(r, d)
	if found {
		began := time.Now()
		rd.finish(w, r, began, t, rd.answerTarget(r, d, t, began))
	}
	return found
}

// finish sends the answer to a redirect request, counts it and logs it.
func (rd *redirects) finish(w http.ResponseWriter, r *http.Request, began time.Time, t *redirectTarget, a answer) {
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

// answerTarget returns the answer to a request for an allowed target, which came in
// through a door.
func (rd *redirects) answerTarget(r *http.Request, d *door, t *redirectTarget, began time.Time) answer {
	rt := d.policy.route(rd.client(r), t)
	if a, found := rd.answerWithoutCopy(r, &rt); found {
		return a
	}
	view, cut, err := rd.waitForCopy(r, &rt, began.Add(t.wait))
	return rd.chooseAnswer(r, &rt, view, cut, err)
}

// answerWithoutCopy returns the answer where the state of the copy does not matter.
func (rd *redirects) answerWithoutCopy(r *http.Request, rt *route) (a answer, found bool) {
	if rd.loops(r.Header) {
		return loopDetected(), true
	}
	switch rt.best(cloudmirror.PlaceCopy).excluded {
	case reasonDirect:
		return toOriginDirectly(rt.target.direct), true
	case reasonUnreachable:
		return unreachable(rt), true
	default:
		return a, false
	}
}

// waitForCopy makes sure of the copy or of a job for it, and waits for it until end at
// most. The engine looks, makes sure and waits in one call, so that a hit is one read. If
// there is no copy then, cut is why it was not waited for any longer, or err says that the
// cache, the queue or the storage is down.
func (rd *redirects) waitForCopy(r *http.Request, rt *route, end time.Time) (view engine.View, cut cloudmirror.Code, err error) {
	ctx, want := r.Context(), *rt.best(cloudmirror.PlaceCopy).want
	network, refused := rd.waiters.acquire(rd.client(r))
	if refused != "" {
		view, err = peekOne(ctx, rd.engine, want)
		return view, refused, err
	}
	defer rd.waiters.release(network)
	patience := engine.Patience{Until: end, End: rd.draining.Done()}
	if rt.target.now {
		patience = engine.Patience{}
	}
	view, err = rd.engine.Wait(ctx, want, patience)
	if err != nil || isFinal(view.Entry) {
		return view, "", err
	}
	return view, rd.whyWaitEnds(rt.target), nil
}

// whyWaitEnds returns why a client stops waiting for a copy that is not there yet.
func (rd *redirects) whyWaitEnds(t *redirectTarget) cloudmirror.Code {
	switch {
	case t.now:
		return api.CodeRedirectNow
	case rd.draining.Err() != nil:
		return api.CodeDraining
	}
	return api.CodeWaitTimeout
}

// isFinal reports whether waiting for a copy is of no use.
func isFinal(e cache.Entry) bool {
	return e.State == cache.Present || e.State == cache.Failed && e.Failure.Permanent
}

// chooseAnswer returns the answer by what the engine found of the copy. It excludes the
// origin from the route if the client gets the failure of the copy instead.
func (rd *redirects) chooseAnswer(r *http.Request, rt *route, view engine.View, cut cloudmirror.Code, err error) answer {
	if r.Context().Err() != nil {
		return gone(notYet(rt, api.CodeWaitTimeout))
	}
	inRegion := rt.best(cloudmirror.PlaceCopy)
	if err == nil && view.Entry.State == cache.Present {
		to, linkErr := rd.locateCopy(r, rt.target, inRegion, view.Entry.Generation)
		if linkErr == nil {
			return toCopy(to, view)
		}
		err = linkErr
	}
	switch {
	case errors.Is(err, engine.ErrClosed):
		return notYet(rt, api.CodeDraining)
	case err != nil:
		rd.logUnavailable(inRegion.place.Backend, err)
		return unavailableCopy(rt)
	case view.Entry.State == cache.Failed:
		rt.passOn(view.Entry)
		return failed(rt, view)
	}
	return notYet(rt, cut)
}
