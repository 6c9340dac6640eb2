package config

import (
	"bytes"
	"strings"
	"testing"

	"cloudmirror/config/schema"
)

// FuzzParse holds that no file makes the parser panic, that every error keeps to
// its lines, and that what is accepted prints as something that is accepted.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "null", "[]", "a: &a {<<: *a}", "listen: *a", "services: {s3: {allow: [], backends: {r: {storage: }}}}",
		"listen: 8080\n---\n", "? [a]\n: b", "cache: {redis: {url: 'redis://u:p@h/0?password=x'}}", "copier: {memory: 0x10}",
		"log: {<<: [{level: info}, {format: json}]}", "services: &a {s3: *a}", "ports: !!binary aGVsbG8=", "\xff\xfe", "a:\n\t- b",
		Example(),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.Contains(data, []byte("admin_tokens_file")) {
			return // it would read any file
		}
		c, err := load(newConfig(), "f.yaml", data, nil, Overrides{})
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !strings.Contains(line, ":") || strings.ContainsAny(line, "\r\x00") {
					t.Errorf("a line of the error does not begin with a place: %q", line)
				}
			}
			return
		}
		var first strings.Builder
		if err := c.Print(&first); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(first.String(), schema.Secret) {
			return // must be put back first
		}
		if _, err := load(newConfig(), "g.yaml", []byte(first.String()), nil, Overrides{}); err != nil {
			t.Errorf("what was printed is refused: %v\n%s", err, first.String())
		}
	})
}

// FuzzSecretURL holds that no URL shows any end of its password, neither printed
// nor in the error about it.
func FuzzSecretURL(f *testing.F) {
	forms := []struct{ before, behind string }{
		{"redis://user:", "@h:6379/0"},
		{"rediss://:", "@h"},
		{"redis://h/0?password=", ""},
		{"redis://h/x?sentinel_password=", "&a=b"},
		{"http://u:", "@h:3128"},
		{"https://", "@h/"},
		{"redis+sentinel://:", "@h/0?master_name=m"},
		{"redis+sentinel://h/0?master_name=m&password=", ""},
		{"unix://u:", "@/run/redis.sock"},
		{"socks5://u:", "@h:x"},
		{"ftp://u:", "@h"},
		{"http://u:", "@"},
		{"", ""},
	}
	for i := range forms {
		for _, password := range []string{"hunter2hunter3", "hunter2@hunter3", "hunter2/hunter3", "hunter2?hunter3", "hunter2#hunter3", "hunter2:hunter3", "%zzhunter2", "a://hunter2"} {
			f.Add(uint8(i), password) //nolint:gosec // there are few
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, password string) {
		form := forms[int(n)%len(forms)]
		switch {
		case len(password) < 7,
			strings.Contains(form.before, "?") && strings.ContainsAny(password, "&@#"), // it ends there
			form.before == "https://" && strings.Contains(password, ":"),               // it begins with a user
			form.before == "" && strings.Contains(password, "://"):                     // it is a URL, and no password
			return
		}
		text := form.before + password + form.behind
		for _, k := range []schema.Kind[string]{redisURL(), schema.ProxyURL()} {
			shown := k.Show(text)
			value, err := k.Parse(text)
			if err == nil {
				shown += " " + k.Format(value)
			} else {
				shown += " " + err.Error()
			}
			for _, end := range []string{password[:7], password[len(password)-7:]} {
				innocent := form.before + form.behind + " must be the URL of a Redis: it cannot be parsed; in user and password, all but letters and digits must be percent-encoded it has a parameter without =; in a password, & must be percent-encoded it has an @ behind its host; in user and password, / ? # @ must be percent-encoded must be a URL such as http://user:password@host:3128, with http, https or socks5 and without path, query and fragment must hold the password itself, not the *** that is printed for it"
				if strings.Contains(shown, end) && !strings.Contains(innocent, end) {
					t.Errorf("of %q this is shown: %s", text, shown)
				}
			}
		}
	})
}
