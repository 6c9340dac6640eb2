package storage

import "strings"

// EscapeKey returns a key as the path of a URL that every server reads back as
// exactly that key: each byte is percent-encoded but for slashes and the
// unreserved characters of RFC 3986, section 2.3. (S3 reads a bare + as a space.)
func EscapeKey(key string) string {
	const hexadecimal = "0123456789ABCDEF"
	escaped := 0
	for i := range len(key) {
		if !isPlain(key[i]) {
			escaped++
		}
	}
	if escaped == 0 {
		return key
	}
	var b strings.Builder
	b.Grow(len(key) + 2*escaped)
	for i := range len(key) {
		c := key[i]
		if isPlain(c) {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hexadecimal[c>>4])
		b.WriteByte(hexadecimal[c&15])
	}
	return b.String()
}

func isPlain(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '-' <= c && c <= '9', c == '_', c == '~': // - . / and digits in a row
		return true
	}
	return false
}
