package main

import (
	"bufio"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	values := []float64{5, 1, 4, 2, 3}
	for q, want := range map[float64]float64{0: 1, 0.2: 1, 0.21: 2, 0.5: 3, 0.99: 5, 1: 5} {
		if got := quantile(values, q); got != want {
			t.Errorf("quantile %v of %v is %v, want %v", q, values, got, want)
		}
	}
	if got, want := spread(values, 1), "3.0 [2.0–4.0]"; got != want {
		t.Errorf("spread %q, want %q", got, want)
	}
}

func TestRatiosAndDifferencesAreTakenInPairs(t *testing.T) {
	if got, want := ratios([]float64{1, 6}, []float64{2, 3}), []float64{0.5, 2}; !slices.Equal(got, want) {
		t.Errorf("ratios %v, want %v", got, want)
	}
	if got, want := differences([]float64{1, 6}, []float64{2, 3}), []float64{-1, 3}; !slices.Equal(got, want) {
		t.Errorf("differences %v, want %v", got, want)
	}
}

func TestReadAnswer(t *testing.T) {
	r := bufio.NewReader(strings.NewReader("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 5\r\n\r\nhello" +
		"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n" + "HTTP/1.1 302 Found\r\n\r\n"))
	for i, want := range []bool{true, false, true} {
		if got, err := readAnswer(r); got != want || err != nil {
			t.Errorf("answer %d is a redirect: %v, error %v, want %v", i, got, err, want)
		}
	}
	if _, err := readAnswer(r); err == nil {
		t.Error("there was an answer after the last one")
	}
}

func TestParseWrk(t *testing.T) {
	const output = "Running 2s test @ http://127.0.0.1:1/\n  1 threads and 64 connections\n  Thread Stats   Avg      Stdev\n  12345 requests in 2.00s, 4.05MB read\n"
	if n, err := parseWrk(output + "Requests/sec:   6172.50\n"); n != 12345 || err != nil {
		t.Errorf("%d requests, error %v, want 12345", n, err)
	}
	for _, bad := range []string{"", output + "  Non-2xx or 3xx responses: 7\n", output + "  Socket errors: connect 0, read 3, write 0, timeout 0\n"} {
		if n, err := parseWrk(bad); err == nil {
			t.Errorf("%d requests and no error of %q", n, bad)
		}
	}
}

func TestRedisCommandsAboutEntriesCount(t *testing.T) {
	for line, want := range map[string]bool{
		`+1700000000.123456 [0 127.0.0.1:50000] "get" "cloudmirror:{abc}:s3:us-east-1"` + "\r\n":                    true,
		`+1700000000.123456 [0 127.0.0.1:50000] "EVALSHA" "0a1b" "1" "cloudmirror:{abc}:s3:us-east-1" "x"` + "\r\n": true,
		`+1700000000.123456 [0 unix:/run/redis.sock] "get" "cloudmirror:{abc}:s3:us-east-1"` + "\r\n":               true,
		`+1700000000.123456 [0 lua] "get" "cloudmirror:{abc}:s3:us-east-1"` + "\r\n":                                false,
		`+1700000000.123456 [0 127.0.0.1:50000] "set" "cloudmirror:canary:xyz" "1" "px" "10000"` + "\r\n":           false,
		"+OK\r\n": false,
	} {
		if command, isEntry := redisCommand(line); isEntry != want {
			t.Errorf("%q, command %q, is about an entry: %v, want %v", line, command, isEntry, want)
		}
	}
	if command, _ := redisCommand(`+1.5 [0 127.0.0.1:50000] "ECHO" "settled"`); command != "echo" {
		t.Errorf("the command is %q, want echo", command)
	}
}

func TestRequestsToS3AreNamed(t *testing.T) {
	for path, want := range map[string]string{
		"/copies":                     "GET of a bucket",
		"/copies/0a1b/0/tool.tar.gz":  "GET of a copy",
		"/copies/0a1b/generation":     "GET of a generation",
		"/copies/private/0a1b/0/meta": "GET of a record",
	} {
		if got := s3Request(httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)); got != want {
			t.Errorf("%s is counted as %q, want %q", path, got, want)
		}
	}
}

func TestGoalsAreJudgedByTheMedian(t *testing.T) {
	for name, c := range map[string]struct {
		goal goal
		want [3]string
	}{
		"at least, met":     {atLeast("x", asRatio, 0.42, 0.1, 0.42, 0.9), [3]string{"≥ 0.42", "0.42 [0.10–0.90]", "met"}},
		"at least, not met": {atLeast("x", asRatio, 0.42, 0.41), [3]string{"≥ 0.42", "0.41", "**not met**"}},
		"at most, met":      {atMost("x", asMilliseconds, 3, 3), [3]string{"≤ 3.00 ms", "3.00 ms", "met"}},
		"at most, not met":  {atMost("x", asMiB, 300, 100, 301, 302), [3]string{"≤ 300 MiB", "301 [100–302] MiB", "**not met**"}},
	} {
		if got := [3]string{c.goal.want, c.goal.measured, c.goal.verdict()}; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestDocumentSurvivesASectionThatFails(t *testing.T) {
	d := document{notes: parseNotes("For people.\n\n## bad\n\nWhy.\n\n## good\n\nNot to be said.\n")}
	d.add(section{name: "bad", title: "Bad luck"}, failed(section{title: "Bad luck"}, errors.New("no such server")), nil)
	d.add(section{name: "good", title: "Good luck"}, result{goals: []goal{atLeast("luck", asRatio, 1, 2)}, text: "Lucky."}, []string{"server ADDRESS"})
	text := d.String()
	for _, want := range []string{
		"| bad luck | – | – | **not measured** |\n| luck | ≥ 1.00 | 2.00 | met |", "no such server", "**What is not met.** Why.", "## Good luck\n\nLucky.", "server ADDRESS",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the document lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "Not to be said") {
		t.Error("the document excuses a section whose goals are met")
	}
}

func TestChartIsXMLWithABarForEachValue(t *testing.T) {
	chart := drawChart([]bar{{name: "nginx <fast>", value: 200_000}, {name: "ours", value: 100_000, product: true}})
	decoder := xml.NewDecoder(strings.NewReader(chart))
	var widths []string
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in %s", err, chart)
		}
		if element, ok := token.(xml.StartElement); ok && element.Name.Local == "rect" {
			for _, attribute := range element.Attr {
				if attribute.Name.Local == "width" {
					widths = append(widths, attribute.Value)
				}
			}
		}
	}
	if want := []string{"330.0", "165.0"}; !slices.Equal(widths, want) {
		t.Errorf("bars of widths %q, want %q", widths, want)
	}
}

func TestToolsReadWhatOthersWrite(t *testing.T) {
	l := new(laboratory)
	var u usage
	shell := func(script string) tool { return tool{program: "/bin/sh", args: []string{"-c", script}} }
	if err := l.runTools(t.Context(), &u, strings.NewReplacer(), shell("echo hello"), shell(`read -r x && test "$x" = hello`)); err != nil {
		t.Error(err)
	}
	if err := l.runTools(t.Context(), &u, strings.NewReplacer(), shell("echo wrong >&2; exit 1")); err == nil || !strings.Contains(err.Error(), "wrong") {
		t.Errorf("a tool that failed gave the error %v", err)
	}
	if len(u.wall) != 1 || len(u.cpu) != 1 || len(u.peak) != 1 {
		t.Errorf("usage %v of one run", u)
	}
}

func TestPacedRequestsCountFromWhenTheyAreDue(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { // stalls once for each connection, then answers
				defer conn.Close()
				r := bufio.NewReader(conn)
				for i := 0; ; i++ {
					for line := ""; line != "\r\n"; {
						if line, err = r.ReadString('\n'); err != nil {
							return
						}
					}
					if i == 0 {
						<-time.After(100 * time.Millisecond)
					}
					if _, err := io.WriteString(conn, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"); err != nil {
						return
					}
				}
			}()
		}
	}()
	took, err := paced(t.Context(), listener.Addr().String(), "/", 160*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	// Each connection has ten requests due, of which the stall delays six; a client
	// that waits for its answers before it counts would see one.
	if len(took) != 10*connections || quantile(took, 0.5) < 20 {
		t.Errorf("%d requests, half of them within %v ms", len(took), quantile(took, 0.5))
	}
}
