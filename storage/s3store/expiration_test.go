package s3store

import (
	"testing"
	"time"
)

func TestParseExpiration(t *testing.T) {
	want := time.Date(2012, 12, 23, 0, 0, 0, 0, time.UTC)
	for _, header := range []string{
		`expiry-date="Sun, 23 Dec 2012 00:00:00 GMT", rule-id="picture-deletion-rule"`,
		`rule-id="a%20b", expiry-date="Sun, 23 Dec 2012 00:00:00 GMT"`,
		`expiry-date="Sun, 23 Dec 2012 00:00:00 GMT"`,
	} {
		if got, ok := parseExpiration(header); !ok || !got.Equal(want) {
			t.Errorf("parseExpiration(%q) = %v, %t", header, got, ok)
		}
	}
	for name, header := range map[string]string{
		"nothing":                "",
		"no expiry-date":         `rule-id="x"`,
		"another date":           `expiry-date="2012-12-23"`,
		"no quotes":              `expiry-date=Sun, 23 Dec 2012 00:00:00 GMT`,
		"an open quote":          `expiry-date="Sun, 23 Dec 2012 00:00:00 GMT`,
		"two dates":              `expiry-date="Sun, 23 Dec 2012 00:00:00 GMT", expiry-date="Mon, 24 Dec 2012 00:00:00 GMT"`,
		"something behind":       `expiry-date="Sun, 23 Dec 2012 00:00:00 GMT" x`,
		"a comma behind":         `expiry-date="Sun, 23 Dec 2012 00:00:00 GMT", `,
		"a pair without a name":  `="x", expiry-date="Sun, 23 Dec 2012 00:00:00 GMT"`,
		"the date within a rule": `rule-id="expiry-date=", x`,
	} {
		if got, ok := parseExpiration(header); ok {
			t.Errorf("%s: parseExpiration(%q) = %v", name, header, got)
		}
	}
}

func FuzzExpiration(f *testing.F) {
	f.Add(`expiry-date="Sun, 23 Dec 2012 00:00:00 GMT", rule-id="picture-deletion-rule"`)
	f.Add(`rule-id="a\"b", expiry-date="Sun, 23 Dec 2012 00:00:00 GMT"`)
	f.Add(`expiry-date="", ="", `)
	f.Fuzz(func(t *testing.T, header string) {
		got, ok := parseExpiration(header)
		if ok == got.IsZero() {
			t.Fatalf("parseExpiration(%q) = %v, %t", header, got, ok)
		}
		if !ok {
			return
		}
		again, ok := parseExpiration(`expiry-date="` + got.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT") + `", rule-id="x"`)
		if !ok || !again.Equal(got) {
			t.Fatalf("parseExpiration(%q) = %v, which is read back as %v, %t", header, got, again, ok)
		}
	})
}

func TestEarliest(t *testing.T) {
	never, soon, later := time.Time{}, time.Unix(100, 0), time.Unix(200, 0)
	for _, c := range []struct{ a, b, want time.Time }{
		{never, never, never}, {soon, never, soon}, {never, soon, soon}, {soon, later, soon}, {later, soon, soon},
	} {
		if got := earliest(c.a, c.b); !got.Equal(c.want) {
			t.Errorf("earliest(%v, %v) = %v", c.a, c.b, got)
		}
	}
}
