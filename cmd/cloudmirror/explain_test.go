package main

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// explanations are those of a real front end: one for each state and refusal.
const explanations = "../../frontend/testdata/explain/*.golden"

// TestExplainShowsEachStateAndRefusal holds the text of the front end's golden files
// against those of testdata/explain.
func TestExplainShowsEachStateAndRefusal(t *testing.T) {
	files, err := filepath.Glob(explanations)
	if err != nil || len(files) < 50 {
		t.Fatalf("%d explanations, error %v", len(files), err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	w, server := newWorld(t), newFakeServer(t)
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(strings.TrimSuffix(name, ".golden"), func(t *testing.T) {
			if server.explained, err = os.ReadFile(filepath.Join(here, file)); err != nil {
				t.Fatal(err)
			}
			got := w.run(t.Context(), "explain", "--server", server.URL, "https://me:secret@example.com/file")
			if got.status != 0 || got.stderr != "" || strings.Contains(got.stdout, "me:secret") {
				t.Errorf("%+v", got)
			}
			checkExplainedColumns(t, got.stdout)
			checkGolden(t, filepath.Join(here, "testdata", "explain", name), got.stdout)
		})
	}
}

// checkExplainedColumns checks that no line is too long but those of a URL or a pattern.
func checkExplainedColumns(t *testing.T, stdout string) {
	t.Helper()
	for line := range strings.Lines(stdout) {
		text := line[min(labelWidth, len(line)):]
		if columns(strings.TrimRight(line, "\n")) > outputColumns && (strings.Contains(text, " ") || !strings.Contains(line, "://")) {
			t.Errorf("a line of more than %d columns: %s", outputColumns, line)
		}
	}
}

func TestExplainFitsWideAndLongWords(t *testing.T) {
	w, server := newWorld(t), newFakeServer(t)
	long := strings.Repeat("w", 300) + " " + strings.Repeat("鏡", 120) + " https://" + strings.Repeat("h", 250)
	server.explained = json.RawMessage(`{"target":{"url":"https://a.test/","service":"s3","region":"r","refused":{"code":"C","message":"` + long + `","cause":"` + long + `"}},
		"places":[{"region":"r","state":"absent","why":"` + long + `"}],"answer":{"status":302,"why":"` + long + `"}}`)
	got := w.run(t.Context(), "explain", "--server", server.URL, "https://example.com/file")
	if got.status != 0 || strings.Count(got.stdout, "鏡") != 480 || strings.Count(got.stdout, "w") < 1200 {
		t.Errorf("%+v", got)
	}
	checkExplainedColumns(t, got.stdout)
}

func checkGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestExplainAsJSONIsWhatTheServerSays(t *testing.T) {
	w, server := newWorld(t), newFakeServer(t)
	server.explained = json.RawMessage("{\n  \"answer\": {\"why\": \"a<b\"}\n}")
	w.stdin = "https://example.com/file?a=b\n" + server.URL + "/v1/redirect/s3/eu-west-1/" + fileTarget + "/file?wait=1s&fallback=none\nftp://example.com/\n"
	got := w.run(t.Context(), "explain", "--json", "--token", "x", "--service", "s3", "--region", "us-east-1", "--server", server.URL, "-")
	if want := (result{stdout: strings.Repeat(`{"answer":{"why":"a<b"}}`+"\n", 3)}); got != want {
		t.Errorf("%+v\nis not %+v", got, want)
	}
	none := base64.RawURLEncoding.EncodeToString([]byte("ftp://example.com/"))
	requests := []string{
		"GET /v1/explain/s3/us-east-1/" + fileTarget + " Bearer x",
		"GET /v1/explain/s3/us-east-1/" + fileTarget + "?fallback=none&wait=1s Bearer x",
		"GET /v1/explain/s3/us-east-1/" + none + " Bearer x",
	}
	if diff := cmp.Diff(requests, server.log()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestExplainShowsHostileTextSafely(t *testing.T) {
	w, server := newWorld(t), newFakeServer(t)
	server.explained = json.RawMessage(`{"target":{"url":"https://a.test/\u001b[2J","service":"s\n3","region":"r\u009b","pattern":"^https://\u0007/",
		"nearly":{"pattern":"\u202e","matches":"\u0000"},"refused":{"code":"\u001b","message":"a\rb","cause":"\u001b]0;x"}},
		"places":[{"region":"r","state":"\u001b","why":"a \u001b[31m b","error":{"cause":"\b"}}],
		"answer":{"status":302,"location":"https://a.test/\u001b","why":"\u001b"}}`)
	got := w.run(t.Context(), "explain", "--server", server.URL, "https://example.com/file")
	if got.status != 0 {
		t.Errorf("%+v", got)
	}
	for _, r := range got.stdout {
		if r != '\n' && r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e' {
			t.Fatalf("%q has a control character", got.stdout)
		}
	}
	if n := strings.Count(got.stdout, "\n"); n > 20 {
		t.Errorf("%d lines:\n%s", n, got.stdout)
	}
}

func TestExplainFailures(t *testing.T) {
	w, server := newWorld(t), newFakeServer(t)
	const url = "https://example.com/file?a=b"
	for name, tt := range map[string]struct {
		args   []string
		answer string
		want   result
	}{
		"an older server": {
			[]string{url},
			"",
			result{status: exitFailed, stderr: "cloudmirror: https://example.com/file?…: the server is of an older release, which explains nothing: NotFound: There is nothing at this path. (HTTP 404, request r1)\n"},
		},
		"an unknown service": {
			[]string{"--service", "other", "--region", "x", url},
			"{}",
			result{status: exitFailed, stderr: "cloudmirror: https://example.com/file?…: UnknownBackend: There is no such backend. (HTTP 404, request r1)\n"},
		},
		"no JSON": {
			[]string{url},
			"<html>",
			result{status: exitFailed, stderr: "cloudmirror: https://example.com/file?…: the server's answer is no JSON: is it a cloudmirror?\n"},
		},
		"another shape": {
			[]string{url},
			`{"target":[]}`,
			result{status: exitFailed, stderr: "cloudmirror: https://example.com/file?…: read the answer: json: cannot unmarshal array into Go struct field Explanation.target of type"},
		},
		"a URL that is too long to ask about": {
			[]string{"https://example.com/" + strings.Repeat("a", 1<<20)},
			"{}",
			result{status: exitFailed, stderr: "cloudmirror: https://example.com/"},
		},
		"all regions": {
			[]string{"--region", "*", url},
			"{}",
			result{status: exitUsage, stderr: "cloudmirror: --region must name one region\nRun \"cloudmirror explain --help\" for help.\n"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			server.explained = json.RawMessage(tt.answer)
			if tt.answer == "" {
				server.explained = nil
			}
			got := w.run(t.Context(), append([]string{"explain", "--server", server.URL}, tt.args...)...)
			if got.status != tt.want.status || got.stdout != "" || !strings.HasPrefix(got.stderr, tt.want.stderr) {
				t.Errorf("%+v\nis not %+v", got, tt.want)
			}
		})
	}
}

func TestStatusSaysHowFarOffTimesAre(t *testing.T) {
	w, server := newWorld(t), newFakeServer(t)
	since := time.Now().UTC().Add(-90 * time.Minute).Format(time.RFC3339)
	server.copies["us-east-1/"+fileTarget] = json.RawMessage(`{"state":"pending","queued_since":"` + since + `","delayed_until":"2999-01-01T00:00:00.5Z"}`)
	got := w.run(t.Context(), "status", "--server", server.URL, "https://example.com/file?a=b")
	for _, want := range []string{"  queued_since   " + since + " (1h30m", "s ago)\n", "  delayed_until  2999-01-01T00:00:00.5Z (in ", "  state          waiting\n"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("%q is not in:\n%s", want, got.stdout)
		}
	}
}
