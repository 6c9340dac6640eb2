package cloudmirror

import "strings"

// checkSegments refuses a path with a dot segment, as any common consumer may see
// one: servers and browsers resolve `/public/../private` to `/private`, behind the
// back of allow patterns, which see the URL byte for byte. A segment ends at a
// slash or a backslash and has its parameters behind a semicolon; all of these, and
// dots, count in their percent-encoded forms too, decoded once.
//
// An encoded semicolon counts, although few consumers decode before they cut: a
// proxy such as nginx decodes `..%3b` to `..;`, which a servlet container behind it
// reads as `..`. No name of a file begins so.
//
// It allocates nothing, and looks closer only if there is a percent sign or a dot
// behind a slash.
func checkSegments(path string) error {
	if !strings.Contains(path, "/.") && strings.IndexByte(path, '%') < 0 {
		return nil
	}
	for path != "" {
		c, width := decodeByte(path)
		path = path[width:]
		if c != '/' && c != '\\' {
			continue
		}
		switch leadingDots(path) {
		case 1:
			return urlErrorf(`has the segment "." in its path, literal or encoded, which servers leave out: write the path without it`)
		case 2:
			return urlErrorf(`has the segment ".." in its path, literal or encoded, which servers resolve: write the path that it leads to`)
		}
	}
	return nil
}

// leadingDots returns the number of dots in the first segment of a path if that is
// a dot segment: 1 or 2, and 0 otherwise.
func leadingDots(path string) int {
	dots := 0
	for path != "" {
		c, width := decodeByte(path)
		switch {
		case c == '.' && dots < 2:
			dots++
		case c == '/' || c == '\\' || c == ';':
			return dots
		default:
			return 0
		}
		path = path[width:]
	}
	return dots
}

// decodeByte returns the first byte of s, percent-decoded, and how many bytes of s
// it takes. Every percent sign must have its two digits, as in a canonical URL.
func decodeByte(s string) (c byte, width int) {
	if s[0] != '%' {
		return s[0], 1
	}
	return unhex(s[1])<<4 | unhex(s[2]), 3
}

// unhex returns the value of a hexadecimal digit.
func unhex(c byte) byte { return c&15 + 9*(c>>6) }
