package cloudmirror

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// A Code names a kind of failure in answers, metrics and entries.
type Code string

// The codes of failures. Each is part of the HTTP interface.
const (
	CodeOriginStatus       Code = "OriginStatus"       // the origin answered with an error status
	CodeURLNotAllowed      Code = "URLNotAllowed"      // the URL is outside the allow patterns or ports, or a hop leads to a forbidden address
	CodeRedirectNotAllowed Code = "RedirectNotAllowed" // the origin redirects to a URL outside the allow patterns or ports, or to what is no origin URL
	CodeURLDirect          Code = "URLDirect"          // the URL matches a direct pattern: it is never copied
	CodeInvalidURL         Code = "InvalidURL"         // not an origin URL
	CodeObjectTooLarge     Code = "ObjectTooLarge"     // larger than the service's max_object_size
	CodeTooManyRedirects   Code = "TooManyRedirects"   // more hops than allowed
	CodeOriginUnreachable  Code = "OriginUnreachable"  // no connection, or it broke
	CodeOriginTimeout      Code = "OriginTimeout"      // connected, but too slow
	CodeOriginMalformed    Code = "OriginMalformed"    // the answer is no valid HTTP
	CodeOriginTruncated    Code = "OriginTruncated"    // the body ended early or ran over
	CodeDigestMismatch     Code = "DigestMismatch"     // the body is not what the origin's digest says
	CodeObjectChanged      Code = "ObjectChanged"      // the object changed while it was read
	CodeOriginPaused       Code = "OriginPaused"       // its host is left alone for a while
	CodeCopierLost         Code = "CopierLost"         // copies were begun and never ended: copiers died over the object
	CodeStorageFailed      Code = "StorageFailed"      // our storage refused or broke
	CodeInternal           Code = "Internal"           // anything else on our side
)

// A Failure is why there is no copy: what clients may know (Code, Message,
// Status), what the retry policy needs (Permanent, RetryAfter) and the private
// cause for operators. It is an immutable value once made.
type Failure struct { //nolint:errname // a failure is kept and shown; being an error is only its way there
	Code       Code
	Message    string        // one sentence for clients, without anything private
	Status     int           // the origin's HTTP status, with CodeOriginStatus; else 0
	Permanent  bool          // trying again soon cannot help
	RetryAfter time.Duration // the least wait the origin asked for; 0: none
	Origin     string        // scheme, host and port of the hop that failed, as Object.Origin has them; empty: no host's doing
	Err        error         // the private cause; may be nil
}

// Error returns the code, the message and the private cause.
func (f *Failure) Error() string {
	if f.Err == nil {
		return fmt.Sprintf("%s: %s", f.Code, f.Message)
	}
	return fmt.Sprintf("%s: %s: %v", f.Code, f.Message, f.Err)
}

// Clause returns the message and, if it says more, the clause of the private cause.
func (f *Failure) Clause() string {
	message, cause := strings.TrimSuffix(f.Message, "."), Clause(f.Err)
	last := cause[strings.LastIndex(cause, ": ")+1:]
	if cause == "" || strings.Contains(message, strings.TrimSpace(last)) {
		return message
	}
	return message + ": " + cause
}

// Unwrap returns the private cause.
func (f *Failure) Unwrap() error { return f.Err }

// AsFailure returns the Failure in err's chain, or wraps err as a transient
// CodeInternal failure. It returns nil for nil.
func AsFailure(err error) *Failure {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	return &Failure{Code: CodeInternal, Message: "the copier failed; it is no fault of the origin", Err: err}
}
