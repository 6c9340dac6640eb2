package origin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"cloudmirror"
)

// A body is the verifying reader of one object, over as many connections as it
// takes.
type body struct {
	span
	verifier verifier
	sections *Sections // nil: it is read in order
	end      error     // what Read returns from now on: io.EOF or a failure
}

// newBody judges the header of a 200 answer, and returns its body.
func newBody(ctx context.Context, e exchange, s *stream) (*body, *cloudmirror.Failure) {
	response := s.response
	b := &body{
		span: span{
			ctx: ctx, exchange: e, open: e.open, stream: s, until: -1,
			total:  response.ContentLength,
			of:     newValidator(response.Header),
			ranges: strings.EqualFold(response.Header.Get("Accept-Ranges"), "bytes"),
		},
		verifier: newVerifier(statements(response.Header)),
	}
	if limit := e.rules.MaxObjectBytes; limit > 0 && b.total > limit {
		return nil, b.tooLarge()
	}
	if endsWithConnection(response) && len(b.verifier.statements) == 0 {
		// Every try would end here, for nothing tells a whole body from a broken
		// one.
		return nil, &cloudmirror.Failure{
			Code: cloudmirror.CodeOriginTruncated, Permanent: true,
			Message: "the origin states neither a length nor a digest, so that nobody can tell whether its answer is complete",
			Err:     fmt.Errorf("get %s: the body ends with its connection", redacted(s.object.URL())),
		}
	}
	return b, nil
}

// endsWithConnection reports whether only the end of the connection ends the
// body (RFC 9112, section 6.3, rule 8).
func endsWithConnection(r *http.Response) bool {
	return r.ProtoMajor < 2 && r.ContentLength < 0 && !slices.Contains(r.TransferEncoding, "chunked")
}

// Read implements io.Reader, with the promises of Response.Body.
func (b *body) Read(p []byte) (int, error) {
	for b.end == nil {
		if b.broken != nil {
			if failure := b.resume(); failure != nil {
				b.end = b.exchange.hide(failure)
				break
			}
		}
		n, err := b.read(p)
		if b.end = b.exchange.hide(b.count(p[:n], err)); b.end != nil && !isEnd(b.end) {
			break
		}
		if n > 0 || len(p) == 0 {
			return n, nil
		}
	}
	return 0, b.end
}

// isEnd reports whether a reader came to its end. Only io.EOF itself says so: an
// error that wraps it is a broken connection.
func isEnd(err error) bool {
	return err == io.EOF //nolint:errorlint // see above
}

// count takes a read into account and returns what ends the body, if anything
// does. The last bytes of an announced length are judged before they are
// delivered: a reader that stops there has not got a body that fails.
func (b *body) count(p []byte, err error) error {
	b.offset += int64(len(p))
	b.verifier.write(p)
	if limit := b.exchange.rules.MaxObjectBytes; limit > 0 && b.offset > limit {
		return b.tooLarge()
	}
	switch {
	case b.total >= 0 && b.offset > b.total:
		return b.failure(cloudmirror.CodeOriginTruncated, "the origin sent more than it announced",
			fmt.Errorf("read %d bytes of %d", b.offset, b.total))
	case b.total >= 0 && b.offset == b.total && err == nil:
		return b.readEnd()
	case b.offset == b.total, b.total < 0 && isEnd(err):
		return b.verify()
	case isEnd(err):
		b.broken = io.ErrUnexpectedEOF
	case err != nil:
		b.broken = err
	default:
		return b.tooSlow()
	}
	return nil
}

// readEnd makes sure that nothing follows the announced length.
func (b *body) readEnd() error {
	n, err := b.read(make([]byte, 1))
	if n == 0 && err == nil {
		return nil // a stream may do so; the next Read asks again
	}
	return b.count(make([]byte, n), cmp.Or(err, io.EOF))
}

// verify returns io.EOF for a body that is whole, else the failure.
func (b *body) verify() error {
	if err := b.verifier.check(); err != nil {
		return b.failure(cloudmirror.CodeDigestMismatch, "the body is not what the origin's digest says", err)
	}
	return io.EOF
}

// Close ends the request. What was not read is lost.
func (b *body) Close() error {
	b.stream.close()
	if b.sections != nil {
		b.sections.close()
	}
	if b.end == nil {
		b.end = b.failure(cloudmirror.CodeInternal, "the copy was stopped", errors.New("read of a closed body"))
	}
	return nil
}

func (b *body) tooLarge() *cloudmirror.Failure {
	limit := b.exchange.rules.MaxObjectBytes
	f := b.failure(cloudmirror.CodeObjectTooLarge, fmt.Sprintf("the object is larger than the %d bytes allowed", limit), nil)
	f.Permanent = true
	return f
}
