package schema_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A badFile is a file with mistakes, and the lines of its problems without the
// "a.yaml:" that each begins with.
type badFile struct{ file, want string }

func refused(t *testing.T, files map[string]badFile) {
	t.Helper()
	for name, bad := range files {
		t.Run(name, func(t *testing.T) {
			want := "a.yaml:" + strings.ReplaceAll(bad.want, "\n", "\na.yaml:")
			if diff := cmp.Diff(want, problems(bad.file)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBadSyntax(t *testing.T) {
	refused(t, map[string]badFile{
		"no YAML": {
			`listen: [`,
			`1: not valid YAML: did not find expected node content`,
		},
		"tabs": {
			"log:\n\tlevel: info\n",
			`2: not valid YAML: found character that cannot start any token`,
		},
		"an unquoted secret with an asterisk": {
			"listen: :80\ntokens: [*hunter2hunter2hunter2]\n",
			`2: not valid YAML: an alias (*) names an anchor that does not exist`,
		},
		"two documents": {
			"listen: :80\n---\nlisten: :81\n",
			`2: the file must hold one YAML document`,
		},
		"an unknown key with a line break": {
			"\"a\\nb\": 1\n",
			`1: "a\nb": is not a key; known here are listen, data_dir, tokens, log, copier, cache, headers, services`,
		},
		"a key set twice": {
			"listen: :1\nlisten: :2\n",
			`2: listen: is set twice, first in line 1`,
		},
		"a service set twice": {
			"services:\n  s3: {}\n  s3: {}\n",
			`3: services.s3: is set twice, first in line 2`,
		},
		"a key that is a list": {
			"? [a]\n: b\n",
			`1: every key must be a word`,
		},
		"a mapping merged into itself": {
			"&a {<<: *a}\n",
			`1: << merges a mapping into itself`,
		},
		"a merge of something else": {
			"log: {<<: info}\n",
			`1: log: << must be followed by a mapping, or a list of mappings`,
		},
		"a list at the top": {
			"[]\n",
			`1: must be a mapping with the keys listen, data_dir, tokens, log, copier, cache, headers, services`,
		},
		"an unknown key that is nearly a known one": {
			"listn: :80\n",
			`1: listn: is not a key; did you mean listen?`,
		},
		"an unknown key like no other": {
			"verbosity: 9\n",
			`1: verbosity: is not a key; known here are listen, data_dir, tokens, log, copier, cache, headers, services`,
		},
	})
}

func TestBadTypes(t *testing.T) {
	refused(t, map[string]badFile{
		"a value in place of a section": {
			"cache: redis\n",
			`1: cache: must be a mapping with the keys type, create, bucket`,
		},
		"a list in place of a value": {
			"listen: [a]\n",
			`1: listen: must be a single value`,
		},
		"a value in place of a list": {
			"tokens: hunter2hunter2hunter2\n",
			`1: tokens: must be a list; [] is the empty one`,
		},
		"a list in place of services": {
			"services: [s3]\n",
			`1: services: must be a mapping of names`,
		},
		"no value": {
			"data_dir:\n",
			`1: data_dir: has no value; leave the key out for its default`,
		},
		"no list": {
			"services:\n  s3:\n    ports:\n",
			`3: services.s3.ports: must be a list; [] is the empty one`,
		},
		"a number in place of text": {
			"data_dir: 7\n",
			`1: data_dir: "7" must be text: write it in quotes`,
		},
		"a truth value in place of text": {
			"data_dir: true\n",
			`1: data_dir: "true" must be text: write it in quotes`,
		},
		"text in place of a number": {
			"copier: {concurrency: \"16\"}\n",
			`1: copier.concurrency: "16" must be written without quotes`,
		},
		"a fraction": {
			"copier: {concurrency: 1.5}\n",
			`1: copier.concurrency: "1.5" must be a whole number from 1 to 1000`,
		},
		"yes": {
			"cache: {create: yes}\n",
			`1: cache.create: "yes" must be true or false`,
		},
	})
}

func TestBadHeaders(t *testing.T) {
	const badName = "1: headers: *** must be the name of a header: 1 to 128 letters, digits and !#$%&'*+-.^_`|~"
	const badValue = "1: headers.X-Key: *** must be 1 to 4096 printable ASCII characters, without a blank at the beginning or end"
	refused(t, map[string]badFile{
		"a list":                      {`headers: ["X-Key: hunter2"]`, "1: headers: must be a mapping of header names to values; {} is the empty one"},
		"a whole line as the name":    {`headers: {"X-Key: hunter2": ""}`, badName},
		"a name with a blank":         {`headers: {"X Key": hunter2}`, badName},
		"an empty name":               {`headers: {"": hunter2}`, badName},
		"a name of another alphabet":  {`headers: {"Schlüssel": hunter2}`, badName},
		"a pseudo-header":             {`headers: {":authority": hunter2}`, badName},
		"a name too long":             {"headers: {" + strings.Repeat("x", 129) + ": hunter2}", badName},
		"a line break":                {`headers: {X-Key: "hunter2\r\nHost: evil.test"}`, badValue},
		"a NUL":                       {`headers: {X-Key: "hunter2\0"}`, badValue},
		"a tab":                       {`headers: {X-Key: "hunter2\tx"}`, badValue},
		"a byte beyond ASCII":         {`headers: {X-Key: "hünter2"}`, badValue},
		"a blank at the end":          {`headers: {X-Key: "hunter2 "}`, badValue},
		"an empty value":              {`headers: {X-Key: ""}`, badValue},
		"a value too long":            {"headers: {X-Key: " + strings.Repeat("x", 4097) + "}", badValue},
		"no value":                    {`headers: {X-Key: }`, "1: headers.X-Key: has no value; leave the key out for its default"},
		"a number":                    {`headers: {X-Key: 123456}`, "1: headers.X-Key: *** must be text: write it in quotes"},
		"what is printed of a secret": {`headers: {X-Key: "***"}`, "1: headers.X-Key: *** is what is shown in the place of a secret: put the value back"},
		"the same twice":              {`headers: {X-Key: hunter2, x-key: hunter3}`, "1: headers.x-key: is set twice: header names differ by more than case"},
	})
}
