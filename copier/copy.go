package copier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"cloudmirror"
	"cloudmirror/mirror"
	"cloudmirror/origin"
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
	server, leave, err := t.joinServer(response.FinalURL)
	if err != nil {
		return storage.Info{}, err
	}
	defer leave()
	t.read.Store(0)
	t.total.Store(response.SizeBytes)
	t.logLeftOut(response.Header)
	return t.backend.Storage.Put(ctx, attempt.StorageKey(), t.body(ctx, response, server), storage.PutOptions{
		SizeBytes: response.SizeBytes,
		Header:    response.Header,
		Source:    t.delivery.Job.Object.URL(),
		ExpiresAt: expires,
		Replace:   replace,
	})
}

// body returns the reader that storage gets.
func (t *task) body(ctx context.Context, response *origin.Response, server *host) io.Reader {
	body := t.paced(ctx, response.Body)
	if t.connections <= 1 || t.delivery.Job.Tries > 0 {
		// What failed is tried over one connection: several may be the reason.
		return body
	}
	return &sectionedBody{Reader: body, task: t, response: response, server: server}
}

// paced returns a reader that keeps to the service's bandwidth and notes the
// progress of the copy.
func (t *task) paced(ctx context.Context, body io.Reader) io.Reader {
	return t.counting(throttled(ctx, body, t.backend.bandwidth))
}

// joinServer takes a turn of the host to which the origin has redirected, if it
// did: many hosts may redirect to one. It does not wait, for two hosts that
// redirect to each other would wait for ever; a *crowdedError says when to come
// back. Otherwise the caller calls leave. The server is the host that sends the
// bytes.
func (t *task) joinServer(finalURL string) (server *host, leave func(), err error) {
	final, err := cloudmirror.ParseObject(finalURL)
	if err != nil { // every final URL is one that was asked for
		return nil, nil, fmt.Errorf("copier: the URL of the last hop: %w", err)
	}
	if final.Host() == t.delivery.Job.Object.Host() {
		return t.try.host, func() {}, nil
	}
	host, began := t.hosts.visit(final.Host()), time.Now()
	if !host.tryTurn() {
		t.try.settle(t.delivery.Job.Object, nil) // the host that redirects is well
		defer t.hosts.leave(host)
		return nil, nil, &crowdedError{host: final.Host(), retryAfter: host.nextTurn()}
	}
	return host, func() {
		host.endTurn(began)
		t.hosts.leave(host)
	}, nil
}

// A crowdedError says that too many copies of a host run that serves the objects
// of others.
type crowdedError struct {
	host       string
	retryAfter time.Duration
}

func (e *crowdedError) Error() string { return "copier: too many copies of " + e.host + " run" }

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
