package copier

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"cloudmirror"
	"cloudmirror/origin"
	"cloudmirror/queue"
)

// checkSize returns a transient failure if the origin announces another size than
// the job expects.
func checkSize(order *queue.Order, response *origin.Response, server *host) error {
	if order.SizeBytes == 0 || response.SizeBytes < 0 || response.SizeBytes == order.SizeBytes {
		return nil
	}
	return otherSize(order, response.SizeBytes, server)
}

func otherSize(order *queue.Order, sizeBytes int64, server *host) error {
	return &cloudmirror.Failure{
		Code: cloudmirror.CodeObjectChanged, Origin: server.origin,
		Message: fmt.Sprintf("the object has %d bytes, and %d are expected", sizeBytes, order.SizeBytes),
	}
}

// expectedBody returns body or, if the job expects a size or a digest, a reader that
// ends with a transient failure in place of the last bytes of another body.
func expectedBody(body io.Reader, order *queue.Order, response *origin.Response, server *host) io.Reader {
	if order.SizeBytes == 0 && order.SHA256 == "" {
		return body
	}
	return &expectation{body: body, order: order, server: server, total: response.SizeBytes, hash: sha256.New()}
}

// An expectation reads a body that a job expects to have a size or a digest.
type expectation struct {
	body   io.Reader
	order  *queue.Order
	server *host
	total  int64 // bytes that the origin announces; -1: it does not say

	read int64
	hash hash.Hash
}

// Read implements io.Reader. Storage need not read on behind an announced length.
func (e *expectation) Read(p []byte) (int, error) {
	n, err := e.body.Read(p)
	e.read += int64(n)
	_, _ = e.hash.Write(p[:n]) // it never fails
	isEnd := err == io.EOF     // an error that wraps it is a broken connection
	isTooLong := e.order.SizeBytes > 0 && e.read > e.order.SizeBytes
	if isEnd || isTooLong || err == nil && e.read == e.total {
		if failure := e.check(); failure != nil {
			return 0, failure
		}
	}
	return n, err
}

// check judges the whole body.
func (e *expectation) check() error {
	if e.order.SizeBytes > 0 && e.read != e.order.SizeBytes {
		return otherSize(e.order, e.read, e.server)
	}
	if e.order.SHA256 != "" && hex.EncodeToString(e.hash.Sum(nil)) != e.order.SHA256 {
		return &cloudmirror.Failure{
			Code: cloudmirror.CodeDigestMismatch, Origin: e.server.origin,
			Message: "the object does not have the digest that is expected",
		}
	}
	return nil
}
