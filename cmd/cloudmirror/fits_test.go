package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/doctor"
	"cloudmirror/provision"
	"cloudmirror/queue"
)

// awkward returns texts that others may send: long, wide, harmful.
func awkward() map[string]string {
	return map[string]string{
		"a short text":          "OriginStatus: The origin answered with 500.",
		"a cause of 240":        strings.Repeat("a cause, ", 27)[:240],
		"without spaces":        strings.Repeat("x", 240),
		"a URL of 300":          `OriginUnreachable: Get "https://example.com/` + strings.Repeat("a", 280) + `": dial tcp: no such host`,
		"wide text":             strings.Repeat("接続が拒否されました", 24),
		"wide text with spaces": strings.Repeat("接続が 拒否されました ", 20),
		"combining characters":  strings.Repeat("e\u0301", 200),
		"emoji":                 strings.Repeat("🙂", 100),
		"control characters":    "\x1b[2J\x1b]0;title\a\r\n\x00\u202e" + strings.Repeat("\x1b", 100),
		"many spaces":           strings.Repeat(" ", 300) + "x",
		"no UTF-8":              strings.Repeat("\xff", 100),
		"nothing":               "",
	}
}

func TestWrappedTextKeepsItsWords(t *testing.T) {
	for name, text := range awkward() {
		for _, first := range []string{"", "    ", "error   ", strings.Repeat("f", 79), strings.Repeat("f", 90)} {
			got := wrapped(first, cloudmirror.Plain(text), 8)
			if one := strings.Join(strings.Fields(got), ""); one != strings.Join(strings.Fields(first+cloudmirror.Plain(text)), "") {
				t.Errorf("%s behind %q: it is no longer the same: %s", name, first, got)
			}
			if len(first) < outputColumns {
				checkFits(t, got)
			}
		}
	}
}

func TestLettersFitATerminal(t *testing.T) {
	long := "https://example.com/" + strings.Repeat("a", 280)
	object, err := cloudmirror.ParseObject(long + "?signature=secret")
	if err != nil {
		t.Fatal(err)
	}
	for name, reason := range awkward() {
		t.Run(name, func(t *testing.T) {
			w, s := newWorld(t), newDeadLetterServer(t, nil)
			job := queue.Job{
				ID: "job", Object: object, Tries: 4,
				Backend: cloudmirror.BackendID{Service: "s3", Region: "us-east-1"}, Generation: cloudmirror.FirstGeneration,
			}
			if err := s.queue.Send(t.Context(), job, 0); err != nil {
				t.Fatal(err)
			}
			deliveries, err := s.queue.Receive(t.Context(), 1)
			if err == nil {
				err = s.queue.Bury(t.Context(), deliveries[0], reason)
			}
			if err != nil {
				t.Fatal(err)
			}
			got := w.dlq(t, s, "ls")
			checkFits(t, got.stdout)
			if !strings.Contains(got.stdout, "\n    "+long+"?…\n") {
				t.Errorf("the URL is not whole, on a line of its own:\n%s", got.stdout)
			}
			checkFitsButBody(t, w.dlq(t, s, "show", "1").stdout)
		})
	}
}

// checkFitsButBody is checkFits for letters that are shown in full: the body of a
// message is one line, to be copied.
func checkFitsButBody(t *testing.T, text string) {
	t.Helper()
	checkFits(t, regexp.MustCompile(`(?m)^  body\n    .*\n`).ReplaceAllString(text, ""))
}

func TestAgesHaveTheLargestUnit(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 119 * time.Second: "119 s", 2 * time.Minute: "2 min", 119 * time.Minute: "119 min",
		2 * time.Hour: "2 h", 47 * time.Hour: "47 h", 48 * time.Hour: "2 days",
	} {
		if got := ago(d); got != want {
			t.Errorf("%v: %s is not %s", d, got, want)
		}
	}
}

func TestDoctorAndProvisionFitATerminal(t *testing.T) {
	for name, text := range awkward() {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			c := &cli{terminal: &terminal{stdout: &stdout, stderr: &stderr}}
			err := errors.Join(
				c.printFinding(doctor.Finding{ID: "copy-unreadable", Severity: doctor.Error, Subject: "bucket " + text, Problem: text, Remedy: text}, false),
				c.printFinding(doctor.Finding{ID: doctor.Looked, Severity: doctor.OK, Subject: text}, false),
				c.printOutcome(provision.Outcome{Kind: provision.Lifecycle, Name: "n", Action: provision.Change, Details: []string{text}}),
			)
			if err != nil {
				t.Fatal(err)
			}
			checkFits(t, stdout.String())
		})
	}
}

func TestHealthFitsATerminal(t *testing.T) {
	for name, text := range awkward() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(rw, "ready\ncache: ok\nqueue s3/eu-west-1: %s\n", strings.ReplaceAll(text, "\n", " "))
			}))
			defer server.Close()
			got := w.run(t.Context(), "health", "--url", server.URL)
			checkFits(t, got.stdout)
			if got.status != exitOK || !strings.HasPrefix(got.stdout, "ready\ncache: ok\n") {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestHealthAsJSON(t *testing.T) {
	w := newWorld(t)
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(status)
		fmt.Fprint(rw, "as it is\ncache: down: why\n")
	}))
	defer server.Close()
	got := w.run(t.Context(), "health", "--json", "--url", server.URL)
	if want := (result{stdout: `{"ready":true,"state":"as it is","dependencies":[{"name":"cache","state":"down: why"}]}` + "\n"}); got != want {
		t.Errorf("%+v\nis not %+v", got, want)
	}
	status = http.StatusServiceUnavailable
	got = w.run(t.Context(), "health", "--json", "--url", server.URL)
	if got.status != exitFailed || !strings.HasPrefix(got.stdout, `{"ready":false,`) {
		t.Errorf("%+v", got)
	}
}
