package storage

import (
	"errors"
	"mime"
	"strings"
)

// inASCII returns the value of a standard header in printable ASCII, without
// spaces around it. It is empty if there is no such form.
func inASCII(name, value string) string {
	value = strings.TrimSpace(strings.ReplaceAll(value, "\t", " ")) // both are spaces to HTTP (RFC 9110, section 5.6.3)
	if isASCII(value) {
		return value
	}
	switch name {
	case "Content-Disposition":
		return encodeDisposition(value)
	case "Content-Type":
		return typeInASCII(value)
	}
	return ""
}

// encodeDisposition encodes a Content-Disposition in UTF-8: its file name once for
// clients that know only ASCII, and once as RFC 8187 says. The result is empty if
// value is none (RFC 6266, section 4.1); a file name without quotes, which many
// origins send, is taken all the same.
func encodeDisposition(value string) string {
	kind, parameters, err := mime.ParseMediaType(value)
	if err != nil {
		if kind, parameters, err = mime.ParseMediaType(quoteParameters(value)); err != nil {
			return ""
		}
	}
	name := strings.ToValidUTF8(parameters["filename"], "_")
	encoded := ""
	if !isASCII(name) {
		parameters["filename"] = nameInASCII(name)
		encoded = "; filename*=UTF-8''" + encodeName(name)
	}
	rest := mime.FormatMediaType(kind, parameters) // which encodes other parameters
	if rest == "" {
		return ""
	}
	return rest + encoded
}

// quoteParameters puts quotes around the values that have none.
func quoteParameters(value string) string {
	parts := strings.Split(value, ";")
	for i, part := range parts {
		if name, text, ok := strings.Cut(part, "="); ok && !strings.ContainsAny(text, `"\`) {
			parts[i] = name + `="` + strings.TrimSpace(text) + `"`
		}
	}
	return strings.Join(parts, ";")
}

// nameInASCII replaces what is no printable ASCII, and what clients read
// differently (RFC 6266, appendix D), by an underscore.
func nameInASCII(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"%\`, r) {
			return '_'
		}
		return r
	}, name)
}

// encodeName percent-encodes what is no attr-char (RFC 8187, section 3.2.1).
func encodeName(name string) string {
	const hexadecimal = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if isPlain(c) && c != '/' || strings.IndexByte("!#$&+^`|", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', hexadecimal[c>>4], hexadecimal[c&15]})
	}
	return b.String()
}

// typeInASCII returns a Content-Type without the parameters that are not ASCII,
// or, if they cannot be told apart, without any.
func typeInASCII(value string) string {
	media, parameters, err := mime.ParseMediaType(value)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return ""
	}
	for name, text := range parameters {
		if !isASCII(text) {
			delete(parameters, name)
		}
	}
	return mime.FormatMediaType(media, parameters)
}

func isASCII(value string) bool {
	return strings.IndexFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}
