package cloudmirror

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Limits of RFC 1035, section 2.3.4, in the text form without the last dot. They
// are limits of the ASCII form (RFC 5890, section 2.3.2.1).
const (
	maxHostBytes  = 253
	maxLabelBytes = 63
)

// splitAuthority returns the canonical host and port of an authority; the port
// is empty if it is the scheme's default.
func splitAuthority(authority string, isHTTPS bool) (host, port string, err error) {
	if strings.ContainsAny(authority, "@") {
		return "", "", urlErrorf("must not carry a user name or password")
	}
	host = authority
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && i > strings.LastIndexByte(authority, ']') {
		host, port = authority[:i], authority[i+1:]
		if port, err = canonicalPort(port, isHTTPS); err != nil {
			return "", "", err
		}
	}
	host, err = canonicalHost(host)
	return host, port, err
}

func canonicalPort(port string, isHTTPS bool) (string, error) {
	if port == "" {
		return "", nil // RFC 3986, section 3.2.3: an empty port is the default one
	}
	for i := range len(port) {
		if !isDigit(port[i]) {
			return "", urlErrorf("has a port that is no number")
		}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", urlErrorf("has a port outside of 1 to 65535")
	}
	if isHTTPS && n == 443 || !isHTTPS && n == 80 {
		return "", nil
	}
	return strconv.FormatUint(n, 10), nil
}

// canonicalHost returns the one spelling of a host: an IPv6 literal as RFC 5952
// writes it, a dotted quad, or a lower-case ASCII name.
func canonicalHost(host string) (string, error) {
	if strings.IndexByte(host, '%') >= 0 { // no zone gets to netip, which would keep it for a while
		return "", urlErrorf("has a %% in its host, which may have neither percent-encoding nor a zone")
	}
	if strings.HasPrefix(host, "[") {
		return canonicalIPv6(host)
	}
	host = withoutDot(host)
	if err := checkLength(host); err != nil {
		return "", err
	}
	name, err := toASCII(host)
	if err != nil {
		return "", err
	}
	if name == "" {
		return "", urlErrorf("has no host")
	}
	if len(name) > maxHostBytes {
		return "", urlErrorf("has a host of more than %d bytes", maxHostBytes)
	}
	last := ""
	for label := range strings.SplitSeq(name, ".") {
		if err := checkLabel(label); err != nil {
			return "", err
		}
		last = label
	}
	if isNumber(last) {
		// What a resolver would take for an IPv4 address in some spelling: only
		// the one that all parsers agree on is allowed.
		if _, err := netip.ParseAddr(name); err != nil {
			return "", urlErrorf("has a numeric host that is no dotted-quad IPv4 address")
		}
	}
	return name, nil
}

// checkLength bounds a host and each of its labels before IDNA works on them, which
// takes time of the square of a label's length. Punycode has a character of its
// own for each code point (RFC 3492, section 6.3), so that a name of more code
// points than its ASCII form may have bytes is none, unless the mapping of UTS #46
// shortens it: that composes characters and drops ignored ones. Such a spelling is
// refused; its shorter one, and the ASCII form, are not.
func checkLength(host string) error {
	if len(host) <= maxLabelBytes {
		return nil
	}
	inHost, inLabel := 0, 0
	for _, r := range host {
		inHost++
		inLabel++
		if isDot(r) {
			inLabel = 0
		}
		switch {
		case inHost > maxHostBytes:
			return urlErrorf("has a host of more than %d characters", maxHostBytes)
		case inLabel > maxLabelBytes:
			return urlErrorf("has a label of more than %d characters in its host", maxLabelBytes)
		}
	}
	return nil
}

// isDot reports whether r separates labels: a full stop, or one that UTS #46 maps
// to it.
func isDot(r rune) bool { return r == '.' || r == '\u3002' || r == '\uff0e' || r == '\uff61' }

// withoutDot drops one trailing dot, in any of the spellings that IDNA knows. It
// must go before IDNA does its work, which may leave a last label empty.
func withoutDot(host string) string {
	if r, size := utf8.DecodeLastRuneInString(host); isDot(r) {
		return host[:len(host)-size]
	}
	return host
}

// toASCII returns the lower-case ASCII form of a name (UTS #46, non-transitional).
// Its results must not change with the tables of a release of Unicode. From the
// ones that Go 1.26 uses to the ones of Go 1.27, one character changes its
// meaning: the capital sharp s, which is refused. So is what is refused or another
// name when it is converted again: what is no UTF-8, for one, which the older
// tables let pass.
func toASCII(name string) (string, error) {
	if !needsIDNA(name) {
		return strings.ToLower(name), nil
	}
	ascii, err := idna.Lookup.ToASCII(name)
	if err != nil || strings.ContainsRune(name, '\u1e9e') {
		return "", errNoIDN()
	}
	if err := checkLength(ascii); err != nil { // converting it again is as much work
		return "", err
	}
	if again, err := idna.Lookup.ToASCII(ascii); err != nil || again != ascii {
		return "", errNoIDN()
	}
	return ascii, nil
}

func errNoIDN() *URLError {
	return urlErrorf("has a host that is no internationalized domain name")
}

func canonicalIPv6(host string) (string, error) {
	inner, ok := strings.CutSuffix(host[1:], "]")
	address, err := netip.ParseAddr(inner)
	if !ok || err != nil || !address.Is6() {
		return "", urlErrorf("has a bracketed host that is no IPv6 address")
	}
	return "[" + address.String() + "]", nil
}

// needsIDNA reports whether a host has anything that UTS #46 maps or checks.
// Plain names go around its tables: they also have underscores and hyphens in
// places where those tables refuse them.
func needsIDNA(host string) bool {
	for i := range len(host) {
		if host[i] >= 0x80 {
			return true
		}
		atLabel := i == 0 || host[i-1] == '.'
		if atLabel && len(host)-i >= 4 && strings.EqualFold(host[i:i+4], "xn--") {
			return true
		}
	}
	return false
}

func checkLabel(label string) error {
	if label == "" {
		return urlErrorf("has an empty label in its host")
	}
	if len(label) > maxLabelBytes {
		return urlErrorf("has a label of more than %d bytes in its host", maxLabelBytes)
	}
	for i := range len(label) {
		if c := label[i]; !isLowerAlphanumeric(c) && c != '-' && c != '_' {
			return urlErrorf("has the byte 0x%02x in its host", c)
		}
	}
	return nil
}

// isNumber reports whether a label would make the WHATWG host parser read the
// whole host as an IPv4 address ("ends in a number").
func isNumber(label string) bool {
	digits, hexadecimal := strings.CutPrefix(label, "0x")
	for i := range len(digits) {
		if hexadecimal && !isHex(digits[i]) || !hexadecimal && !isDigit(digits[i]) {
			return false
		}
	}
	return true
}
