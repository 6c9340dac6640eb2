package copier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"cloudmirror"
	"cloudmirror/mirror"
	"cloudmirror/origin"
	"cloudmirror/storage"
)

// copy streams the object from its origin into storage, within a try that the
// host admitted. An error is a *cloudmirror.Failure if the origin is to
// blame, and storage's otherwise.
func (t *task) copy(ctx context.Context, attempt *mirror.Attempt) (_ storage.Info, err error) {
	defer func() { t.visits.end(err) }()
	limited, cancel := context.WithTimeout(ctx, attempt.MaxDuration())
	defer cancel()
	info, err := t.transferOrFind(limited, attempt)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return info, &cloudmirror.Failure{
			Code: cloudmirror.CodeOriginTimeout, Permanent: true, Err: err,
			Message: fmt.Sprintf("The object could not be copied within %v.", attempt.MaxDuration()),
		}
	}
	return info, err
}

// transferOrFind transfers the object unless its place is taken meanwhile.
func (t *task) transferOrFind(ctx context.Context, attempt *mirror.Attempt) (storage.Info, error) {
	info, err := t.transfer(ctx, attempt, attempt.Replace())
	if !errors.Is(err, storage.ErrExist) {
		return info, err
	}
	// Somebody else's copy is in our place: whole and verified, as all copies
	// are. Only one that is about to expire is of no use.
	info, err = t.backend.Storage.Stat(ctx, attempt.StorageKey())
	switch {
	case err == nil && attempt.IsGood(info):
		return info, nil
	case err == nil, errors.Is(err, storage.ErrNotExist):
		return t.transfer(ctx, attempt, true)
	}
	return storage.Info{}, err
}

func (t *task) transfer(ctx context.Context, attempt *mirror.Attempt, replace bool) (storage.Info, error) {
	expires := attempt.ExpiresAt()
	rules := t.backend.Rules
	rules.Enter = t.visits.enter
	t.place.pace.wait()
	response, err := t.origin.Get(ctx, rules, t.delivery.Job.Object)
	t.place.pace.got(0)
	if err != nil {
		return storage.Info{}, cloudmirror.AsFailure(err)
	}
	defer response.Body.Close()
	server, err := t.visits.serve(response.FinalURL)
	if err != nil {
		return storage.Info{}, fmt.Errorf("copier: the URL of the last hop: %w", err)
	}
	t.read.Store(0)
	t.total.Store(response.SizeBytes)
	t.logLeftOut(response.Header)
	body, err := t.beginBody(ctx, response)
	if err != nil {
		return storage.Info{}, err
	}
	body.asked = t.place.awaitStorage()
	defer body.asked()
	return t.backend.Storage.Put(ctx, attempt.StorageKey(), t.sectioned(body, response, server), storage.PutOptions{
		SizeBytes: response.SizeBytes,
		Header:    response.Header,
		Source:    t.delivery.Job.Object.URL(),
		ExpiresAt: expires,
		Replace:   replace,
	})
}

// beginBody reads the beginning of a body. Only then is storage asked to take it,
// so that no copy whose origin drips holds memory there.
func (t *task) beginBody(ctx context.Context, response *origin.Response) (*begunBody, error) {
	rest := t.stream(ctx, response.Body)
	size := int64(slowBytes)
	if response.SizeBytes >= 0 {
		size = min(size, response.SizeBytes)
	}
	beginning := make([]byte, size)
	n, err := io.ReadFull(rest, beginning)
	switch err { // ReadFull returns these two themselves; what wraps them is a failure of the body
	case nil:
	case io.EOF, io.ErrUnexpectedEOF:
		rest = http.NoBody
	default:
		return nil, err
	}
	return &begunBody{beginning: bytes.NewReader(beginning[:n]), rest: rest}, nil
}

// sectioned returns the reader that storage gets: one that it may read in sections,
// if the copy may have several connections.
func (t *task) sectioned(body *begunBody, response *origin.Response, server *host) io.Reader {
	if t.connections <= 1 || t.delivery.Job.Tries > 0 || t.delivery.Job.Slow > 0 {
		// What failed or was slow is tried over one connection: several may be the
		// reason.
		return body
	}
	return &sectionedBody{begunBody: body, task: t, response: response, server: server}
}

// A begunBody is a body whose beginning is in memory.
type begunBody struct {
	asked     func() // is called by each read of storage
	beginning *bytes.Reader
	rest      io.Reader
}

// Read implements io.Reader.
func (b *begunBody) Read(p []byte) (int, error) {
	b.asked()
	if b.beginning.Len() > 0 {
		return b.beginning.Read(p)
	}
	return b.rest.Read(p)
}

// stream returns a reader of what an origin sends. It keeps to the service's
// bandwidth, and notes the pace and the progress of the copy.
func (t *task) stream(ctx context.Context, body io.Reader) io.Reader {
	pace := t.place.pace
	waited := readerFunc(func(p []byte) (int, error) {
		pace.wait()
		n, err := body.Read(p)
		pace.got(n)
		return n, err
	})
	return t.counting(throttled(ctx, waited, t.backend.bandwidth))
}

// counting returns a reader that notes the progress of the copy.
func (t *task) counting(body io.Reader) io.Reader {
	total := t.metrics.bytes.WithLabelValues(t.backend.ID.Service, t.backend.ID.Region)
	return readerFunc(func(p []byte) (int, error) {
		n, err := body.Read(p)
		if t.read.Add(int64(n)) >= provenBytes {
			t.visits.proven()
		}
		total.Add(float64(n))
		return n, err
	})
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
