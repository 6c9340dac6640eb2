package cloudmirror_test

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/idna"
	"pgregory.net/rapid"

	"cloudmirror"
)

// browserAuthority reads a URL as the WHATWG URL standard says (basic URL parser
// and host parser), as far as scheme, host and port go: what a browser connects
// to. Addresses are written as netip writes them.
func browserAuthority(raw string) (scheme, host, port string, ok bool) {
	raw = strings.TrimFunc(raw, func(r rune) bool { return r <= ' ' })
	raw = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(raw)
	scheme, rest, found := strings.Cut(raw, ":")
	scheme = asciiLower(scheme)
	if !found || scheme != "http" && scheme != "https" {
		return "", "", "", false
	}
	rest = strings.TrimLeft(rest, `/\`)
	if i := strings.IndexAny(rest, `/\?#`); i >= 0 {
		rest = rest[:i]
	}
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	host = rest
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, ']') {
		host, port = rest[:i], rest[i+1:]
	}
	if strings.Trim(port, "0123456789") != "" {
		return "", "", "", false
	}
	port = strings.TrimLeft(port, "0")
	if port == map[string]string{"http": "80", "https": "443"}[scheme] {
		port = ""
	}
	host, ok = browserHost(host)
	return scheme, host, port, ok
}

func browserHost(host string) (string, bool) {
	if strings.HasPrefix(host, "[") {
		address, err := netip.ParseAddr(strings.TrimSuffix(host[1:], "]"))
		return address.String(), err == nil && strings.HasSuffix(host, "]") && address.Is6() && address.Zone() == ""
	}
	domain := percentDecode(host)
	ascii, err := idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false),
		idna.BidiRule(), idna.CheckHyphens(false), idna.VerifyDNSLength(false)).ToASCII(domain)
	if isPlain := strings.Trim(domain, asciiBytes()) == "" && !strings.Contains(asciiLower(domain), "xn--"); isPlain {
		ascii, err = asciiLower(domain), nil
	}
	if err != nil || ascii == "" || strings.ContainsAny(ascii, "\x00\t\n\r #/:<>?@[\\]^|%\x7f") {
		return "", false
	}
	address, isNumber, ok := browserIPv4(ascii)
	if isNumber {
		return address.String(), ok
	}
	return strings.TrimSuffix(ascii, "."), true
}

func asciiBytes() string {
	var b strings.Builder
	for c := range 128 {
		b.WriteByte(byte(c))
	}
	return b.String()
}

func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// percentDecode leaves what is no percent-encoding as it is.
func percentDecode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if i+2 < len(s) && s[i] == '%' {
			if decoded, err := url.PathUnescape(s[i : i+3]); err == nil {
				b.WriteString(decoded)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// checkParsersAgree checks that browsers and net/url go where we go, by the URL
// as it was given and by its canonical form. What they disagree about with us, or
// with each other, must have been refused.
func checkParsersAgree(t failer, raw string) {
	o, err := cloudmirror.ParseObject(raw)
	if err != nil {
		return
	}
	ours, err := url.Parse(o.URL())
	if err != nil {
		t.Fatalf("net/url cannot read %q: %v", o.URL(), err)
	}
	if ours.Scheme+"://"+ours.Host+ours.RequestURI() != o.URL() {
		t.Errorf("%q is taken apart as %q, %q and %q", o.URL(), ours.Scheme, ours.Host, ours.RequestURI())
	}
	for _, text := range []string{raw, o.URL()} {
		scheme, host, port, ok := browserAuthority(text)
		if !ok || scheme != ours.Scheme || host != ours.Hostname() || port != ours.Port() {
			t.Errorf("%q: browsers go to %s, %s, port %q (%t), we to %s, %s, port %q", text, scheme, host, port, ok, ours.Scheme, ours.Hostname(), ours.Port())
		}
	}
	theirs, err := url.Parse(raw)
	if err != nil {
		t.Fatalf("net/url does not read %q, which we read as %q: %v", raw, o.URL(), err)
	}
	host, ok := browserHost(theirs.Host[:len(theirs.Host)-len(portPart(theirs))])
	if !ok || theirs.Scheme != ours.Scheme || host != ours.Hostname() || theirs.User != nil {
		t.Errorf("%q: net/url reads %s and %q, we %s and %q", raw, theirs.Scheme, theirs.Host, ours.Scheme, ours.Host)
	}
}

// portPart is the port of a URL with its colon, if there is one.
func portPart(u *url.URL) string {
	if i := strings.LastIndexByte(u.Host, ':'); i > strings.LastIndexByte(u.Host, ']') {
		return u.Host[i:]
	}
	return ""
}

func TestParsersAgree(t *testing.T) {
	for _, row := range table(t, "Accepted") {
		checkParsersAgree(t, row[0])
	}
	rapid.Check(t, func(t *rapid.T) { checkParsersAgree(t, rawURLs().Draw(t, "raw")) })
}

// What browsers and net/url read differently is in the list of what is refused.
func TestKnownDisagreementsAreRefused(t *testing.T) {
	disagreements := 0
	for _, row := range table(t, "Refused") {
		u, err := url.Parse(row[0])
		_, host, _, ok := browserAuthority(row[0])
		if ok && (err != nil || u.Hostname() != host) {
			disagreements++
		}
	}
	if disagreements < 15 {
		t.Errorf("only %d of the refused URLs are read differently: is the browser's parser right?", disagreements)
	}
}

func FuzzParsersAgree(f *testing.F) {
	for _, heading := range []string{"Accepted", "Refused"} {
		for _, row := range table(f, heading) {
			f.Add(row[0])
		}
	}
	f.Fuzz(func(t *testing.T, raw string) { checkParsersAgree(t, raw) })
}
