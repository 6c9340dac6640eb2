package frontend

import (
	"errors"
	"net/http"
	"time"

	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/mirror"
)

const redirectPrefix = "/v1/redirect/"

// redirect answers GET and HEAD of /v1/redirect/:service/:region/:url.
func (f *Frontend) redirect(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	k, a := f.direct(r, began)
	t := k.target
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

// direct decides where a client is sent. What can be checked without a look-up
// is checked first.
func (f *Frontend) direct(r *http.Request, began time.Time) (*known, answer) {
	k, refusal := f.recall(r)
	if refusal != nil {
		return k, *refusal
	}
	if f.loops(r.Header) {
		return k, loopDetected()
	}
	terms, err := termsOf(k.service, k.query)
	if err != nil {
		return k, invalidOption(err)
	}
	if !k.backend.isReachable() {
		return k, unreachable(terms, k.object)
	}
	want := mirror.Want{Object: k.object, Backend: k.backend.id}
	view, cut, err := f.obtain(r, want, terms, began.Add(terms.wait))
	return k, f.conclude(r, k, want, terms, view, cut, err)
}

// obtain gets a copy within a client's terms, whose wait ends at end. If it ends
// without one, cut is why it was not waited for any longer, or err says that a
// part of ours is down.
func (f *Frontend) obtain(r *http.Request, want mirror.Want, t terms, end time.Time) (view mirror.View, cut cloudmirror.Code, err error) {
	ctx := r.Context()
	who, refused := f.waiters.enter(r)
	if refused != "" {
		view, err = f.engine.Peek(ctx, want)
		return view, refused, err
	}
	defer f.waiters.leave(who)
	patience := mirror.Patience{Until: end, End: f.draining.Done()}
	if t.now {
		patience = mirror.Patience{}
	}
	view, err = f.engine.Wait(ctx, want, patience)
	switch {
	case err != nil || isFinal(view.Entry):
		return view, "", err
	case t.now:
		return view, codeRedirectNow, nil
	case f.draining.Err() != nil:
		return view, codeDraining, nil
	}
	return view, codeWaitTimeout, nil
}

// isFinal reports whether waiting for a copy is of no use.
func isFinal(e cache.Entry) bool {
	return e.State == cache.Present || e.State == cache.Failed && e.Failure.Permanent
}

// conclude decides the answer by what the engine found.
func (f *Frontend) conclude(r *http.Request, k *known, want mirror.Want, t terms, view mirror.View, cut cloudmirror.Code, err error) answer {
	if r.Context().Err() != nil {
		return gone(notYet(t, want.Object, codeWaitTimeout))
	}
	if err == nil && view.Entry.State == cache.Present {
		location, linkErr := f.locate(r, k, want, view.Entry.Generation)
		if linkErr == nil {
			return toCopy(location, view)
		}
		err = linkErr
	}
	switch {
	case errors.Is(err, mirror.ErrClosed):
		return notYet(t, want.Object, codeDraining)
	case err != nil:
		f.complain(want, err)
		return unavailableCopy(t, want.Object)
	case view.Entry.State == cache.Failed:
		return failed(t, want.Object, view)
	}
	return notYet(t, want.Object, cut)
}

// complain logs now and then that a part of ours is unavailable.
func (f *Frontend) complain(want mirror.Want, err error) {
	f.complaints.Do(func() {
		f.logger.Warn("a part of ours is unavailable; clients get their fallback", zap.Stringer("backend", want.Backend), zap.Error(err))
	})
}
