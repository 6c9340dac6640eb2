package config

import (
	"bytes"
	"strings"
	"testing"
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
		if strings.Contains(first.String(), secret) {
			return // must be put back first
		}
		if _, err := load(newConfig(), "g.yaml", []byte(first.String()), nil, Overrides{}); err != nil {
			t.Errorf("what was printed is refused: %v\n%s", err, first.String())
		}
	})
}
