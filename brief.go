package cloudmirror

import (
	"net"
	"net/url"
	"strings"
)

// MaxBriefBytes bounds what Brief returns.
const MaxBriefBytes = 1 << 10

// Brief returns an error with what was being done, for places that do not say it:
// the words of this module as they are, and an error of a library as its clause. It
// is one line of at most MaxBriefBytes, with the same promises as Clause. Of nil, it
// returns "".
func Brief(err error) string {
	if err == nil {
		return ""
	}
	if joined := parts(err, Brief); joined != nil {
		return Line(strings.Join(joined, "; "), MaxBriefBytes)
	}
	text := err.Error()
	if inner := foreign(err); inner != nil {
		text = strings.Replace(text, inner.Error(), Clause(inner), 1)
	}
	return Line(text, MaxBriefBytes)
}

// foreign returns the outermost error in err's chain that has a clause of its own, that
// a driver got from a server or that a library made, or nil. A Failure is neither: its text has more than its clause.
func foreign(err error) error {
	switch err.(type) { //nolint:errorlint // this very error: its chain is walked below
	case *Failure:
	case clauser, *placedError, apiError, serviceCall, redisError, *net.OpError, *net.DNSError, *url.Error:
		return err
	}
	switch wrapper := err.(type) { //nolint:errorlint // as above
	case interface{ Unwrap() error }:
		if inner := wrapper.Unwrap(); inner != nil {
			return foreign(inner)
		}
	case interface{ Unwrap() []error }:
		for _, e := range wrapper.Unwrap() {
			if inner := foreign(e); inner != nil {
				return inner
			}
		}
	}
	return nil
}
