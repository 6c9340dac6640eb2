package main

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"cloudmirror/test/servers"
)

var program string

func TestMain(m *testing.M) { os.Exit(servers.RunWithProgram(m, &program)) }

// TestTheDemoEndsWithSomethingToLookAt follows the demo as a newcomer does, and opens
// the status page that it names while it runs on.
func TestTheDemoEndsWithSomethingToLookAt(t *testing.T) {
	shown, out := io.Pipe()
	until, enter := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(t.Context(), program, out, until)
		out.Close()
		ended <- err
	}()
	var text strings.Builder
	page := regexp.MustCompile(`^Status page: (http://127\.0\.0\.1:[0-9]+/status)$`)
	for lines := bufio.NewScanner(shown); lines.Scan(); {
		text.WriteString(lines.Text() + "\n")
		if found := page.FindStringSubmatch(lines.Text()); found != nil {
			response, err := request(t.Context(), found[1])
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != http.StatusOK || !strings.HasPrefix(response.Header.Get("Content-Type"), "text/html") {
				t.Errorf("the status page is answered with %s %s", response.Status, response.Header.Get("Content-Type"))
			}
			go func() { _, _ = enter.Write([]byte("\n")) }()
		}
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"cloudmirror; fwd=miss; stored", "cloudmirror; hit", "$ cloudmirror status http://", "present", "Status page: ", "Press Enter to stop"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not shown in:\n%s", want, text.String())
		}
	}
}
