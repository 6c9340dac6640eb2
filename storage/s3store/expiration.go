package s3store

import (
	"net/http"
	"strings"
	"time"
)

// parseExpiration reads an x-amz-expiration header,
//
//	expiry-date="Fri, 23 Dec 2012 00:00:00 GMT", rule-id="picture-deletion-rule"
//
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html). Anything
// that is not exactly a list of such pairs with one expiry-date is refused.
func parseExpiration(header string) (expires time.Time, ok bool) {
	for rest := header; ; {
		name, quoted, found := strings.Cut(rest, `="`)
		value, after, closed := strings.Cut(quoted, `"`)
		if !found || !closed || name == "" || strings.ContainsAny(name, `", `) {
			return time.Time{}, false
		}
		if name == "expiry-date" {
			t, err := http.ParseTime(value)
			if err != nil || !expires.IsZero() || t.IsZero() {
				return time.Time{}, false
			}
			expires = t
		}
		if after == "" {
			return expires, !expires.IsZero()
		}
		if rest, found = strings.CutPrefix(after, ", "); !found {
			return time.Time{}, false
		}
	}
}

// earliest returns the earlier of two times, of which zero means never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
