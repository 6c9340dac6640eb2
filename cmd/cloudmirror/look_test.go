package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloudmirror"
)

// TestLookingAtAServerWithADeadLetter has a real server give a job up, and follows
// what status says to run next.
func TestLookingAtAServerWithADeadLetter(t *testing.T) {
	if testing.Short() {
		t.Skip("five tries take 4 s to 8 s")
	}
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "broken", http.StatusInternalServerError)
	}))
	defer origin.Close()
	w := newWorld(t)
	p := start(t, nil, "serve", "--listen", "127.0.0.1:0", "--allow-address", "127.0.0.0/8", "--allow", "^"+strings.ReplaceAll(origin.URL, ".", `\.`)+"/")
	address := p.url()
	well := w.run(t.Context(), "status", "--server", address)
	if well.status != exitOK || !strings.HasPrefix(well.stdout, "all is well") || !strings.Contains(well.stdout, "\ns3/us-east-1  ok ") {
		t.Errorf("before: %+v", well)
	}
	checkFits(t, well.stdout)
	if got := w.run(t.Context(), "dlq", "ls", "--server", address); got.stdout != "no dead letters in s3/us-east-1\n" {
		t.Errorf("before: %+v", got)
	}

	url := origin.URL + "/" + strings.Repeat("a", 280)
	shown := w.awaitStatus(t, address, "dead letters wait in s3/us-east-1", func() { ask(t, address, url+"?signature=secret") })
	checkFits(t, shown)
	_, next, _ := strings.Cut(strings.ReplaceAll(shown, " \\\n", " "), "    next: cloudmirror ")
	next, _, _ = strings.Cut(next, "\n")
	got := w.run(t.Context(), shellWords(next)...)
	lines := strings.Split(got.stdout, "\n")
	if got.status != exitOK || len(lines) < 4 || !strings.Contains(lines[1], " s ago, at 20") || !strings.Contains(lines[1], ", tries: ") ||
		lines[2] != "    "+url+"?…" || !strings.HasPrefix(lines[3], "    OriginStatus: ") {
		t.Errorf("%q: %+v", next, got)
	}
	checkFits(t, got.stdout)
	p.signal(syscall.SIGTERM)
	p.wait()
}

// ask asks a server for an object, and does not wait for the copy.
func ask(t *testing.T, server, url string) {
	t.Helper()
	object, err := cloudmirror.ParseObject(url)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		object.RedirectURL(server, cloudmirror.BackendID{Service: "s3", Region: "us-east-1"})+"?wait=1ms", nil)
	if err != nil {
		t.Fatal(err)
	}
	asker := &http.Transport{DisableKeepAlives: true}
	response, err := asker.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
}

// awaitStatus asks for the state of the deployment until it holds a text. It calls
// cause each time: copies are tried again while clients ask.
func (w *world) awaitStatus(t *testing.T, server, text string, cause func()) string {
	t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-tick.C {
		cause()
		if got := w.run(t.Context(), "status", "--server", server); strings.Contains(got.stdout, text) {
			return got.stdout
		}
	}
	t.Fatalf("it never says %q", text)
	return ""
}
