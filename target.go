package cloudmirror

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// ParseTarget reads the `:url` of a request: the raw rest of the request target
// behind `/v1/redirect/:service/:region/`. It returns the object and, in the
// encoded forms, the raw query string that is addressed to cloudmirror itself.
//
// Three forms are understood:
//
//   - literal: it begins with http: or https:, is the URL verbatim with its
//     query, and nothing is decoded. `https:/host`, as slash-merging proxies
//     leave it, is read as `https://host`.
//   - percent-encoded (historic): decoded once, it contains a colon. The colon
//     itself may be literal, as Go's url.PathEscape leaves it.
//   - base64, either alphabet, padded or not; unpadded base64url is the
//     documented form, and what [Object.Target] writes.
//
// An error is an [*URLError].
func ParseTarget(rest string) (o Object, query string, err error) {
	return parseTarget(rest, ParseObject)
}

// ParseLegacyTarget is [ParseTarget] by [ParseLegacyObject], with the same limits
// to its use: to look for an old copy, or to remove it.
func ParseLegacyTarget(rest string) (o Object, query string, err error) {
	return parseTarget(rest, ParseLegacyObject)
}

func parseTarget(rest string, parse func(string) (Object, error)) (o Object, query string, err error) {
	if _, after, found := cutScheme(rest); found && !isEncodedSlashes(after) {
		if strings.HasPrefix(after, "/") && !strings.HasPrefix(after, "//") {
			rest = strings.TrimSuffix(rest, after) + "/" + after
		}
		o, err = parse(rest)
		return o, "", err
	}
	encoded, query, _ := strings.Cut(rest, "?")
	decoded, err := url.PathUnescape(encoded)
	if err != nil {
		return Object{}, "", urlErrorf("has a %% that two hexadecimal digits do not follow")
	}
	if !strings.Contains(decoded, ":") {
		if decoded, err = decodeBase64(decoded); err != nil {
			return Object{}, "", err
		}
	}
	o, err = parse(decoded)
	return o, query, err
}

// Target returns the documented form of the object's URL in a request: unpadded
// base64url (RFC 4648, section 5). ParseTarget(o.Target()) is o.
func (o Object) Target() string {
	return base64.RawURLEncoding.EncodeToString([]byte(o.url))
}

// RedirectURL returns the URL that asks the front end at server for the object.
func (o Object) RedirectURL(server string, backend BackendID) string {
	return strings.TrimSuffix(server, "/") + "/v1/redirect/" + backend.String() + "/" + o.Target()
}

// isEncodedSlashes reports whether what follows a scheme's colon are two encoded
// slashes, which no literal URL has there.
func isEncodedSlashes(after string) bool {
	const slashes = "%2F%2F"
	return len(after) >= len(slashes) && strings.EqualFold(after[:len(slashes)], slashes)
}

func decodeBase64(s string) (string, error) {
	if s == "" {
		return "", urlErrorf("is empty")
	}
	// The decoder passes over line breaks, which have no place in a URL.
	if strings.ContainsAny(s, "\r\n") {
		return "", urlErrorf("has a line break in its base64url form")
	}
	s = strings.TrimRight(s, "=")
	if strings.ContainsAny(s, "+/") {
		// Proxies and hand-written clients mix the alphabets: map one to the other.
		s = strings.NewReplacer("+", "-", "/", "_").Replace(s)
	}
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return "", urlErrorf("is neither a URL nor the base64url form of one")
	}
	return string(decoded), nil
}
