package cloudmirror_test

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cloudmirror"
)

// browserIPv4 is the WHATWG URL standard's "ends in a number" check and IPv4
// parser: what a browser would connect to for an ASCII host. isNumber is false
// for names.
func browserIPv4(host string) (address netip.Addr, isNumber, ok bool) {
	labels := strings.Split(host, ".")
	if labels[len(labels)-1] == "" && len(labels) > 1 {
		labels = labels[:len(labels)-1]
	}
	last := labels[len(labels)-1]
	if _, ok := browserNumber(last); !ok && (last == "" || strings.Trim(last, "0123456789") != "") {
		return netip.Addr{}, false, false
	}
	if len(labels) > 4 {
		return netip.Addr{}, true, false
	}
	var value uint64
	for i, label := range labels {
		n, ok := browserNumber(label)
		isLast := i == len(labels)-1
		limit := uint64(1) << 8
		if isLast {
			limit = 1 << (8 * (5 - len(labels)))
		}
		if !ok || n >= limit {
			return netip.Addr{}, true, false
		}
		if isLast {
			value += n
		} else {
			value += n << (8 * (3 - i))
		}
	}
	return netip.AddrFrom4([4]byte{byte(value >> 24), byte(value >> 16), byte(value >> 8), byte(value)}), true, true
}

func browserNumber(s string) (uint64, bool) {
	base := 10
	switch {
	case s == "":
		return 0, false
	case strings.HasPrefix(strings.ToLower(s), "0x"):
		s, base = s[2:], 16
	case len(s) > 1 && s[0] == '0':
		s, base = s[1:], 8
	}
	if s == "" {
		return 0, true
	}
	n, err := strconv.ParseUint(s, base, 64)
	return n, err == nil
}

func TestBrowsersReadHostsAsWeDo(t *testing.T) {
	label := rapid.OneOf(
		rapid.StringMatching(`[0-9]{1,4}`), rapid.StringMatching(`0[xX][0-9a-gA-G]{0,4}`), rapid.StringMatching(`[0-9a-f]{1,3}`),
		rapid.SampledFrom([]string{"", "0", "255", "256", "127", "0177", "08", "a", "x"}))
	rapid.Check(t, func(t *rapid.T) {
		host := strings.Join(rapid.SliceOfN(label, 1, 5).Draw(t, "labels"), ".")
		o, err := cloudmirror.ParseObject("http://" + host + "/")
		if err != nil {
			return
		}
		address, isNumber, ok := browserIPv4(host)
		got := strings.TrimSuffix(strings.TrimPrefix(o.URL(), "http://"), "/")
		if isNumber && (!ok || address.String() != got) {
			t.Errorf("%q: we connect to %s, browsers to %v (%t)", host, got, address, ok)
		}
		if _, err := netip.ParseAddr(got); !isNumber && err == nil {
			t.Errorf("%q: we connect to the address %s, browsers to a name", host, got)
		}
	})
}

// Where net/url reads a host at all, it must be ours.
func TestNetURLReadsHostsAsWeDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rawURLs().Draw(t, "raw")
		o, err := cloudmirror.ParseObject(raw)
		if err != nil {
			return
		}
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatalf("net/url does not read %q, which we read as %q: %v", raw, o.URL(), err)
		}
		ours, err := url.Parse(o.URL())
		if err != nil {
			t.Fatalf("%v", err)
		}
		same, err := cloudmirror.ParseObject("http://" + u.Host)
		if err != nil {
			t.Fatalf("net/url reads the host of %q as %q: %v", raw, u.Host, err)
		}
		host, _ := url.Parse(same.URL())
		if host.Hostname() != ours.Hostname() {
			t.Errorf("%q: net/url reads the host %q, we %q", raw, host.Hostname(), ours.Hostname())
		}
	})
}

func TestHostLengthLimits(t *testing.T) {
	label := strings.Repeat("a", 63)
	longest := label + "." + label + "." + label + "." + label[:61]
	if len(longest) != 253 {
		t.Fatal(len(longest))
	}
	for host, ok := range map[string]bool{
		longest: true, longest + ".": true, longest + "a": false, label: true, label + "a": false,
		strings.Repeat("ü", 58): false, "xn--" + strings.Repeat("a", 60): false,
	} {
		if _, err := cloudmirror.ParseObject("http://" + host + "/"); (err == nil) != ok {
			t.Errorf("a host of %d bytes: %v", len(host), err)
		}
	}
}

// What is too long never gets to IDNA, which takes time of the square of a label's
// length: the reason is another than that of a name which IDNA refuses.
func TestLongHostsAreRefusedBeforeIDNA(t *testing.T) {
	letters := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteRune(rune(0x4e00 + i))
		}
		return b.String()
	}
	const inLabel, inHost = "a label of more than 63 characters", "a host of more than 253 characters"
	for name, test := range map[string]struct{ host, reason string }{
		"a label of 64 letters":                 {letters(64), inLabel},
		"a label of 2,700 letters":              {letters(2700), inLabel},
		"… behind another label":                {"a\u3002" + letters(2700), inLabel},
		"… in front of another label":           {letters(2700) + ".a", inLabel},
		"a label of 64 that IDNA would shorten": {strings.Repeat("\u00ad", 63) + "a", inLabel},
		"a label of combining characters":       {strings.Repeat("u\u0308", 32), inLabel},
		"a label of 64 bytes that are no text":  {strings.Repeat("\xff", 64), inLabel},
		"Punycode of 64 letters":                {"xn--" + strings.Repeat("b", 60), inLabel},
		"a host of 254 letters":                 {strings.Repeat(letters(50)+"\uff0e", 4) + letters(50), inHost},
		"a host of nothing but dots":            {strings.Repeat("\uff61", 300), inHost},
	} {
		_, err := cloudmirror.ParseObject("http://" + test.host + "/")
		if err == nil || !strings.Contains(err.Error(), test.reason) {
			t.Errorf("%s: %v, want that it has %s", name, err, test.reason)
		}
	}
	// At the limits IDNA decides. Labels end at each kind of dot.
	label := strings.Repeat("ü", 50)
	for _, dot := range []string{".", "\u3002", "\uff0e", "\uff61"} {
		if _, err := cloudmirror.ParseObject("http://" + label + dot + label + dot + "com" + dot); err != nil {
			t.Errorf("labels between %q: %v", dot, err)
		}
	}
	if _, err := cloudmirror.ParseObject("http://" + letters(63) + "/"); err == nil || !strings.Contains(err.Error(), inLabel) {
		t.Errorf("a label of 63 letters, whose ASCII form is longer: %v", err)
	}
	if _, err := cloudmirror.ParseObject("http://" + strings.Repeat("u\u0308", 31) + ".com/"); err != nil {
		t.Errorf("a label of 62 characters: %v", err)
	}
}

// From the Unicode tables of this Go to those of the next, these are the names
// that could change; see toASCII.
func TestInternationalizedNamesStand(t *testing.T) {
	for given, want := range map[string]string{
		"straße.example": "xn--strae-oqa.example", "ΒΌΛΟΣ.example": "xn--nxasmq6b.example", "βόλος.example": "xn--nxasmm1c.example",
		"日本語。ＪＰ": "xn--wgv71a119e.jp", "ﬁ.example": "fi.example", "Å.example": "xn--5ca.example", "☕.example": "xn--53h.example",
		"مثال.إختبار": "xn--mgbh0fb.xn--kgbechtv", "क्\u200dष.example": "xn--11b2ezcw70k.example",
	} {
		o, err := cloudmirror.ParseObject("http://" + given + "/")
		if err != nil || o.URL() != "http://"+want+"/" {
			t.Errorf("%s: got %s, %v, want %s", given, o.URL(), err, want)
		}
	}
}
