package schema_test

import (
	"strings"
	"testing"
	"time"

	"cloudmirror/config/schema"
)

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 1500 * time.Millisecond: "1.5s", time.Minute: "1m", 90 * time.Second: "1m30s",
		24 * time.Hour: "24h", time.Hour + time.Second: "1h0m1s", 10 * time.Minute: "10m",
	} {
		if got := schema.FormatDuration(d); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestFormatSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0B", 1: "1B", 1023: "1023B", 1024: "1KiB", 1536: "1536B", 3 * schema.MiB: "3MiB", 1024 * schema.GiB: "1TiB",
	} {
		if got := schema.FormatSize(n); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestURLsLoseTheirLastSlash(t *testing.T) {
	for _, k := range []schema.Kind[string]{schema.WebURL(), schema.ProxyURL()} {
		if got, err := k.Parse("http://h:1/"); got != "http://h:1" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func TestPasswordsOfURLsAreHidden(t *testing.T) {
	anything := schema.SecretURL(func(string) error { return nil })
	for text, want := range map[string]string{
		"a://u:p@h/x":                "a://u:***@h/x",
		"a://u:p@q@h":                "a://u:***@h",
		"a://p@h":                    "a://***@h",
		"a://h?x=1&PassWord=p&y":     "a://h?x=1&PassWord=***&***",
		"a://h?%70assword=p":         "a://h?%70assword=***",
		"a://h?%zz=p":                "a://h?%zz=***",
		"a://h/x?y=1":                "a://h/x?y=1",
		"a://u:p@h?password=p&user=": "a://u:***@h?password=***&user=",
	} {
		v, err := anything.Parse(text)
		if got := anything.Format(v); got != want || err != nil {
			t.Errorf("%s, want %s; error %v", got, want, err)
		}
		if got := anything.Show(text); got != schema.Quote(want) {
			t.Errorf("shown as %s", got)
		}
	}
	if got := anything.Show("hunter2"); got != schema.Secret {
		t.Errorf("a password alone is shown as %s", got)
	}
	if _, err := anything.Parse("a://u:***@h"); err == nil || !strings.Contains(err.Error(), "must hold the password itself") {
		t.Errorf("a URL that was written: %v", err)
	}
}

func TestLongValuesAreCut(t *testing.T) {
	long := strings.Repeat("ä", 81)
	if got, want := schema.Quote(long), `"`+long[:160]+`"…`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := schema.Quote("a\nb"); got != `"a\nb"` {
		t.Error(got)
	}
}
