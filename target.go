package cloudmirror

import (
	"encoding/base64"
	"net/url"
	"strings"
	"unicode/utf8"
)

// MaxTargetNameBytes is the greatest length of a file name behind a target, in
// bytes as it is written there.
const MaxTargetNameBytes = 255

// A Target is what the `:url` of a request says.
type Target struct {
	Object  Object
	Options []Option // each at most once; none in the literal form
	Name    string   // file name behind the base64 form, as it is written; it has no meaning
}

// ParseTarget reads the `:url` of a request: the raw rest of the request target
// behind `/v1/redirect/:service/:region/`.
//
// Three forms are understood:
//
//   - literal: it begins with http: or https:, is the URL verbatim with its
//     query, and nothing is decoded. `https:/host`, as slash-merging proxies
//     leave it, is read as `https://host`.
//   - percent-encoded (historic): decoded once, it contains a colon in front of
//     its first raw slash, if it has one. The colon itself may be literal, as
//     Go's url.PathEscape leaves it.
//   - base64, either alphabet, padded or not; unpadded base64url is the
//     documented form, and what [Object.Target] writes. A raw slash may separate
//     it from a file name of 1 to [MaxTargetNameBytes] bytes without a raw slash,
//     which is not decoded and has no meaning. Since the slash is also a digit of
//     base64, it separates only if the whole does not decode to text that begins
//     with http: or https:.
//
// In the encoded forms the query consists of options only, or of none: then it
// is the query of the URL, which must not have one already.
//
// An error is an [*URLError] or an [*OptionError].
func ParseTarget(rest string) (Target, error) { return parseTarget(rest, ParseObject) }

// ParseLegacyTarget is [ParseTarget] by [ParseLegacyObject], with the same limits
// to its use: to look for an old copy, or to remove it.
func ParseLegacyTarget(rest string) (Target, error) { return parseTarget(rest, ParseLegacyObject) }

// parseTarget is ParseTarget with another rule for what a URL is.
func parseTarget(rest string, parse func(url string) (Object, error)) (Target, error) {
	if literal, ok := literalURL(rest); ok {
		o, err := parse(literal)
		return Target{Object: o}, err
	}
	encoded, query, _ := strings.Cut(rest, "?")
	options, own, err := splitQuery(query)
	if err != nil {
		return Target{}, err
	}
	decoded, name, err := decodeTarget(encoded)
	if err != nil {
		return Target{}, err
	}
	if own != "" {
		if strings.ContainsAny(decoded, "?#") { // behind a # it would be dropped
			return Target{}, urlErrorf("has a query or a fragment in its encoded form, so that only options of this server may stand behind it")
		}
		decoded += "?" + own
	}
	o, err := parse(decoded)
	if err != nil {
		return Target{}, err
	}
	return Target{Object: o, Options: options, Name: name}, nil
}

// literalURL returns the URL of a target in the literal form.
func literalURL(rest string) (literal string, ok bool) {
	_, after, found := cutScheme(rest)
	if !found || isEncodedSlashes(after) {
		return "", false
	}
	if strings.HasPrefix(after, "/") && !strings.HasPrefix(after, "//") {
		return strings.TrimSuffix(rest, after) + "/" + after, true
	}
	return rest, true
}

// isEncodedSlashes reports whether what follows a scheme's colon are two encoded
// slashes, which no literal URL has there.
func isEncodedSlashes(after string) bool {
	const slashes = "%2F%2F"
	return len(after) >= len(slashes) && strings.EqualFold(after[:len(slashes)], slashes)
}

// decodeTarget decodes a target in one of the encoded forms, without its query.
func decodeTarget(encoded string) (decoded, name string, err error) {
	first, rest, hasSlash := strings.Cut(encoded, "/")
	if first, err = unescape(first); err != nil {
		return "", "", err
	}
	if strings.Contains(first, ":") { // its slashes are the URL's
		decoded, err = unescape(encoded)
		return decoded, "", err
	}
	if !hasSlash {
		decoded, err = decodeBase64(first)
		return decoded, "", err
	}
	if whole, ok := decodeWhole(encoded); ok {
		return whole, "", nil
	}
	if decoded, err = decodeBase64(first); err != nil {
		return "", "", err
	}
	switch {
	case rest == "" || len(rest) > MaxTargetNameBytes:
		return "", "", urlErrorf("is followed by a file name of %d bytes, 1 to %d are allowed", len(rest), MaxTargetNameBytes)
	case strings.Contains(rest, "/"):
		return "", "", urlErrorf("is followed by a file name with a slash in it")
	}
	return decoded, rest, nil
}

// decodeWhole decodes base64 with a raw slash in it to text that begins like a
// URL. Whether it is one is not asked: of a URL whose query has a byte too many,
// what precedes the slash can be the same URL without that query, and a client
// that asks for the one must not get the other.
func decodeWhole(encoded string) (decoded string, ok bool) {
	if strings.Contains(encoded, ".") { // no digit; most names have one
		return "", false
	}
	plain, err := unescape(encoded)
	if err != nil {
		return "", false
	}
	if decoded, err = decodeBase64(plain); err != nil {
		return "", false
	}
	_, _, ok = cutScheme(decoded)
	return decoded, ok && isText([]byte(decoded))
}

// isText reports whether b is UTF-8 without ASCII's control characters.
func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(b)
}

// unescape decodes percent-encodings once.
func unescape(s string) (string, error) {
	s, err := url.PathUnescape(s)
	if err != nil {
		return "", urlErrorf("has a %% that two hexadecimal digits do not follow")
	}
	return s, nil
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
