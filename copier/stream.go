package copier

import (
	"context"
	"errors"
	"fmt"
	"io"

	"cloudmirror"
	"cloudmirror/engine"
	"cloudmirror/origin"
	"cloudmirror/presence"
	"cloudmirror/storage"
)

// copyWithinDeadline streams the object from its origin into storage, as a use that
// the host admitted, and no longer than a copy may take. An error is a *cloudmirror.Failure if the origin is to
// blame, and storage's otherwise.
func (t *task) copyWithinDeadline(ctx context.Context, attempt *engine.Attempt) (_ storage.Info, err error) {
	defer func() { t.visits.end(err) }()
	limited, cancel := context.WithTimeout(ctx, attempt.MaxDuration())
	defer cancel()
	info, err := t.storeOrFindCopy(limited, attempt)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return info, &cloudmirror.Failure{
			Code: cloudmirror.CodeOriginTimeout, Permanent: true, Err: err,
			Message: fmt.Sprintf("the object could not be copied within %v", attempt.MaxDuration()),
		}
	}
	return info, err
}

// storeOrFindCopy stores a copy of the object, or finds one that another copier stored.
func (t *task) storeOrFindCopy(ctx context.Context, attempt *engine.Attempt) (storage.Info, error) {
	info, err := t.streamToStorage(ctx, attempt, attempt.Replace())
	if !errors.Is(err, storage.ErrExist) {
		return info, err
	}
	// Another copier's copy is under this key: whole and verified, as all copies
	// are. Only one that is about to expire is of no use.
	info, err = t.backend.Storage.Stat(ctx, attempt.StorageKey())
	switch {
	case err == nil && attempt.IsGood(info):
		return info, nil
	case err == nil, errors.Is(err, storage.ErrNotExist):
		return t.streamToStorage(ctx, attempt, true)
	}
	return storage.Info{}, err
}

// streamToStorage asks the origin for the object and streams its body into storage. If
// a copy is there, and must not be replaced, the error is storage.ErrExist.
func (t *task) streamToStorage(ctx context.Context, attempt *engine.Attempt, replace bool) (storage.Info, error) {
	expires := attempt.ExpiresAt()
	rules := t.backend.Rules
	rules.Enter = t.visits.enter
	t.slot.pace.wait()
	response, err := t.origin.Get(ctx, rules, t.delivery.Job.Object)
	t.slot.pace.got(0)
	if err != nil {
		return storage.Info{}, cloudmirror.AsFailure(err)
	}
	defer response.Body.Close()
	server, err := t.visits.serve(response.FinalURL)
	if err != nil {
		return storage.Info{}, fmt.Errorf("copier: the URL of the last hop: %w", err)
	}
	t.activity.set(presence.Copying, server)
	t.read.Store(0)
	t.total.Store(response.SizeBytes)
	order := &t.delivery.Job.Order
	if err := checkSize(order, response, server); err != nil {
		return storage.Info{}, err
	}
	if response.SizeBytes > longBytes {
		if err := t.visits.lengthen(); err != nil {
			return storage.Info{}, err
		}
	}
	t.logLeftOut(response.Header)
	body := &storedBody{rest: expectedBody(t.measured(ctx, response.Body), order, response, server), slot: t.slot}
	t.slot.awaitMemory()
	defer t.slot.gotMemory(noMemory)
	return t.backend.Storage.Put(ctx, attempt.StorageKey(), t.sectioned(body, response, server), storage.PutOptions{
		SizeBytes: response.SizeBytes,
		Header:    response.Header,
		Source:    t.delivery.Job.Object.URL(),
		ExpiresAt: expires,
		Replace:   replace,
	})
}

// sectioned returns the reader that storage gets: one that it may read in sections,
// if the copy may have several connections.
func (t *task) sectioned(body *storedBody, response *origin.Response, server *host) io.Reader {
	if job := t.delivery.Job; t.connections <= 1 || job.Tries > 0 || job.Slow > 0 || job.SHA256 != "" {
		// What failed or was slow is tried over one connection: several may be the
		// reason. A digest is that of bytes in their order.
		return body
	}
	return &sectionedBody{storedBody: body, task: t, response: response, server: server}
}

// A storedBody tells the slot of a copy what memory storage has for it, by how
// storage reads: once it has got memory for the beginning, and beyond slowBytes once
// it has got all that it needs to go on (s3store.Buffers).
type storedBody struct {
	rest io.Reader
	slot *slot
	read int
}

// Read implements io.Reader.
func (b *storedBody) Read(p []byte) (int, error) {
	if b.read > slowBytes+1 { // storage may read a byte ahead before it waits
		return b.rest.Read(p)
	}
	if b.read < slowBytes {
		b.slot.gotMemory(beginning)
	} else {
		b.slot.gotMemory(whole)
	}
	n, err := b.rest.Read(p)
	if b.read += n; err == nil && (b.read == slowBytes || b.read == slowBytes+1) {
		b.slot.awaitMemory()
	}
	return n, err
}

// measured returns a reader of what an origin sends. It keeps to the service's
// bandwidth, and notes the pace and the progress of the copy.
func (t *task) measured(ctx context.Context, body io.Reader) io.Reader {
	pace := t.slot.pace
	waited := readerFunc(func(p []byte) (int, error) {
		pace.wait()
		n, err := body.Read(p)
		pace.got(n)
		return n, err
	})
	return t.countProgress(throttled(ctx, waited, t.backend.bandwidth))
}

// countProgress returns a reader that notes the progress of the copy.
func (t *task) countProgress(body io.Reader) io.Reader {
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
