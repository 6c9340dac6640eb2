package frontend

import (
	"net/http"

	"cloudmirror"
	"cloudmirror/cache"
)

// finalStatus returns the status that a permanent failure has for clients that want
// no fallback: the origin's own, or 403 for what is not allowed.
// It is 0 for failures that are trouble with the copy alone.
func finalStatus(f *cache.FailedTry) (int, outcome) {
	switch {
	case !f.Permanent:
	case f.Code == cloudmirror.CodeURLNotAllowed, f.Code == cloudmirror.CodeRedirectNotAllowed:
		return http.StatusForbidden, outcomeDenied
	case f.Code == cloudmirror.CodeOriginStatus && isAboutObject(f.Status):
		return f.Status, outcomeError
	}
	return 0, outcomeError
}

// isPassedOn reports whether a copy failed, and clients get the status of its failure,
// whatever their fallback is.
func isPassedOn(e cache.Entry) bool {
	if e.State != cache.Failed {
		return false
	}
	status, _ := finalStatus(e.Failure)
	return status != 0 && !concernsCopier(e.Failure)
}

// concernsCopier reports whether a failure with a final status may be about the
// copier that asked, and not about the object: a client may be let through, or be
// able to follow a redirect that leads out of the allow patterns.
func concernsCopier(f *cache.FailedTry) bool {
	return f.Code == cloudmirror.CodeRedirectNotAllowed || f.Code == cloudmirror.CodeOriginStatus && dependsOnClient(f.Status)
}

// dependsOnClient reports whether a status may be another for another client: for
// its credentials, address, place, user agent, and what it accepts and speaks (RFC
// 9110, section 15.5; RFC 7725).
func dependsOnClient(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusNotAcceptable,
		http.StatusProxyAuthRequired, http.StatusMisdirectedRequest, http.StatusUpgradeRequired, http.StatusUnavailableForLegalReasons:
		return true
	}
	return false
}

// isAboutObject reports whether an origin's status is about the object, or about the client
// that asks for it. The others are about the moment or about the origin, and copiers try
// them again.
func isAboutObject(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return status >= 400 && status < 500
}
