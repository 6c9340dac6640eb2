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
	f := &cloudmirror.Failure{Origin: obj.Origin(), Err: fmt.Errorf("get %s: %w", redacted(obj.URL()), cloudmirror.At(obj.Origin(), err))}
	var timeout net.Error
	_, isDial := errors.AsType[*dialError](err)
	_, isForbidden := errors.AsType[*forbiddenError](err)
	_, isCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	malformed, isMalformed := malformationOf(err)
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
	case isMalformed:
		f.Code, f.Message, f.Permanent = cloudmirror.CodeOriginMalformed, malformed.message, malformed.lasting
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
		Err: fmt.Errorf("get %s: %w", redacted(obj.URL()), cause),
	}
}

// maxShownBytes is how much of a URL an error repeats.
const maxShownBytes = 512

// redacted returns a URL without what may be a secret in it, its query, and without
// what is beyond maxShownBytes.
func redacted(url string) string {
	path, _, found := strings.Cut(url, "?")
	if len(path) > maxShownBytes {
		return path[:maxShownBytes] + "…"
	}
	if found {
		return path + "?…"
	}
	return url
}

// statusText names a status for people, also one that has no registered name.
func statusText(status int) string {
	if text := http.StatusText(status); text != "" {
		return fmt.Sprintf("%d %s", status, text)
	}
	return fmt.Sprint(status)
}
