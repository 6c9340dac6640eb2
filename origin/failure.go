package origin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"cloudmirror"
)

// errIdle ends a request whose body brings no bytes.
var errIdle = errors.New("no bytes for the idle timeout")

func notAllowed(message string, cause error) *cloudmirror.Failure {
	return &cloudmirror.Failure{Code: cloudmirror.CodeURLNotAllowed, Message: message, Permanent: true, Err: cause}
}

// transportFailure says what an error of the transport or of a body means for
// the copy of obj. The context is the one of the caller, who may have given up.
func transportFailure(ctx context.Context, err error, obj cloudmirror.Object) *cloudmirror.Failure {
	f := &cloudmirror.Failure{Origin: obj.Origin(), Err: withoutQuery(fmt.Errorf("get %s: %w", redacted(obj.URL()), err), obj)}
	var timeout net.Error
	_, isDial := errors.AsType[*dialError](err)
	_, isForbidden := errors.AsType[*forbiddenError](err)
	_, isCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		f.Code, f.Message = cloudmirror.CodeOriginTimeout, "the origin took longer than a copy may take"
	case ctx.Err() != nil:
		f.Code, f.Message = cloudmirror.CodeInternal, "the copy was stopped"
	case isForbidden:
		f.Code, f.Message, f.Permanent = cloudmirror.CodeURLNotAllowed, forbiddenAddressMessage, true
	case isDial:
		f.Code, f.Message = cloudmirror.CodeOriginUnreachable, "the origin cannot be reached"
	case isCertificate:
		f.Code, f.Message, f.Permanent = cloudmirror.CodeOriginUnreachable, "the origin's certificate is not valid", true
	case errors.Is(err, errIdle) || errors.As(err, &timeout) && timeout.Timeout():
		f.Code, f.Message = cloudmirror.CodeOriginTimeout, "the origin is too slow"
	case errors.Is(err, io.ErrUnexpectedEOF):
		f.Code, f.Message = cloudmirror.CodeOriginTruncated, "the origin's answer ended early"
	default:
		f.Code, f.Message = cloudmirror.CodeOriginUnreachable, "the connection to the origin broke"
	}
	return f
}

// objectChanged is the transient failure of a body whose rest is another
// object's: a new try gets that one from its beginning.
func objectChanged(cause error, obj cloudmirror.Object) *cloudmirror.Failure {
	return &cloudmirror.Failure{
		Code: cloudmirror.CodeObjectChanged, Message: "the object changed while it was read",
		Err: withoutQuery(fmt.Errorf("get %s: %w", redacted(obj.URL()), cause), obj),
	}
}

// redacted returns a URL without what may be a secret in it: its query.
func redacted(url string) string {
	if path, _, found := strings.Cut(url, "?"); found {
		return path + "?…"
	}
	return url
}

// A redactedError reads like its cause, with a secret left out.
type redactedError struct {
	text  string
	cause error
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.cause }

// withoutQuery returns err without obj's query in its text: origins repeat what
// they were asked for in places that errors quote.
func withoutQuery(err error, obj cloudmirror.Object) error {
	_, query, _ := strings.Cut(obj.URL(), "?")
	if query == "" || !strings.Contains(err.Error(), query) {
		return err
	}
	return &redactedError{text: strings.ReplaceAll(err.Error(), query, "…"), cause: err}
}

// statusText names a status for people, also one that has no registered name.
func statusText(status int) string {
	if text := http.StatusText(status); text != "" {
		return fmt.Sprintf("%d %s", status, text)
	}
	return fmt.Sprint(status)
}
