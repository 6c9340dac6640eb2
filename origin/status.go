package origin

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"cloudmirror"
)

// maxRetryAfter bounds what an origin can ask us to wait.
const maxRetryAfter = time.Hour

// statusFailure says what a final status other than 200 means for the copy of
// obj. Redirects without a target count as such.
func (c *Client) statusFailure(resp *http.Response, obj cloudmirror.Object) *cloudmirror.Failure {
	f := &cloudmirror.Failure{
		Code:      cloudmirror.CodeOriginStatus,
		Message:   statusMessage(resp.StatusCode),
		Status:    resp.StatusCode,
		Origin:    obj.Origin(),
		Permanent: !isTransient(resp.StatusCode),
		Err:       fmt.Errorf("get %s: %s", redacted(obj.URL()), statusText(resp.StatusCode)),
	}
	if isRedirect(resp.StatusCode) {
		f.Message += " without saying where to go"
	}
	if !f.Permanent {
		f.RetryAfter = parseRetryAfter(resp.Header.Get("Retry-After"), c.options.Now())
	}
	return f
}

// statusMessage says for clients what a status means for the object.
func statusMessage(status int) string {
	text := statusText(status)
	switch status {
	case http.StatusNotFound:
		return "not found at the origin (" + text + ")"
	case http.StatusGone:
		return "gone from the origin for good (" + text + ")"
	case http.StatusUnauthorized, http.StatusForbidden:
		return "the origin refuses the copier (" + text + ")"
	}
	return "the origin answered " + text
}

// isTransient reports whether a status may go away by itself. 508 will not: the
// URL leads back to this deployment.
func isTransient(status int) bool {
	switch status {
	case http.StatusAccepted, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusLoopDetected:
		return false
	}
	return status >= 500
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// parseRetryAfter reads Retry-After (RFC 9110, section 10.2.3): seconds, or a
// date. What is neither, or is past, is 0; the most is maxRetryAfter.
func parseRetryAfter(value string, now time.Time) time.Duration {
	if isDigits(value) {
		seconds, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			return maxRetryAfter // more than 32 bits of seconds
		}
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
