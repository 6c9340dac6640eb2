package main

import (
	"strings"
	"testing"
)

// severalYAML has two services, the first with two regions.
const severalYAML = `public_url: https://mirror.example.com/base/
services:
  media:
    allow: ["^https://"]
    backends:
      eu-west-1: {storage: {type: file}}
      us-east-1: {storage: {type: file}}
  pkg:
    allow: ["^https://"]
    backends:
      us-east-1: {storage: {type: file}}
`

// The last part of redirect URLs, as `printf %s URL | basenc --base64url`
// prints it without padding.
const (
	fileTarget  = "aHR0cHM6Ly9leGFtcGxlLmNvbS9maWxlP2E9Yg" // https://example.com/file?a=b
	otherTarget = "aHR0cHM6Ly9leGFtcGxlLmNvbS9vdGhlcg"     // https://example.com/other
)

func TestRewrite(t *testing.T) {
	tests := map[string]struct {
		stdin string
		args  []string
		want  string
	}{
		"one URL": {
			args: []string{"https://example.com/file?a=b"},
			want: "http://127.0.0.1:8080/v1/redirect/s3/us-east-1/" + fileTarget + "/file\n",
		},
		"a URL that is not canonical": {
			args: []string{"HTTPS://Example.COM:443/file?a=b#top"},
			want: "http://127.0.0.1:8080/v1/redirect/s3/us-east-1/" + fileTarget + "/file\n",
		},
		"flags": {
			args: []string{"--server", "https://m.example.com/", "--service", "x", "--region", "y", "https://example.com/other"},
			want: "https://m.example.com/v1/redirect/x/y/" + otherTarget + "/other\n",
		},
		"the only region of a service": {
			args: []string{"--config", "several.yaml", "--service", "pkg", "https://example.com/other"},
			want: "https://mirror.example.com/base/v1/redirect/pkg/us-east-1/" + otherTarget + "/other\n",
		},
		"lines of standard input between arguments": {
			stdin: "\n  https://example.com/other  \r\nhttps://example.com/file?a=b",
			args:  []string{"https://example.com/other", "-"},
			want: strings.Repeat("http://127.0.0.1:8080/v1/redirect/s3/us-east-1/"+otherTarget+"/other\n", 2) +
				"http://127.0.0.1:8080/v1/redirect/s3/us-east-1/" + fileTarget + "/file\n",
		},
		"JSON": {
			args: []string{"--json", "https://example.com/file?a=b"},
			want: `{"url":"https://example.com/file?a=b","service":"s3","region":"us-east-1","redirect_url":"http://127.0.0.1:8080/v1/redirect/s3/us-east-1/` + fileTarget + `/file"}` + "\n",
		},
		"a local version": {
			args: []string{"https://example.com/a%2Bcpu.whl"},
			want: "http://127.0.0.1:8080/v1/redirect/s3/us-east-1/aHR0cHM6Ly9leGFtcGxlLmNvbS9hJTJCY3B1LndobA/a+cpu.whl\n",
		},
		"a name that would change the URL": {
			args: []string{"https://a.co/YWFh"}, // with it: https://a.co/YWFh?aaa
			want: "http://127.0.0.1:8080/v1/redirect/s3/us-east-1/aHR0cHM6Ly9hLmNvL1lXRmg\n",
		},
		"back, from all forms": {
			args: []string{
				"--decode", fileTarget, "https://mirror.example.com/base/v1/redirect/s3/eu-west-1/" + fileTarget + "?wait=1s",
				"http://h/v1/redirect/s3/eu-west-1/https%3A%2F%2Fexample.com%2Ffile%3Fa%3Db", "http://h/v1/redirect/s3/eu-west-1/https:/example.com/file?a=b",
				fileTarget + "/file", "http://h/v1/redirect/s3/eu-west-1/" + fileTarget + "/a%2Fname?fallback=none", "https%3A//example.com/file?a=b",
			},
			want: strings.Repeat("https://example.com/file?a=b\n", 7),
		},
		"back, as JSON": {
			args: []string{"--decode", "--json", "http://h/v1/redirect/s3/eu-west-1/" + fileTarget},
			want: `{"url":"https://example.com/file?a=b","service":"s3","region":"eu-west-1","redirect_url":"http://h/v1/redirect/s3/eu-west-1/` + fileTarget + `"}` + "\n",
		},
	}
	w := newWorld(t)
	write(t, "several.yaml", severalYAML)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w.stdin = test.stdin
			got := w.run(t.Context(), append([]string{"rewrite"}, test.args...)...)
			if want := (result{stdout: test.want}); got != want {
				t.Errorf("%+v\nis not %+v", got, want)
			}
		})
	}
}

func TestWhatIsNotGivenMustBeTheOnlyOne(t *testing.T) {
	w := newWorld(t)
	write(t, "several.yaml", severalYAML)
	tests := map[string]struct {
		args []string
		want string
	}{
		"a service of several":       {nil, "--service must say which one: media, pkg"},
		"a region of several":        {[]string{"--service", "media"}, "--region must say which one: eu-west-1, us-east-1"},
		"a region of a strange one":  {[]string{"--service", "other"}, "--region must be given: the configuration does not know service other"},
		"a bad service":              {[]string{"--service", "S3"}, `--service: service "S3" must be 1 to 20 characters`},
		"a bad region":               {[]string{"--service", "media", "--region", "../x"}, `--region: region "../x" must be 1 to 63 characters`},
		"every region in a redirect": {[]string{"--service", "media", "--region", "*"}, "--region must name one region"},
		"a server with a password":   {[]string{"--server", "http://u:hunter2@mirror"}, "--server: http://mirror must be a URL"},
		"a bad server":               {[]string{"--server", "http://u:hunter2@mirror?x"}, "--server: http://mirror?… must be a URL"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"rewrite", "--config", "several.yaml", "https://example.com/"}, test.args...)
			got := w.run(t.Context(), args...)
			if got.status != exitUsage || !strings.Contains(got.stderr, test.want) || got.stdout != "" {
				t.Errorf("%+v has no %q", got, test.want)
			}
		})
	}
}

func TestABadURLDoesNotKeepTheOthersFromTheirTurn(t *testing.T) {
	w := newWorld(t)
	got := w.run(t.Context(), "rewrite", "--json", "https://u:hunter2@example.com/file?hunter2", "https://example.com/other")
	want := result{
		status: exitFailed,
		stdout: `{"url":"https://u:hunter2@example.com/file?hunter2","failed":{"message":"the URL must not carry a user name or password"}}
{"url":"https://example.com/other","service":"s3","region":"us-east-1","redirect_url":"http://127.0.0.1:8080/v1/redirect/s3/us-east-1/` + otherTarget + `/other"}
`,
		stderr: "cloudmirror: https://example.com/file?…: the URL must not carry a user name or password\n",
	}
	if got != want {
		t.Errorf("%+v\nis not %+v", got, want)
	}
}

func TestDecodeRefusesWhatTheServerWould(t *testing.T) {
	w := newWorld(t)
	for _, raw := range []string{
		"", "!", "http://h/v1/redirect/s3", "http://h/v1/redirect/S3/r/" + fileTarget, "http://h/v1/redirect/s3/r/ZnRwOi8veA",
		fileTarget + "/", fileTarget + "/a/b", fileTarget + "?rev=1", otherTarget + "?rev=1&wait=5s", otherTarget + "?wait=5s&wait=5s",
	} {
		if got := w.run(t.Context(), "rewrite", "--decode", raw); got.status != exitFailed || got.stdout != "" {
			t.Errorf("%q: %+v", raw, got)
		}
	}
}
