package frontend

import (
	"errors"
	"net/http"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/engine"
)

const statusPrefix = "/v1/status/"

// statusBody is an entry as clients see it. Members without a meaning in the
// state are left out.
type statusBody struct {
	State    string `json:"state"`         // absent, present, pending or error
	URL      string `json:"url,omitempty"` // the canonical origin URL; unknown by a copy's address
	Service  string `json:"service"`
	Region   string `json:"region"`
	Location string `json:"location,omitempty"` // of the copy
	Direct   bool   `json:"direct,omitempty"`   // clients are sent to the origin, whatever the state is

	SizeBytes *int64     `json:"size,omitempty"`
	SHA256    string     `json:"sha256,omitempty"`
	StoredAt  *time.Time `json:"stored_at,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`

	Tries int `json:"tries,omitempty"`
	progress

	Error *statusError `json:"error,omitempty"` // why the last try failed
}

type statusError struct {
	Code      cloudmirror.Code `json:"code"`
	Message   string           `json:"message"`
	Status    int              `json:"status,omitempty"` // the origin's
	Permanent bool             `json:"permanent"`
	RetryAt   *time.Time       `json:"retry_at,omitempty"`
	Cause     string           `json:"cause,omitempty"` // for operators
}

// status answers GET of /v1/status/:service/:region/:url; the URL may be that of
// the origin, of this mirror, or of a copy. It causes no copy. With a valid token it
// also knows copies of URLs with dot segments and by their addresses, and private
// causes and names of processes.
func (ad *administration) status(r *http.Request) answer {
	isOperator := ad.guard.isOperator(r)
	t, refusal := ad.findStatus(r, isOperator)
	if refusal != nil {
		return *refusal
	}
	want := engine.Want{Object: t.object, Backend: t.backend.id}
	view, err := ad.engine.Peek(r.Context(), want)
	if err != nil {
		if !errors.Is(err, r.Context().Err()) {
			ad.complain(want, err)
		}
		return unavailable("The state of the object cannot be read now; try again later.")
	}
	body := describe(want, view.Entry)
	body.progress = ad.progressOf(r.Context(), want, view, isOperator)
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

// findStatus finds what a status is about. The object of a copy's address has no URL
// that the service could allow; the answer has the copy's location, perhaps signed.
// So it is for operators.
func (ad *administration) findStatus(r *http.Request, isOperator bool) (t copyTarget, refusal *answer) {
	t, refusal = ad.findCopy(r, statusPrefix, isOperator)
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

func describe(w engine.Want, e cache.Entry) *statusBody {
	body := &statusBody{
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

// describeFailure returns a failure as everybody may see it; nil for nil.
func describeFailure(f *cache.Failure) *statusError {
	if f == nil {
		return nil
	}
	shown := &statusError{Code: f.Code, Message: sentence(f.Message), Status: f.Status, Permanent: f.Permanent, RetryAt: timestamp(f.RetryAt)}
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
