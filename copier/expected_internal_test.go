package copier

import (
	"errors"
	"io"
	"strings"
	"testing"

	"cloudmirror"
	"cloudmirror/origin"
	"cloudmirror/queue"
)

// Storage need not read on behind an announced length: then it must not have got the
// last bytes of another body.
func TestTheLastBytesOfAnotherBodyAreNotHandedOut(t *testing.T) {
	t.Parallel()
	order := &queue.Order{SHA256: strings.Repeat("0a", 32)}
	body := expectedBody(strings.NewReader("bytes"), order, &origin.Response{SizeBytes: 5}, &host{})
	n, err := io.ReadFull(body, make([]byte, 5))
	if f, ok := errors.AsType[*cloudmirror.Failure](err); n != 0 || !ok || f.Code != cloudmirror.CodeDigestMismatch {
		t.Errorf("read %d bytes, error %v, want none and the failure", n, err)
	}
}
