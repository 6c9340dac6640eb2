package origin

import (
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

// resume puts a stream of the rest in the place of a broken one, from the URL
// that was asked for on, through the same checks. It returns the failure that
// ends the body if that cannot be.
func (b *body) resume() *cloudmirror.Failure {
	failure := transportFailure(b.ctx, b.broken, b.stream.object)
	if !b.ranges || !b.of.isSure {
		return failure
	}
	if b.offset-b.progress >= minProgressBytes {
		b.resumed = 0
	}
	for b.progress = b.offset; b.ctx.Err() == nil && b.resumed < maxResumes; {
		b.pause()
		b.resumed++
		b.stream.close()
		rest, err := b.exchange.open(b.ctx, &byteRange{offset: b.offset, of: b.of})
		if err == nil {
			return b.adopt(rest)
		}
		if failure = cloudmirror.AsFailure(err); failure.Permanent || failure.RetryAfter > 0 || failure.Code == cloudmirror.CodeObjectChanged {
			return failure
		}
	}
	return failure
}

// pause waits before another try, longer after each that brought nothing.
func (b *body) pause() {
	wait := time.NewTimer(b.exchange.client.options.ResumeDelay << b.resumed)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-b.ctx.Done():
	}
}

// adopt goes on with a stream, if it surely is the rest of the same object.
func (b *body) adopt(rest *stream) *cloudmirror.Failure {
	if failure := b.judge(rest.response); failure != nil {
		rest.close()
		return failure
	}
	b.stream, b.broken = rest, nil
	return nil
}

// judge holds the header of an answer to a range request against what is known
// of the object.
func (b *body) judge(r *http.Response) *cloudmirror.Failure {
	const cannot = "the connection to the origin broke, and it does not go on where it stopped"
	if of := newValidator(r.Header); !b.of.isOf(of) {
		return objectChanged(fmt.Errorf("it was ETag %s of %q and is ETag %s of %q", b.of.etag, b.of.modified, of.etag, of.modified), b.stream.object)
	}
	if r.StatusCode != http.StatusPartialContent {
		return b.failure(cloudmirror.CodeOriginTruncated, cannot, errors.New("it ignores ranges"))
	}
	part, ok := parseContentRange(r.Header.Get("Content-Range"))
	if !ok || part.first != b.offset {
		return b.failure(cloudmirror.CodeOriginTruncated, cannot,
			fmt.Errorf("asked for the bytes from %d on, got %q", b.offset, r.Header.Get("Content-Range")))
	}
	if b.total >= 0 && part.total >= 0 && part.total != b.total {
		return objectChanged(fmt.Errorf("its length was %d and is %d", b.total, part.total), b.stream.object)
	}
	if b.total < 0 {
		b.total = part.total
	}
	if b.total < 0 || r.ContentLength >= 0 && r.ContentLength != part.last-part.first+1 {
		return b.failure(cloudmirror.CodeOriginTruncated, cannot, errors.New("its parts do not say where they end"))
	}
	return nil
}
