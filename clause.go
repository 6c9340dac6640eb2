package cloudmirror

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unicode"
)

// MaxClauseBytes bounds what Clause returns, and so what people read of an error.
const MaxClauseBytes = 240

// Clause returns an error for people: one line of at most MaxClauseBytes that says
// the cause, such as "connection refused (127.0.0.1:7002)" or "S3 PutObject:
// NoSuchBucket: The specified bucket does not exist". It leaves out what was being
// done, which the line around it says, retries, ids of requests, and of URLs the
// user and the query. The text is valid UTF-8 without control characters, whatever
// a server sent. The whole error is for the log's debug level.
//
// An error of this module with a method Clause() string is taken at its word. An error
// from At has the address of its server.
// Errors that were joined are separated by "; ". An error whose kind is not known is
// its own text. Of nil, Clause returns "".
func Clause(err error) string {
	if err == nil {
		return ""
	}
	return Line(cause(err), MaxClauseBytes)
}

// The methods by which errors of libraries are known; this package imports none.
type (
	// A clauser is an error that has words of its own.
	clauser interface {
		error
		Clause() string
	}
	// An apiError is what a service of AWS or S3 answered.
	apiError interface {
		error
		ErrorCode() string
		ErrorMessage() string
	}
	// A serviceCall is the error of a call of the AWS SDK.
	serviceCall interface {
		error
		Service() string
		Operation() string
		Unwrap() error
	}
	// A statusError is an answer over HTTP that is no success.
	statusError interface {
		error
		HTTPStatusCode() int
	}
	// A redisError is what Redis answered.
	redisError interface {
		error
		RedisError()
	}
)

// cause returns the clause of an error that is not nil, before it is bounded.
func cause(err error) string {
	if joined := parts(err, Clause); joined != nil {
		return strings.Join(joined, "; ")
	}
	if own, ok := errors.AsType[clauser](err); ok {
		return own.Clause()
	}
	if text := serviceCause(err); text != "" {
		return text
	}
	if text := networkCause(err); text != "" {
		return at(text, err)
	}
	if answer, ok := errors.AsType[redisError](err); ok {
		text, _, _ := strings.Cut(answer.Error(), " script: ") // Redis 7 adds the hash and the line
		return at(text, err)
	}
	if file, ok := errors.AsType[*fs.PathError](err); ok {
		return file.Error()
	}
	if link, ok := errors.AsType[*os.LinkError](err); ok {
		return link.Error()
	}
	if isTimeout(err) {
		if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
			return at("no connection in time", err)
		}
		return at("no answer in time", err)
	}
	if errors.Is(err, context.Canceled) {
		return "canceled"
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return at(errno.Error(), err)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return at(transportCause(op.Err), err)
	}
	if request, ok := errors.AsType[*url.Error](err); ok {
		return at(transportCause(request.Err), err)
	}
	if call, ok := errors.AsType[serviceCall](err); ok {
		return unknownCallCause(call)
	}
	if placed, ok := errors.AsType[*placedError](err); ok {
		return at(transportCause(placed.err), err)
	}
	return err.Error()
}

// parts returns the different texts of errors that errors.Join joined, or nil.
func parts(err error, textOf func(error) string) []string {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	var clauses, texts []string
	seen := make(map[string]bool)
	for _, e := range joined.Unwrap() {
		texts = append(texts, e.Error())
		if clause := textOf(e); !seen[clause] {
			seen[clause] = true
			clauses = append(clauses, clause)
		}
	}
	if strings.Join(texts, "\n") != err.Error() {
		return nil // fmt.Errorf with several %w: one sentence
	}
	return clauses
}

// serviceCause returns what a service answered that was called through the AWS SDK,
// or "".
func serviceCause(err error) string {
	answer, ok := errors.AsType[apiError](err)
	if !ok {
		return ""
	}
	code, message := answer.ErrorCode(), answer.ErrorMessage()
	if isNoCode(code) {
		if status, ok := errors.AsType[statusError](err); ok {
			code, message = "status "+strconv.Itoa(status.HTTPStatusCode()), ""
		}
	}
	if lettersOf(message) != lettersOf(code) && message != "" {
		code += ": " + message
	}
	return called(err, code)
}

// isNoCode reports whether the SDK made up a code because the answer had none.
func isNoCode(code string) bool { return code == "" || code == "UnknownError" }

func lettersOf(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}

// called names the innermost call in err's chain before what came of it. A call
// inside of another one asked for credentials.
func called(err error, text string) string {
	if call, ok := innermostCall(err); ok {
		return call.Service() + " " + call.Operation() + ": " + text
	}
	return text
}

func innermostCall(err error) (serviceCall, bool) {
	call, ok := errors.AsType[serviceCall](err)
	if !ok {
		return nil, false
	}
	for {
		inner, ok := errors.AsType[serviceCall](call.Unwrap())
		if !ok {
			return call, true
		}
		call = inner
	}
}

// unknownCallCause returns the clause of a call that neither the service nor the
// network ended: an answer that is none of the service's, or no credentials.
func unknownCallCause(call serviceCall) string {
	if status, ok := errors.AsType[statusError](call); ok && status.HTTPStatusCode() >= 300 {
		return called(call, "status "+strconv.Itoa(status.HTTPStatusCode()))
	}
	var innermost error = call
	for next := innermost; next != nil; next = errors.Unwrap(next) {
		innermost = next
	}
	return called(call, innermost.Error())
}

// networkCause returns what names, addresses, connections or certificates say, or
// "".
func networkCause(err error) string {
	if lookup, ok := errors.AsType[*net.DNSError](err); ok {
		return lookupCause(lookup)
	}
	if certificate, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return strings.TrimPrefix(certificate.Err.Error(), "x509: ")
	}
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return strings.TrimPrefix(unknown.Error(), "x509: ")
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		if errno, ok := errors.AsType[syscall.Errno](op); ok && !errno.Timeout() {
			return errno.Error()
		}
	}
	return ""
}

func lookupCause(lookup *net.DNSError) string {
	switch {
	case lookup.IsNotFound:
		return "no such host: " + lookup.Name
	case lookup.IsTimeout:
		return "no answer of the name servers in time: " + lookup.Name
	}
	return "look up " + lookup.Name + ": " + lookup.Err
}

func transportCause(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "the connection was closed"
	}
	return err.Error()
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

// at adds where it happened: the address of a connection, else the host that was
// asked, else the address that the driver named, else the call. A call that asked for credentials is always named: its
// address is not the one that was configured.
func at(text string, err error) string {
	outer, _ := errors.AsType[serviceCall](err)
	if inner, ok := innermostCall(err); ok && inner != outer {
		text = inner.Service() + " " + inner.Operation() + ": " + text
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return text
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Addr != nil {
		return text + " (" + op.Addr.String() + ")"
	}
	if request, ok := errors.AsType[*url.Error](err); ok {
		if u, parseErr := url.Parse(request.URL); parseErr == nil && u.Host != "" {
			return text + " (" + u.Host + ")"
		}
	}
	if placed, ok := errors.AsType[*placedError](err); ok && placed.place != "" && !strings.Contains(text, placed.place) {
		return strings.TrimSuffix(text, ".") + " (" + placed.place + ")"
	}
	if outer != nil {
		return text + " (" + outer.Service() + " " + outer.Operation() + ")"
	}
	return text
}
