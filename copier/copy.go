package copier

import (
	"context"
	"errors"
	"fmt"
	"io"

	"cloudmirror"
	"cloudmirror/mirror"
	"cloudmirror/storage"
)

// copy streams the object from its origin into storage, within a try that the
// host's breaker admitted. An error is a *cloudmirror.Failure if the origin is to
// blame, and storage's otherwise.
func (t *task) copy(ctx context.Context, attempt *mirror.Attempt) (_ storage.Info, err error) {
	defer func() { t.try.settle(t.delivery.Job.Object, err) }()
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
	response, err := t.origin.Get(ctx, t.backend.Rules, t.delivery.Job.Object)
	if err != nil {
		return storage.Info{}, cloudmirror.AsFailure(err)
	}
	defer response.Body.Close()
	t.read.Store(0)
	t.total.Store(response.SizeBytes)
	return t.backend.Storage.Put(ctx, attempt.StorageKey(), t.counting(throttled(ctx, response.Body, t.backend.bandwidth)), storage.PutOptions{
		SizeBytes: response.SizeBytes,
		Header:    response.Header,
		Source:    t.delivery.Job.Object.URL(),
		ExpiresAt: expires,
		Replace:   replace,
	})
}

// counting returns a reader that notes the progress of the copy.
func (t *task) counting(body io.Reader) io.Reader {
	bytes := t.metrics.bytes.WithLabelValues(t.backend.ID.Service, t.backend.ID.Region)
	return readerFunc(func(p []byte) (int, error) {
		n, err := body.Read(p)
		if t.read.Add(int64(n)) >= provenBytes {
			t.try.settle(t.delivery.Job.Object, nil)
		}
		bytes.Add(float64(n))
		return n, err
	})
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
