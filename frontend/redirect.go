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
func (f *Frontend) redirect(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	k, refusal := f.learn(r)
	if refusal != nil {
		f.finish(w, r, began, k, *refusal)
		return
	}
	f.redirectKnown(w, r, began, k)
}

// redirectKnown is redirect for a target that has been read.
func (f *Frontend) redirectKnown(w http.ResponseWriter, r *http.Request, began time.Time, k *known) {
	f.finish(w, r, began, k, f.decide(r, k, began))
}

// finish sends the answer to a redirect request, counts it and logs it.
func (f *Frontend) finish(w http.ResponseWriter, r *http.Request, began time.Time, k *known, a answer) {
	t := k.target
	switch {
	case t.service == nil:
	case a.redirect != nil:
		t.service.cors.admit(w.Header(), r)
	default:
		t.service.cors.expose(w.Header(), r)
	}
	f.write(w, r, a)
	took := time.Since(began)
	f.metrics.observe(t.backend, a.outcome, took)
	if entry := f.logger.Check(zap.DebugLevel, "redirect"); entry != nil {
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
func (f *Frontend) decide(r *http.Request, k *known, began time.Time) answer {
	if a, decided := f.decideUnseen(r, k); decided {
		return a
	}
	view, cut, err := f.obtain(r, k.want, k.terms, began.Add(k.terms.wait))
	return f.conclude(r, k, view, cut, err)
}

// decideUnseen decides what needs no look-up of the copy.
func (f *Frontend) decideUnseen(r *http.Request, k *known) (a answer, decided bool) {
	switch {
	case f.loops(r.Header):
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
func (f *Frontend) obtain(r *http.Request, want engine.Want, t terms, end time.Time) (view engine.View, cut cloudmirror.Code, err error) {
	ctx := r.Context()
	who, refused := f.waiters.enter(r)
	if refused != "" {
		view, err = f.engine.Peek(ctx, want)
		return view, refused, err
	}
	defer f.waiters.leave(who)
	patience := engine.Patience{Until: end, End: f.draining.Done()}
	if t.now {
		patience = engine.Patience{}
	}
	view, err = f.engine.Wait(ctx, want, patience)
	if err != nil || isFinal(view.Entry) {
		return view, "", err
	}
	return view, f.waitEnds(t), nil
}

// waitEnds returns why a client stops waiting for a copy that is not there yet.
func (f *Frontend) waitEnds(t terms) cloudmirror.Code {
	switch {
	case t.now:
		return codeRedirectNow
	case f.draining.Err() != nil:
		return codeDraining
	}
	return codeWaitTimeout
}

// isFinal reports whether waiting for a copy is of no use.
func isFinal(e cache.Entry) bool {
	return e.State == cache.Present || e.State == cache.Failed && e.Failure.Permanent
}

// conclude decides the answer by what the engine found.
func (f *Frontend) conclude(r *http.Request, k *known, view engine.View, cut cloudmirror.Code, err error) answer {
	t := k.terms
	if r.Context().Err() != nil {
		return gone(notYet(t, k.object, codeWaitTimeout))
	}
	if err == nil && view.Entry.State == cache.Present {
		to, linkErr := f.locate(r, k, view.Entry.Generation)
		if linkErr == nil {
			return toCopy(to, view)
		}
		err = linkErr
	}
	switch {
	case errors.Is(err, engine.ErrClosed):
		return notYet(t, k.object, codeDraining)
	case err != nil:
		f.complain(k.want, err)
		return unavailableCopy(t, k.object)
	case view.Entry.State == cache.Failed:
		return failed(t, k.object, view)
	}
	return notYet(t, k.object, cut)
}

// complain logs now and then that the cache, a queue or a storage is unavailable.
func (f *Frontend) complain(want engine.Want, err error) {
	f.complaints.Do(func() {
		f.logger.Warn("the cache, a queue or a storage is unavailable; clients get their fallback", zap.Stringer("backend", want.Backend), zap.Error(err))
	})
}
