package frontend

import (
	"errors"
	"net/http"
	"time"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/cache"
	"cloudmirror/engine"
)

// status answers GET of /v1/status/:service/:region/:url; the URL may be that of
// the origin, of this mirror, or of a copy. It causes no copy. With a valid token it
// also knows copies of URLs with dot segments and by their addresses, and private
// causes and names of processes.
func (ad *administration) status(r *http.Request) answer {
	isOperator := ad.guard.isOperator(r)
	t, refusal := ad.parseStatusTarget(r, isOperator)
	if refusal != nil {
		return *refusal
	}
	want := engine.Want{Object: t.object, Backend: t.backend.id}
	view, err := peekOne(r.Context(), ad.engine, want)
	if err != nil {
		if !errors.Is(err, r.Context().Err()) {
			ad.logUnavailable(want.Backend, err)
		}
		return unavailable("The state of the object cannot be read now; try again later.")
	}
	body := describe(want, view.Entry)
	body.Progress = ad.progressOf(r.Context(), want, view, isOperator)
	body.Direct = t.service.Rules.IsDirect(t.object)
	if view.Entry.State == cache.Present {
		if link, err := ad.engine.Link(r.Context(), want, view.Entry.Generation, http.MethodGet); err == nil {
			body.Location = link.URL // without it the rest is still true
		}
	}
	if body.Error != nil && isOperator {
		body.Error.Cause = view.Entry.Failure.Cause
	}
	return okJSON(body)
}

// parseStatusTarget reads what a status is about. The object of a copy's address has no URL
// that the service could allow; the answer has the copy's location, perhaps signed.
// So it is for operators.
func (ad *administration) parseStatusTarget(r *http.Request, isOperator bool) (t copyTarget, refusal *answer) {
	t, refusal = ad.parseCopyTarget(r, api.StatusPrefix, isOperator)
	switch {
	case refusal != nil:
		return t, refusal
	case t.backend == nil:
		return t, refuse(unknownBackend())
	case t.generation != "" && !isOperator:
		return t, refuse(unauthorized(r.Header["Authorization"] != nil))
	case t.generation != "":
		return t, nil
	}
	if !isOperator {
		if _, err := cloudmirror.ParseObject(t.object.URL()); err != nil {
			return t, refuse(invalidURL(err))
		}
	}
	if !t.service.admits(t.object) {
		return t, refuse(notAllowed())
	}
	return t, nil
}

func describe(w engine.Want, e cache.Entry) *api.Status {
	body := &api.Status{
		State: publicState(e.State), URL: w.Object.URL(), Service: w.Backend.Service, Region: w.Backend.Region,
		Tries: e.Tries,
	}
	switch e.State {
	case cache.Present:
		body.SizeBytes, body.SHA256 = &e.Copy.SizeBytes, e.Copy.SHA256
		body.StoredAt, body.ExpiresAt = timestamp(e.Copy.StoredAt), timestamp(e.Until)
	case cache.Failed:
		body.ExpiresAt = timestamp(e.Until)
	case cache.Absent, cache.Reserved, cache.Queued, cache.Copying, cache.Tombstone, cache.Fenced, cache.Evicting:
	}
	body.Error = describeFailure(e.Failure)
	return body
}

// describeFailure returns a failure as all clients may see it; nil for nil.
func describeFailure(f *cache.FailedTry) *api.CopyError {
	if f == nil {
		return nil
	}
	shown := &api.CopyError{Code: f.Code, Message: sentence(f.Message), Status: f.Status, Permanent: f.Permanent, RetryAt: timestamp(f.RetryAt)}
	if f.Permanent {
		shown.RetryAt = nil
	}
	return shown
}

// timestamp returns a time for JSON; nil if it is not known.
func timestamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Millisecond)
	return &t
}
