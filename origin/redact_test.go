package origin_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"cloudmirror"
	"cloudmirror/origin"
	"cloudmirror/origin/origintest"
)

// The secret of these tests has what encodings differ in.
const planted = "Planted/sig+na tu=re\"\xff\\end"

// Forms in which an origin may repeat a value of a query. Raw is as the URL has it.
func forms() map[string]func(raw, decoded string) string {
	return map[string]func(raw, decoded string) string{
		"as it was sent":           func(raw, _ string) string { return raw },
		"in lower-case hex":        func(raw, _ string) string { return lowerHex(raw) },
		"decoded":                  func(_, decoded string) string { return decoded },
		"encoded for a query":      func(_, decoded string) string { return url.QueryEscape(decoded) },
		"encoded for a path":       func(_, decoded string) string { return url.PathEscape(decoded) },
		"encoded twice":            func(raw, _ string) string { return url.QueryEscape(raw) },
		"encoded where no need is": func(_, decoded string) string { return everyByte(decoded) },
		"in lower case":            func(raw, _ string) string { return strings.ToLower(raw) },
	}
}

func lowerHex(s string) string {
	for i := 0; i+2 < len(s); i++ {
		if s[i] == '%' {
			s = s[:i] + strings.ToLower(s[i:i+3]) + s[i+3:]
		}
	}
	return s
}

func everyByte(s string) (encoded string) {
	for i := range len(s) {
		encoded += fmt.Sprintf("%%%02x", s[i])
	}
	return encoded
}

// Places of an answer that net/http quotes in its errors, or that failures name.
func echoes() map[string]func(echo string) string {
	const ok = "HTTP/1.1 200 OK\r\n"
	return map[string]func(echo string) string{
		"a header line":          func(echo string) string { return ok + "no colon " + echo + "\r\n\r\n" },
		"a line begun blank":     func(echo string) string { return ok + " " + echo + "\r\n\r\n" },
		"the status line":        func(echo string) string { return echo + "\r\n\r\n" },
		"the status":             func(echo string) string { return "HTTP/1.1 " + echo + "\r\n\r\n" },
		"a length":               func(echo string) string { return ok + "Content-Length: " + echo + "\r\n\r\n" },
		"two lengths":            func(echo string) string { return ok + "Content-Length: 1\r\nContent-Length: " + echo + "\r\n\r\n" },
		"a transfer coding":      func(echo string) string { return ok + "Transfer-Encoding: " + echo + "\r\n\r\n" },
		"a chunk length":         func(echo string) string { return ok + "Transfer-Encoding: chunked\r\n\r\n" + echo + "\r\n" },
		"a trailer":              func(echo string) string { return ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + echo + "\r\n\r\n" },
		"the path of a redirect": func(echo string) string { return "HTTP/1.1 302 Found\r\nLocation: /x/" + echo + "?status=404\r\n\r\n" },
		"the query of a redirect": func(echo string) string {
			return "HTTP/1.1 302 Found\r\nLocation: /x?status=404&next=" + url.QueryEscape("/x?y="+echo) + "\r\n\r\n"
		},
		"the host of a redirect": func(echo string) string {
			return "HTTP/1.1 302 Found\r\nLocation: http://" + echo + ".invalid/\r\n\r\n"
		},
		"redirects in a circle": func(echo string) string {
			return "HTTP/1.1 302 Found\r\nLocation: /x/" + echo + "?redirect=%2Fa\r\n\r\n"
		},
	}
}

func TestNoFailureShowsWhatTheOriginRepeats(t *testing.T) {
	raw := url.QueryEscape(planted)
	for place, answer := range echoes() {
		for name, form := range forms() {
			t.Run(place+" "+name, func(t *testing.T) {
				echo := form(raw, planted)
				server := origintest.Start(t)
				server.Set("/a", origintest.Behaviour{Raw: answer(echo)})
				_, _, err := fetch(t, newClient(t, origin.Options{}), anywhere(t), server.Object(t, "/a?x=1&sig="+raw))
				if err == nil {
					t.Fatal("no failure: the test shows nothing")
				}
				for _, shown := range []string{"Planted", "planted", "na tu", "na+tu", "na%20tu", "tu=re", "tu%3", "sig", everyByte("Planted"), "%50%6c"} {
					if strings.Contains(err.Error(), shown) {
						t.Errorf("%q is shown: %v", shown, err)
					}
				}
			})
		}
	}
}

// The URL of each hop has secrets of its own.
func TestNoFailureShowsTheQueryOfAnotherHop(t *testing.T) {
	server := origintest.Start(t)
	server.Set("/a", origintest.Behaviour{Redirect: "/b?signed=second-secret"})
	server.Set("/b", origintest.Behaviour{Redirect: "/c/second-secret/first-secret?flag-secret"})
	server.Set("/c/second-secret/first-secret", origintest.Behaviour{
		Raw: "HTTP/1.1 200 OK\r\nfirst-secret;second-secret;flag-secret;short;of%20ma%20ny%20wo%20rds\r\n\r\n",
	})
	_, _, err := fetch(t, newClient(t, origin.Options{}), anywhere(t), server.Object(t, "/a?key=first-secret&pin=short&text=of+ma+ny+wo+rds"))
	wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeOriginMalformed, Permanent: true})
	wantNoSecret(t, err, "secret")
	wantNoSecret(t, err, "ny")
	if !strings.Contains(err.Error(), "short") {
		t.Errorf("%v: values of five bytes are parts of words, and stay", err)
	}
}

func TestCausesAreBounded(t *testing.T) {
	secret := strings.Repeat("ab", 2000)
	for name, query := range map[string]string{"without secrets": "", "with one at the end": "?sig=" + secret} {
		t.Run(name, func(t *testing.T) {
			server := origintest.Start(t)
			echo := strings.TrimPrefix(query, "?sig=")
			server.Set("/a", origintest.Behaviour{Raw: "HTTP/1.1 200 OK\r\n" + strings.Repeat("x", 3900) + echo + strings.Repeat("x", 100<<10) + "\r\n\r\n"})
			_, _, err := fetch(t, newClient(t, origin.Options{}), anywhere(t), server.Object(t, "/a"+query))
			f := wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeOriginMalformed, Permanent: true})
			if n := len(f.Err.Error()); n > 4<<10 || n < 3<<10 {
				t.Errorf("the cause has %d bytes", n)
			}
			wantNoSecret(t, err, "abab")
		})
	}
}

// BenchmarkRedaction is the most that a client and an origin together can have
// looked for: URLs full of values that begin alike, on every hop, in a text full of
// that beginning.
func BenchmarkRedaction(b *testing.B) {
	var query strings.Builder
	for i := 0; query.Len() < 7_000; i++ {
		fmt.Fprintf(&query, "&aaaaaa%d", i)
	}
	server := origintest.Start(b)
	server.Set("/5", origintest.Behaviour{Raw: "HTTP/1.1 200 OK\r\n" + strings.Repeat("a", 200<<10) + "\r\n\r\n"})
	for hop := range 5 {
		values := strings.ReplaceAll(query.String(), "aaaaaa", fmt.Sprintf("aaaaaa%d", hop))
		server.Set(fmt.Sprintf("/%d", hop), origintest.Behaviour{Redirect: fmt.Sprintf("/%d?%s", hop+1, values)})
	}
	c, rules := newClient(b, origin.Options{}), anywhere(b)
	for b.Loop() {
		if _, _, err := fetch(b, c, rules, server.Object(b, "/0?"+query.String())); err == nil {
			b.Fatal("no failure")
		}
	}
}
