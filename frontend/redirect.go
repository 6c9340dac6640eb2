package frontend

import (
	"context"
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
	t, a := f.direct(r)
	if a.outcome != outcomeGone {
		f.write(w, r, a)
	}
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
func (f *Frontend) direct(r *http.Request) (target, answer) {
	t, refusal := f.findAllowed(r, redirectPrefix)
	if refusal != nil {
		return t, *refusal
	}
	if f.loops(r.Header) {
		return t, loopDetected()
	}
	terms, err := termsOf(t.service, t.query)
	if err != nil {
		return t, invalidOption(err)
	}
	want := mirror.Want{Object: t.object, Backend: t.backend.id}
	view, cut, err := f.obtain(r.Context(), want, terms)
	return t, f.conclude(r, want, terms, view, cut, err)
}

// obtain gets a copy within a client's terms. If it ends without one, cut is why
// it was not waited for any longer, or err says that a part of ours is down.
func (f *Frontend) obtain(ctx context.Context, want mirror.Want, t terms) (view mirror.View, cut cloudmirror.Code, err error) {
	defer f.waiters.Add(-1)
	if f.waiters.Add(1) > f.maxWaiters {
		view, err = f.engine.Peek(ctx, want)
		return view, codeTooManyWaiters, err
	}
	switch {
	case t.now:
		cut = codeRedirectNow
	case f.draining.Err() != nil:
		cut = codeDraining
	case t.wait <= 0:
		cut = codeWaitTimeout
	default:
		return f.wait(ctx, want, t.wait)
	}
	view, err = f.engine.Ensure(ctx, want)
	return view, cut, err
}

// wait waits for a copy until the time is used up, the client leaves, or Drain
// is called. A wait too short for the engine to be sure of anything still makes
// sure of a job: nobody else may ever ask.
func (f *Frontend) wait(ctx context.Context, want mirror.Want, atMost time.Duration) (view mirror.View, cut cloudmirror.Code, err error) {
	waiting, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	defer context.AfterFunc(f.draining, cancel)()
	view, err = f.engine.Wait(waiting, want)
	if err == nil || waiting.Err() == nil || errors.Is(err, mirror.ErrUnavailable) {
		return view, codeWaitTimeout, err
	}
	cut, err = codeWaitTimeout, nil
	if f.draining.Err() != nil {
		cut = codeDraining
	}
	if isSure := view.Entry.Pending() || view.Entry.State == cache.Failed; !isSure {
		view, err = f.engine.Ensure(ctx, want)
	}
	return view, cut, err
}

// conclude decides the answer by what the engine found.
func (f *Frontend) conclude(r *http.Request, want mirror.Want, t terms, view mirror.View, cut cloudmirror.Code, err error) answer {
	if r.Context().Err() != nil {
		return gone()
	}
	if err == nil && view.Entry.State == cache.Present {
		link, linkErr := f.engine.Link(r.Context(), want, view.Entry, r.Method)
		if linkErr == nil {
			return toCopy(link.URL, view)
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
