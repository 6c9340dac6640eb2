package origin_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"text/tabwriter"

	"cloudmirror"
	"cloudmirror/origin"
	"cloudmirror/origin/origintest"
)

// The verdicts of testdata/guard.txt.
const (
	refused = "refused"
	asIPv4  = "as IPv4"
	public  = "public"
	noURL   = "no URL"
	aName   = "a name"
)

// TestGuardTable takes every line of testdata/guard.txt through the whole way of
// a request, and with -v prints how each was read and judged.
func TestGuardTable(t *testing.T) {
	table, err := os.ReadFile("testdata/guard.txt")
	if err != nil {
		t.Fatal(err)
	}
	printed := io.Discard
	if testing.Verbose() {
		printed = os.Stdout
	}
	out := tabwriter.NewWriter(printed, 0, 8, 2, ' ', 0)
	counts := make(map[string]int)
	for line := range strings.Lines(string(table)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Split(line, " | ")
		counts[cells[0]]++
		switch {
		case cells[0] == "range" && len(cells) == 6:
			checkRange(t, cells, out)
		case cells[0] == "url" && len(cells) == 4:
			checkURL(t, cells, out)
		default:
			t.Errorf("testdata/guard.txt has the line %q", line)
		}
	}
	if err := out.Flush(); err != nil {
		t.Error(err)
	}
	if counts["range"] < 55 || counts["url"] < 150 {
		t.Errorf("testdata/guard.txt has %d ranges and %d URLs", counts["range"], counts["url"])
	}
}

// checkRange tries the ends and the middle of a range, and what is beside it.
func checkRange(t *testing.T, cells []string, out *tabwriter.Writer) {
	t.Helper()
	prefix, err := netip.ParsePrefix(cells[1])
	if err != nil || prefix != prefix.Masked() {
		t.Fatalf("%s is no range: %v", cells[1], err)
	}
	first, middle, last := prefix.Addr(), within(prefix, 0x80), within(prefix, 0xff)
	for _, address := range []netip.Addr{first, middle, last} {
		want := cells[2]
		if want == asIPv4 {
			bytes := address.As16()
			want = judge(t, netip.AddrFrom4([4]byte(bytes[12:])))
		}
		got := judge(t, address)
		if got != want {
			t.Errorf("%s of %s (%s) is %s, want %s", address, prefix, cells[5], got, want)
		}
		fmt.Fprintf(out, "%s\tin %s, %s\t%s\n", address, prefix, cells[5], got)
	}
	for _, beside := range []struct {
		address netip.Addr
		want    string
	}{{first.Prev(), cells[3]}, {last.Next(), cells[4]}} {
		got := "-"
		if beside.address.IsValid() {
			got = judge(t, beside.address)
		}
		if got != beside.want {
			t.Errorf("%s beside %s (%s) is %s, want %s", beside.address, prefix, cells[5], got, beside.want)
		}
		if beside.address.IsValid() {
			fmt.Fprintf(out, "%s\tbeside %s\t%s\n", beside.address, prefix, got)
		}
	}
}

// within returns the address of a range whose bits behind the prefix are those of
// pattern first, and then all 0 or all 1 as its last bit is.
func within(p netip.Prefix, pattern byte) netip.Addr {
	bytes := p.Addr().AsSlice()
	for i := p.Bits(); i < len(bytes)*8; i++ {
		bit := pattern >> 7
		if i > p.Bits() {
			bit = pattern & 1
		}
		bytes[i/8] |= bit << (7 - i%8)
	}
	address, _ := netip.AddrFromSlice(bytes)
	return address
}

// judge returns what becomes of an address in a URL, and of a name that resolves
// to it, which must be the same.
func judge(t *testing.T, address netip.Addr) string {
	t.Helper()
	host := address.String()
	if address.Is6() {
		host = "[" + host + "]"
	}
	rules := origin.Rules{Allow: patterns(t, "^https?://"), Ports: []uint16{80, 443}}
	literal := origin.Check(rules, object(t, "http://"+host+"/"))
	dialled := origin.Control(nil, netip.AddrPortFrom(address, 80).String())
	if (literal == nil) != (dialled == nil) {
		t.Errorf("%s in a URL: %v; as what a name resolves to: %v", address, literal, dialled)
	}
	if literal == nil || dialled == nil {
		return public
	}
	return refused
}

// checkURL tries a URL in every form of a request target, and the request itself.
func checkURL(t *testing.T, cells []string, out *tabwriter.Writer) {
	t.Helper()
	raw, err := strconv.Unquote(cells[1])
	if err != nil {
		t.Fatalf("%s: %v", cells[1], err)
	}
	read, answer, _ := strings.Cut(cells[2], " = ")
	rules := origin.Rules{Allow: patterns(t, "^https?://"), Ports: []uint16{80, 443}}
	targets := []string{raw, url.PathEscape(raw), base64.RawURLEncoding.EncodeToString([]byte(raw)), base64.StdEncoding.EncodeToString([]byte(raw))}
	if strings.HasPrefix(raw, "http:/") && !strings.HasPrefix(raw, "http://") {
		targets = targets[1:] // the literal form has a slash too few, and is mended
	}
	got, host := noURL, "-"
	for i, target := range targets {
		parsed, err := cloudmirror.ParseTarget(target)
		o := parsed.Object
		verdict, name := noURL, "-"
		if err == nil {
			u, err := url.Parse(o.URL())
			if err != nil {
				t.Fatalf("%s: %v", o.URL(), err)
			}
			name = strings.TrimSuffix(u.Host, ":"+u.Port())
			verdict = ask(t, rules, o, answer)
		}
		if i > 0 && (verdict != got || name != host) {
			t.Errorf("%s is read as %s and %s, as the target %q as %s and %s", cells[1], host, got, target, name, verdict)
		}
		got, host = verdict, name
	}
	if got != cells[3] || host != read {
		t.Errorf("%s is read as %s and %s, want %s and %s", cells[1], host, got, read, cells[3])
	}
	fmt.Fprintf(out, "%s\t%s\t%s\n", cells[1], strings.Replace(cells[2], read, host, 1), got)
}

// ask sends the request of an object, whose name has the answer as address. A
// name without an answer is not asked.
func ask(t *testing.T, rules origin.Rules, o cloudmirror.Object, answer string) string {
	t.Helper()
	var asked atomic.Bool
	c := origin.New(origin.Options{Resolver: origintest.Resolver(func(string) []netip.Addr {
		asked.Store(true)
		return []netip.Addr{netip.MustParseAddr(answer)}
	})})
	defer c.Close()
	err := origin.Check(rules, o)
	if err == nil && answer == "" {
		return aName
	}
	if (err == nil) != (answer != "") {
		t.Errorf("%s: judged as %v before it is looked up", o.URL(), err)
	}
	_, err = c.Get(t.Context(), rules, o)
	wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeURLNotAllowed, Permanent: true})
	if asked.Load() && answer == "" {
		t.Errorf("%s is an address, and was looked up", o.URL())
	}
	return refused
}
