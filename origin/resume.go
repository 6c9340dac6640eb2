package origin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"cloudmirror"
)

// Bounds of continuing a broken body.
const (
	maxResumes       = 3        // in a row without progress
	minProgressBytes = 64 << 10 // less is none
)

// A span is the bytes of an object from an offset on, over as many connections as
// it takes.
type span struct {
	ctx      context.Context // of the caller, for as long as the span is read
	exchange exchange
	open     func(context.Context, *byteRange) (*stream, error)
	stream   *stream // nil: nothing was asked for yet

	offset int64 // of the next byte
	until  int64 // where the span ends; -1: where the object does
	total  int64 // of the object; -1: not known
	of     validator
	ranges bool // the origin serves byte ranges

	took     time.Duration // that reads waited
	window   window        // of the least throughput; it outlives connections
	broken   error         // why the stream ended early, to be dealt with by the next read
	resumed  int           // connections in a row without progress
	progress int64         // the offset of the last one
}

// read reads once and gives up when the stream is idle for too long.
func (b *span) read(p []byte) (int, error) {
	s, began := b.stream, time.Now()
	s.watch(b.exchange.client.options.IdleTimeout)
	n, err := s.response.Body.Read(p)
	s.idle.Stop()
	waited := time.Since(began)
	b.took += waited
	b.window.add(n, waited)
	if err != nil && !isEnd(err) && errors.Is(context.Cause(s.ctx), errIdle) {
		err = fmt.Errorf("%w: %w", errIdle, err)
	}
	return n, err
}

// resume puts a stream of the rest in the place of a broken one, from the URL
// that was asked for on, through the same checks. It returns the failure that
// ends the body if that cannot be.
func (b *span) resume() *cloudmirror.Failure {
	failure := transportFailure(b.ctx, cmp.Or(b.broken, errNotAsked), b.object())
	if failure.Permanent || !b.ranges || !b.of.isSure {
		return failure
	}
	if b.offset-b.progress >= minProgressBytes {
		b.resumed = 0
	}
	for b.progress = b.offset; b.ctx.Err() == nil && b.resumed < maxResumes; {
		if b.stream != nil || b.resumed > 0 {
			b.pause()
		}
		b.resumed++
		if b.stream != nil {
			b.stream.close()
		}
		began := time.Now()
		rest, err := b.open(b.ctx, &byteRange{offset: b.offset, until: b.until, of: b.of})
		b.window.add(0, time.Since(began))
		if err == nil {
			return b.adopt(rest)
		}
		if failure = cloudmirror.AsFailure(err); failure.Permanent || failure.RetryAfter > 0 || failure.Code == cloudmirror.CodeObjectChanged {
			return failure
		}
	}
	return failure
}

var errNotAsked = errors.New("the context ended before the origin was asked")

// pause waits before another try, longer after each that brought nothing.
func (b *span) pause() {
	wait := time.NewTimer(b.exchange.client.options.ResumeDelay << b.resumed)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-b.ctx.Done():
	}
}

// adopt goes on with a stream, if it surely is the rest of the same object.
func (b *span) adopt(rest *stream) *cloudmirror.Failure {
	if failure := b.judge(rest.response); failure != nil {
		rest.close()
		return failure
	}
	b.stream, b.broken = rest, nil
	return nil
}

// judge holds the header of an answer to a range request against what is known
// of the object.
func (b *span) judge(r *http.Response) *cloudmirror.Failure {
	cannot := "the connection to the origin broke, and it does not go on where it stopped"
	if b.until >= 0 {
		cannot = "the origin does not send the part of the object that was asked for"
	}
	if of := newValidator(r.Header); !b.of.isOf(of) {
		return objectChanged(fmt.Errorf("it was ETag %s of %q and is ETag %s of %q", b.of.etag, b.of.modified, of.etag, of.modified), b.object())
	}
	if r.StatusCode != http.StatusPartialContent {
		return b.failure(cloudmirror.CodeOriginTruncated, cannot, errors.New("it ignores ranges"))
	}
	part, ok := parseContentRange(r.Header.Get("Content-Range"))
	if !ok || part.first != b.offset || b.until >= 0 && part.last >= b.until {
		return b.failure(cloudmirror.CodeOriginTruncated, cannot,
			fmt.Errorf("asked for %s, got %q", byteRange{offset: b.offset, until: b.until}, r.Header.Get("Content-Range")))
	}
	if b.total >= 0 && part.total >= 0 && part.total != b.total {
		return objectChanged(fmt.Errorf("its length was %d and is %d", b.total, part.total), b.object())
	}
	if b.total < 0 {
		b.total = part.total
	}
	if b.total < 0 || r.ContentLength >= 0 && r.ContentLength != part.last-part.first+1 {
		return b.failure(cloudmirror.CodeOriginTruncated, cannot, errors.New("its parts do not say where they end"))
	}
	return nil
}

// object returns what was asked for last.
func (b *span) object() cloudmirror.Object {
	if b.stream == nil {
		return b.exchange.object
	}
	return b.stream.object
}

// failure returns a transient failure of the last hop.
func (b *span) failure(code cloudmirror.Code, message string, cause error) *cloudmirror.Failure {
	f := &cloudmirror.Failure{Code: code, Message: message}
	if cause != nil {
		f.Err = fmt.Errorf("get %s: %w", redacted(b.object().URL()), cause)
	}
	return f
}
