package cloudmirror

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Target returns the object's URL in unpadded base64url (RFC 4648, section 5).
// ParseTarget(o.Target()) is o, without options and without a name.
func (o Object) Target() string {
	return base64.RawURLEncoding.EncodeToString([]byte(o.url))
}

// NamedTarget returns the documented form of the object's URL in a request:
// Target, a slash, and the object's FileName, percent-encoded where a URL needs
// it. Clients that name or recognize a download by its URL (curl -O, wget, pip)
// find the name there. It is left out if the whole would be read as another URL;
// of a long one the last [MaxTargetNameBytes] bytes are kept, at most.
// ParseTarget(o.NamedTarget()) is o, without options.
func (o Object) NamedTarget() string {
	target, name := o.Target(), o.FileName()
	escaped := escapeName(name)
	for len(escaped) > MaxTargetNameBytes {
		_, size := utf8.DecodeRuneInString(name)
		name = name[size:]
		escaped = escapeName(name)
	}
	if _, ok := decodeWhole(target + "/" + escaped); ok {
		return target
	}
	return target + "/" + escaped
}

// RedirectURL returns the URL that asks the front end at server for the object,
// with its [Object.NamedTarget].
func (o Object) RedirectURL(server string, backend BackendID) string {
	return strings.TrimSuffix(server, "/") + RedirectPrefix + backend.String() + "/" + o.NamedTarget()
}

// escapeName percent-encodes a file name for a path. Every ASCII character that
// fileNameRune leaves may stand there as it is (RFC 3986, pchar), but for spaces.
func escapeName(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; c > ' ' && c < utf8.RuneSelf {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// SeparatesName reports whether the slash of the target encoded/name separates a
// file name, where encoded is a target in base64 by itself, without a query. If
// it does, ParseTarget finds the same object in both. It reports false for a few
// names that ParseTarget takes for such, all without a dot. It does not allocate.
func SeparatesName(encoded, name string) bool {
	switch {
	case name == "" || len(name) > MaxTargetNameBytes || strings.Contains(name, "/"):
		return false
	case strings.ContainsAny(encoded, ":%"): // the percent-encoded form, perhaps
		return false
	case len(encoded)%4 != 3:
		// The slash stands for six bits of ones. Behind complete groups of four
		// digits they begin a byte of 0xfc or more, which UTF-8 does not have.
		// Behind a group of two, whose last four bits are zero, they end the byte
		// 0x0f. One digit, and padding before the end, is no base64.
		return true
	case strings.Contains(name, "."):
		return true // no digit
	case strings.ContainsAny(name, "%+="):
		return false
	}
	// Behind a group of three, whose last two bits are zero, the slash ends the
	// byte 0x3f, a question mark, and name begins a group. So the whole decodes if
	// name does.
	var digits [MaxTargetNameBytes]byte
	var text [MaxTargetNameBytes]byte
	n, err := base64.RawURLEncoding.Decode(text[:], digits[:copy(digits[:], name)])
	return err != nil || !isText(text[:n])
}
