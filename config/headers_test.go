package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// withHeaders returns a file whose service has these headers, in line 3.
func withHeaders(headers string) string {
	return strings.Replace(minimal, "    allow:", "    headers: "+headers+"\n    allow:", 1)
}

func TestHeadersOfAService(t *testing.T) {
	c := load(t, withHeaders(`{x-api-key: "a b=c;", authorization: Bearer x, USER-AGENT: "other/1", accept: text/plain}`))
	want := map[string]string{"X-Api-Key": "a b=c;", "Authorization": "Bearer x", "User-Agent": "other/1", "Accept": "text/plain"}
	if diff := cmp.Diff(want, c.Services[0].Headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	for _, none := range []string{"{}", ""} {
		if c := load(t, withHeaders(none)); len(c.Services[0].Headers) != 0 {
			t.Errorf("%q: %v", none, c.Services[0].Headers)
		}
	}
	var most strings.Builder
	for i := range 32 {
		fmt.Fprintf(&most, "X-%d: %s, ", i, strings.Repeat("v", 4096))
	}
	if c := load(t, withHeaders("{"+most.String()+"}")); len(c.Services[0].Headers) != 32 {
		t.Errorf("%d headers, want 32", len(c.Services[0].Headers))
	}
	refused(t, map[string]badFile{"one more": {
		withHeaders("{" + most.String() + "X-32: v}"), "3: services.s3.headers: must have at most 32 headers, not 33",
	}})
}

func TestHeadersThatCopiersSetThemselves(t *testing.T) {
	const connection = "it is about the connection or the body of a request, and not about the object"
	const condition = "copiers set conditions where they continue an object, and want all of it otherwise"
	const proxy = "it is for proxies: see origin.proxy"
	for name, reason := range map[string]string{
		"Host":              "it is part of the URL that is asked for",
		"range":             "copiers ask for ranges where an object is continued or read over several connections",
		"Accept-Encoding":   "bodies are copied as the origin keeps them, without a coding for the way",
		"CDN-Loop":          "it tells front ends which requests their own copiers make",
		"If-None-Match":     condition,
		"if-range":          condition,
		"If-Anything":       condition,
		"Connection":        connection,
		"CONTENT-LENGTH":    connection,
		"Expect":            connection,
		"HTTP2-Settings":    connection,
		"Keep-Alive":        connection,
		"TE":                connection,
		"Trailer":           connection,
		"Transfer-Encoding": connection,
		"Upgrade":           connection,
		"Proxy-Connection":  proxy, "Proxy-Authorization": proxy,
	} {
		refused(t, map[string]badFile{name: {
			withHeaders("{" + name + ": hunter2}"), "3: services.s3.headers." + name + ": cannot be set: " + reason,
		}})
	}
}

func TestUserAgent(t *testing.T) {
	const bad = " must be 1 to 256 printable ASCII characters, without a blank at the beginning or end"
	if c := load(t, minimal); c.Origin.UserAgent != "cloudmirror" {
		t.Errorf("the default is %q", c.Origin.UserAgent)
	}
	if c := load(t, minimal+"origin: {user_agent: 'Mozilla/5.0 (mirror; ops@example.com)'}\n"); c.Origin.UserAgent != "Mozilla/5.0 (mirror; ops@example.com)" {
		t.Errorf("it is %q", c.Origin.UserAgent)
	}
	refused(t, map[string]badFile{
		"none":          {minimal + "origin: {user_agent: ''}\n", `7: origin.user_agent: ""` + bad},
		"a line break":  {minimal + "origin: {user_agent: \"a\\r\\nb\"}\n", `7: origin.user_agent: "a\r\nb"` + bad},
		"beyond ASCII":  {minimal + "origin: {user_agent: ä}\n", `7: origin.user_agent: "ä"` + bad},
		"a blank first": {minimal + "origin: {user_agent: ' a'}\n", `7: origin.user_agent: " a"` + bad},
		"too long":      {minimal + "origin: {user_agent: " + strings.Repeat("x", 257) + "}\n", `7: origin.user_agent: "` + strings.Repeat("x", 80) + `"…` + bad},
	})
}
