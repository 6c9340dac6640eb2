package main

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"cloudmirror/config"
	"cloudmirror/origin/origintest"
)

func TestTheAuditIsWrittenAtEveryLevel(t *testing.T) {
	for level, infos := range map[config.LogLevel]int{config.LogDebug: 2, config.LogInfo: 2, config.LogWarn: 1, config.LogError: 1} {
		var out bytes.Buffer
		logger, audit := newLoggers(config.Log{Level: level, Format: config.LogJSON}, &out)
		logger.Info("a line")
		audit.Info("purge")
		if n := strings.Count(out.String(), "\n"); n != infos || !strings.Contains(out.String(), `"logger":"audit"`) {
			t.Errorf("level %s has %d lines, want %d: %s", level, n, infos, out.String())
		}
	}
}

// lines is a writer that hands over each line.
type lines chan string

func (l lines) Write(p []byte) (int, error) { l <- string(p); return len(p), nil }

// net/http writes to Go's standard log what a server sends without being asked.
func TestWhatLibrariesLogIsUnquoted(t *testing.T) {
	out := make(lines, 10)
	logger, _ := newLoggers(config.Log{Level: config.LogDebug, Format: config.LogJSON}, out)
	restore, err := logForeign(logger)
	if err != nil {
		t.Fatal(err)
	}
	defer restore()
	server := origintest.Start(t)
	server.Set("/a", origintest.Behaviour{Raw: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nplanted"})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := new(http.Transport).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Error(err)
	}
	response.Body.Close()
	if line := <-out; !strings.Contains(line, `"msg":"Unsolicited response received`) || strings.Contains(line, "planted") {
		t.Errorf("the log has %s", line)
	}
}
