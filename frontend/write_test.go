package frontend

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"cloudmirror"
)

// An sfItem is an item of a structured field (RFC 8941, section 3.3) with its
// parameters. Values are tokens, integers as text, or "?1".
type sfItem struct {
	value  string
	params map[string]string
}

// parseItems reads a list of items that are tokens (RFC 8941, section 4.2.1), with
// parameters that are booleans, tokens or integers: more is not in Cache-Status
// as we write it.
func parseItems(text string) (items []sfItem, ok bool) {
	for text = strings.TrimLeft(text, " "); ; {
		item := sfItem{params: make(map[string]string)}
		if item.value, text, ok = cutToken(text); !ok {
			return nil, false
		}
		for strings.HasPrefix(text, ";") {
			name, value, rest, ok := cutParameter(strings.TrimLeft(text[1:], " "))
			if _, twice := item.params[name]; !ok || twice {
				return nil, false
			}
			item.params[name], text = value, rest
		}
		items = append(items, item)
		if text = strings.TrimLeft(text, " \t"); text == "" {
			return items, true
		}
		if text, ok = strings.CutPrefix(text, ","); !ok || strings.TrimLeft(text, " \t") == "" {
			return nil, false
		}
		text = strings.TrimLeft(text, " \t")
	}
}

const (
	sfLower  = "abcdefghijklmnopqrstuvwxyz"
	sfDigits = "0123456789"
)

func cutParameter(text string) (name, value, rest string, ok bool) {
	end := len(text) - len(strings.TrimLeft(text, sfLower+sfDigits+"_-.*"))
	if end == 0 || strings.IndexByte(sfLower+"*", text[0]) < 0 {
		return "", "", "", false
	}
	name, rest = text[:end], text[end:]
	text, found := strings.CutPrefix(rest, "=")
	if !found {
		return name, "?1", rest, true
	}
	digits := strings.TrimPrefix(text, "-")
	if count := len(digits) - len(strings.TrimLeft(digits, sfDigits)); count > 0 {
		end := len(text) - len(digits) + count
		return name, text[:end], text[end:], count <= 15
	}
	value, rest, ok = cutToken(text)
	return name, value, rest, ok
}

func cutToken(text string) (token, rest string, ok bool) {
	letters := sfLower + strings.ToUpper(sfLower)
	if text == "" || strings.IndexByte(letters+"*", text[0]) < 0 {
		return "", "", false
	}
	end := len(text) - len(strings.TrimLeft(text, letters+sfDigits+"!#$%&'*+-.^_`|~:/"))
	return text[:end], text[end:], true
}

func isInteger(s string) bool {
	s = strings.TrimPrefix(s, "-")
	return s != "" && strings.Trim(s, sfDigits) == ""
}

// checkCacheStatus checks that what is written is one member of Cache-Status as
// RFC 9211 has it, and says what was meant.
func checkCacheStatus(t *testing.T, c cacheStatus) {
	t.Helper()
	text := string(c.append(nil))
	if c == (cacheStatus{}) {
		if text != "" {
			t.Errorf("what says nothing is written as %q", text)
		}
		return
	}
	items, ok := parseItems(text)
	if !ok || len(items) != 1 || items[0].value != "cloudmirror" {
		t.Fatalf("%+v is written as %q, which is no structured field", c, text)
	}
	p := items[0].params
	if (p["hit"] == "?1") != c.hit || (p["fwd"] == "miss") != c.miss || (p["stored"] == "?1") != c.stored || p["detail"] != c.detail {
		t.Errorf("%+v is written as %q", c, text)
	}
	if isInteger(p["ttl"]) != c.hit || isInteger(p["fwd-status"]) != (c.fwdStatus != 0) || strings.HasPrefix(p["ttl"], "-") {
		t.Errorf("%+v is written as %q", c, text)
	}
	for name := range p {
		if !slices.Contains([]string{"hit", "ttl", "fwd", "fwd-status", "stored", "detail"}, name) {
			t.Errorf("%q has the parameter %s", text, name)
		}
	}
}

func FuzzCacheStatus(f *testing.F) {
	f.Add(true, false, false, int64(time.Hour), 0, "Backfill")
	f.Add(false, true, true, int64(-1), 404, "OriginStatus")
	f.Add(false, true, false, int64(0), 0, "HTTP2Error")
	for _, code := range []string{"", "9", "2Bad", "-", "URLNotAllowed", "a; hit", "A\"B", "Über", "AB", "aB", "1A2B"} {
		f.Add(false, false, false, int64(1<<62), 999, code)
	}
	f.Fuzz(func(t *testing.T, hit, miss, stored bool, ttl int64, status int, code string) {
		if status < 0 || status > 999 { // net/http knows no others
			return
		}
		checkCacheStatus(t, cacheStatus{
			hit: hit, miss: miss, stored: stored, ttl: time.Duration(ttl), fwdStatus: status, detail: kebab(cloudmirror.Code(code)),
		})
	})
}

// FuzzLoops holds that our name is found behind and before anything that is not
// the middle of a quoted string, and only where it stands.
func FuzzLoops(f *testing.F) {
	for _, seed := range []string{"", "other", `other; v="a, b"`, ",", ";", `"`, `\`, "other;v=cloudmirror-test", "x, y;z", `"\"`, "\t", "cloudmirror-test"} {
		f.Add(seed)
	}
	const id = "cloudmirror-test"
	rd := &redirects{deploymentID: id}
	loops := func(values ...string) bool { return rd.loops(http.Header{"Cdn-Loop": values}) }
	f.Fuzz(func(t *testing.T, others string) {
		if !strings.Contains(others, id) && loops(others) {
			t.Errorf("%q is taken for a loop", others)
		}
		if !loops(others, id) || !loops(id+"; v=1, "+others) || !loops("\t"+id+" ;x,"+others) {
			t.Errorf("a loop beside %q is not seen", others)
		}
		if strings.ContainsAny(others, `"\`) {
			return
		}
		if !loops(others+","+id) || !loops(`x; v="`+others+`" ,`+id) {
			t.Errorf("a loop behind %q is not seen", others)
		}
	})
}
