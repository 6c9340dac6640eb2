package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A warmServer answers warm requests as a front end does, of service s3.
type warmServer struct {
	URL string

	mu      sync.Mutex
	batches [][]string       // URLs of the jobs that were begun
	asked   map[string]int   // requests for jobs, by id
	starts  []answerOfTest   // given before a job is begun
	looks   []answerOfTest   // given before a job is told of
	most    int              // URLs of a request; 0: any number
	fails   map[string]bool  // URLs whose copies fail
	ends    []map[string]any // the states of the first jobs; the others are done
}

type answerOfTest struct {
	status int
	body   string
}

func newWarmServer(t *testing.T) *warmServer {
	t.Helper()
	s := &warmServer{asked: make(map[string]int), fails: make(map[string]bool)}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

func (s *warmServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	planned := &s.starts
	if r.Method == http.MethodGet {
		planned = &s.looks
	}
	if len(*planned) > 0 {
		a := (*planned)[0]
		*planned = (*planned)[1:]
		w.WriteHeader(a.status)
		fmt.Fprint(w, a.body)
		return
	}
	if r.Method == http.MethodGet {
		id := strings.TrimPrefix(r.URL.Path, "/v1/jobs/")
		s.asked[id]++
		n, err := strconv.Atoi(id)
		if err != nil || n >= len(s.batches) {
			refuse(w, http.StatusNotFound, "UnknownJob", "There is no such job.")
			return
		}
		_ = json.NewEncoder(w).Encode(s.report(n, true))
		return
	}
	s.begin(w, r)
}

func (s *warmServer) begin(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Service string
		Regions []string
		URLs    []string
		Partial bool
	}
	if r.Header.Get("Authorization") != "Bearer "+fakeToken {
		refuse(w, http.StatusUnauthorized, "Unauthorized", "A valid bearer token is needed.")
		return
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.Service != "s3" || len(body.Regions) > 1 || !body.Partial {
		refuse(w, http.StatusBadRequest, "InvalidRequest", fmt.Sprint(err, body))
		return
	}
	if s.most > 0 && len(body.URLs) > s.most {
		refuse(w, http.StatusBadRequest, "InvalidRequest", "That is too much.")
		return
	}
	s.batches = append(s.batches, body.URLs)
	w.WriteHeader(http.StatusAccepted)
	_ = json.NewEncoder(w).Encode(s.report(len(s.batches)-1, false))
}

func (s *warmServer) report(n int, isDone bool) map[string]any {
	pending, failed, failures := []int{}, []int{}, []map[string]any{}
	for i, u := range s.batches[n] {
		switch {
		case !isDone:
			pending = append(pending, i)
		case s.fails[u]:
			failed = append(failed, i)
			failures = append(failures, map[string]any{"index": i, "region": "us-east-1", "code": "OriginStatus", "message": "It is not there."})
		}
	}
	r := map[string]any{"id": strconv.Itoa(n), "state": "running", "pending_urls": pending, "failed_urls": failed, "failures": failures, "counts": map[string]any{"bytes": 1000 * (len(s.batches[n]) - len(pending) - len(failed))}}
	if isDone {
		r["state"] = "done"
		if n < len(s.ends) {
			for key, value := range s.ends[n] {
				r[key] = value
			}
		}
	}
	return r
}

func (w *world) warm(t *testing.T, s *warmServer, args ...string) result {
	t.Helper()
	return w.run(t.Context(), append([]string{"warm", "--server", s.URL, "--token", fakeToken, "--service", "s3", "--region", "us-east-1"}, args...)...)
}

func TestWarmReadsLists(t *testing.T) {
	w, server := newWorld(t), newWarmServer(t)
	write(t, "a.txt", "\ufeffhttps://example.com/1\r\n\r\n# a comment\r\n  https://example.com/2?a=b&c  \r\nhttps://EXAMPLE.com:443/1\r\n")
	w.stdin = server.URL + "/v1/redirect/s3/us-east-1/https://example.com/3\nhttps://example.com/2?a=b&c"
	got := w.warm(t, server, "a.txt", "-")
	if got.status != exitOK || !strings.HasPrefix(got.stdout, "3 URLs: 3 present, 0 failed, 0 not done; 3 kB copied in ") || got.stderr != "" {
		t.Errorf("%+v", got)
	}
	if diff := cmp.Diff([][]string{{"https://example.com/1", "https://example.com/2?a=b&c", "https://example.com/3"}}, server.batches); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWarmRefusesBadListsBeforeAnythingIsSent(t *testing.T) {
	w, server := newWorld(t), newWarmServer(t)
	const good = "https://example.com/1\n"
	tests := map[string]struct{ list, want string }{
		"empty":          {"", "there is no URL in list"},
		"only comments":  {"# a\n\n", "there is no URL in list"},
		"no URL":         {good + "\nftp://user:pw@example.com/?secret\n", "nothing was sent, since not every line is a URL:\n  list:3: ftp://example.com/?…: the URL must begin with http:// or https://"},
		"dot segments":   {good + "https://example.com/a/../b\n", "list:2: https://example.com/a/../b: the URL "},
		"another mirror": {"https://other.test/v1/redirect/s3/us-east-1/https://example.com/3\n", "list:1: https://other.test/v1/redirect/s3/us-east-1/https://example.com/3: the URL is one of another mirror"},
		"another service": {
			server.URL + "/v1/redirect/other/us-east-1/https://example.com/3\n", "the URL is one of the service other, and the list is for s3",
		},
		"many that are none":  {strings.Repeat("x\n", 12), "list:10: x: the URL must begin with http:// or https://\n  and 2 more\n"},
		"a line of a MB":      {good + strings.Repeat("a", 1<<20), "list:2: the line is longer than 32768 bytes: a list has one URL a line"},
		"a binary":            {good + "\x7fELF\x02\x01\x00\x00\n", "list:2: the line is no text: a list has one URL a line"},
		"another encoding":    {"https://example.com/\xfc\n", "list:1: the line is no text"},
		"a URL that is long":  {"https://example.com/" + strings.Repeat("a", 9000) + "\n", "at most 8192 are allowed"},
		"with a bad flag":     {good, "--rate: -1 must be"},
		"failures of nothing": {good, "--failed needs --wait"},
		"failures nowhere":    {good, "--failed: open no/where: no such file or directory"},
	}
	flags := map[string][]string{"with a bad flag": {"--rate", "-1"}, "failures of nothing": {"--failed", "x", "--wait=false"}, "failures nowhere": {"--failed", "no/where"}}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			write(t, "list", test.list)
			got := w.warm(t, server, append(flags[name], "list")...)
			if got.status != exitUsage || !strings.Contains(got.stderr, test.want) || got.stdout != "" || len(got.stderr) > 2000 {
				t.Errorf("%d, %.3000s\nlacks %s", got.status, got.stderr, test.want)
			}
		})
	}
	if got := w.warm(t, server, "nowhere.txt"); got.status != exitUsage || !strings.Contains(got.stderr, "read the list: open nowhere.txt: no such file") {
		t.Errorf("%+v", got)
	}
	if len(server.batches) > 0 {
		t.Errorf("sent: %v", server.batches)
	}
}

func TestWarmSaysWhatFailedAndWritesTheNextList(t *testing.T) {
	w, server := newWorld(t), newWarmServer(t)
	server.fails["https://example.com/2?token=secret"] = true
	write(t, "list", "https://example.com/1\nhttps://example.com/2?token=secret\nhttps://example.com/3\n")
	got := w.warm(t, server, "--failed", "rest", "list")
	if got.status != exitFailed || got.stderr != "cloudmirror: https://example.com/2?… in us-east-1: OriginStatus: It is not there.\n" ||
		!strings.HasPrefix(got.stdout, "3 URLs: 2 present, 1 failed, 0 not done; 2 kB copied in ") || !strings.HasSuffix(got.stdout, "; rest has the URLs that are not present\n") {
		t.Errorf("%+v", got)
	}
	rest, err := os.ReadFile("rest")
	info, statErr := os.Stat("rest")
	if err != nil || statErr != nil || string(rest) != "https://example.com/2?token=secret\n" || info.Mode().Perm() != 0o600 {
		t.Errorf("rest: %q, %v, %v", rest, err, info.Mode())
	}
	got = w.warm(t, server, "--json", "--failed", "rest", "rest")
	lines := strings.SplitN(got.stdout, "\n", 2)
	if got.status != exitFailed || lines[0] != `{"url":"https://example.com/2?token=secret","region":"us-east-1","failed":{"code":"OriginStatus","message":"It is not there."}}` ||
		!strings.HasPrefix(lines[1], `{"url`) || !strings.Contains(lines[1], `s":1,"present":0,"failed":1,"not_done":0,"bytes":0,`) || !strings.Contains(lines[1], `"jobs":["1"]}`) {
		t.Errorf("%+v", got)
	}
	server.fails = nil
	if got := w.warm(t, server, "--failed", "rest", "rest"); got.status != exitOK {
		t.Errorf("%+v", got)
	}
	long := "https://example.com/" + strings.Repeat("a", 8000)
	server.fails = map[string]bool{long: true}
	write(t, "long", long)
	if got := w.warm(t, server, "long"); got.status != exitFailed || len(got.stderr) > 400 || !strings.HasSuffix(got.stderr, " in us-east-1: OriginStatus: It is not there.\n") {
		t.Errorf("%+v", got)
	}
	if rest, err := os.ReadFile("rest"); err != nil || len(rest) > 0 {
		t.Errorf("in the end rest is %q, %v", rest, err)
	}
}

func TestWarmGoesOnThroughTroubleOfTheServer(t *testing.T) {
	w, server := newWorld(t), newWarmServer(t)
	server.starts = []answerOfTest{{503, "<html>no server is available</html>"}, {429, `{"code":"TooManyJobs","message":"Too many jobs."}`}}
	server.looks = []answerOfTest{{502, ""}, {404, `{"code":"UnknownJob","message":"Not here."}`}, {503, `{"code":"Unavailable","message":"Not now."}`}}
	server.ends = []map[string]any{{"state": "stopped", "pending_urls": []int{1, 2}}, {"state": "lost", "pending_urls": []int{1}}}
	write(t, "list", "https://example.com/1\nhttps://example.com/2\nhttps://example.com/3\n")
	got := w.warm(t, server, "list")
	if got.status != exitOK || !strings.HasPrefix(got.stdout, "3 URLs: 3 present, 0 failed") {
		t.Errorf("%+v", got)
	}
	for _, want := range []string{"trying again: the answer is not in the form of cloudmirror (HTTP 503)", "TooManyJobs: Too many jobs.", "HTTP 502", "a job ended as stopped;", "a job ended as lost;"} {
		if !strings.Contains(got.stderr, want) {
			t.Errorf("it does not say %q:\n%s", want, got.stderr)
		}
	}
	want := [][]string{{"https://example.com/1", "https://example.com/2", "https://example.com/3"}, {"https://example.com/2", "https://example.com/3"}, {"https://example.com/3"}}
	if diff := cmp.Diff(want, server.batches); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWarmStopsAtRefusals(t *testing.T) {
	w, server := newWorld(t), newWarmServer(t)
	write(t, "list", "https://example.com/1\n")
	for name, test := range map[string]struct {
		answer answerOfTest
		want   string
	}{
		"a wrong token":  {answerOfTest{401, `{"code":"Unauthorized","message":"No."}`}, "cloudmirror: Unauthorized: No. (HTTP 401)\n"},
		"no such region": {answerOfTest{404, `{"code":"UnknownBackend","message":"No."}`}, "UnknownBackend: No."},
		"a server without partial": {
			answerOfTest{400, `{"code":"InvalidRequest","message":"The body is not the JSON that is wanted here: json: unknown field \"partial\"."}`},
			"the server is of an older release",
		},
		"a redirect":      {answerOfTest{302, ""}, "the answer is a redirect, which is not followed: --server must be where it leads to (HTTP 302)"},
		"another server":  {answerOfTest{202, "hello"}, "the server is of an older release, or no cloudmirror"},
		"an older server": {answerOfTest{202, `{"id":"1","state":"running","counts":{}}`}, "the server is of an older release, or no cloudmirror"},
	} {
		t.Run(name, func(t *testing.T) {
			server.starts = []answerOfTest{test.answer}
			got := w.warm(t, server, "--failed", "rest", "list")
			rest, err := os.ReadFile("rest")
			if got.status != exitFailed || !strings.Contains(got.stderr, test.want) || string(rest) != "https://example.com/1\n" || err != nil {
				t.Errorf("%+v, rest %q, %v", got, rest, err)
			}
		})
	}
	if got := w.run(t.Context(), "warm", "--server", server.URL, "--service", "s3", "--region", "*", "list"); got.status != exitUsage || !strings.Contains(got.stderr, "a token is needed") {
		t.Errorf("%+v", got)
	}
}

func TestWarmSendsBatches(t *testing.T) {
	w, server := newWorld(t), newWarmServer(t)
	var list strings.Builder
	for i := range 2500 {
		fmt.Fprintf(&list, "https://example.com/%d\n", i)
	}
	write(t, "list", list.String())
	if got := w.warm(t, server, "list"); got.status != exitOK || !strings.HasPrefix(got.stdout, "2,500 URLs: 2,500 present") || fmt.Sprint(sizes(server.batches)) != "map[500:1 1000:2]" {
		t.Errorf("%+v, batches of %v", got, sizes(server.batches))
	}
	server = newWarmServer(t) // its own for each case: requests that were given up still arrive
	server.most = 300
	if got := w.warm(t, server, "list"); got.status != exitOK || fmt.Sprint(sizes(server.batches)) != "map[250:10]" {
		t.Errorf("%+v, batches of %v", got, sizes(server.batches))
	}
	server = newWarmServer(t)
	server.most = 10
	if got := w.warm(t, server, "list"); got.status != exitFailed || !strings.Contains(got.stderr, "That is too much.") {
		t.Errorf("%+v, batches of %v", got, sizes(server.batches))
	}
	server = newWarmServer(t)
	write(t, "long", strings.Repeat("#\n", 3)+"https://example.com/"+strings.Repeat("a", 8000)+"\n"+strings.ReplaceAll(strings.Join(strings.SplitAfter(list.String(), "\n")[:100], ""), "example.com/", "example.com/"+strings.Repeat("b", 8000)))
	if got := w.warm(t, server, "long"); got.status != exitOK || fmt.Sprint(sizes(server.batches)) != "map[36:1 65:1]" {
		t.Errorf("%+v, batches of %v", got, sizes(server.batches))
	}
}

func sizes(batches [][]string) map[int]int {
	n := make(map[int]int)
	for _, b := range batches {
		n[len(b)]++
	}
	return n
}

func TestWarmWithoutWaiting(t *testing.T) {
	w, server := newWorld(t), newWarmServer(t)
	write(t, "list", "https://example.com/1\n")
	if got := w.warm(t, server, "--wait=false", "list"); got != (result{stdout: "0\n"}) {
		t.Errorf("%+v", got)
	}
	if got := w.warm(t, server, "--wait=false", "--json", "list"); got.status != exitOK || !strings.Contains(got.stdout, `"not_done":1,`) || !strings.Contains(got.stdout, `"jobs":["1"]}`) {
		t.Errorf("%+v", got)
	}
	if len(server.asked) > 0 {
		t.Errorf("it asked for %v", server.asked)
	}
}

func TestWarmKeepsToItsRate(t *testing.T) {
	w, server := newWorld(t), newWarmServer(t)
	write(t, "list", "https://a.test/1\nhttps://a.test/2\nhttps://a.test/3\nhttps://a.test/4\nhttps://a.test/5\n")
	began := time.Now()
	got := w.warm(t, server, "--rate", "3.5", "list")
	if took := time.Since(began); got.status != exitOK || took < 250*time.Millisecond || fmt.Sprint(sizes(server.batches)) != "map[1:1 4:1]" {
		t.Errorf("%v, %+v, batches of %v", took, got, sizes(server.batches))
	}
}

// impatient returns a warmer of one URL whose patience is short.
func impatient(server string) *warmer {
	w := newWarmer((&target{server: server, token: fakeToken}).newClient(), backendOfTest, []string{"https://example.com/1"},
		&progress{out: new(strings.Builder), urls: 1, began: time.Now()})
	w.patience, w.firstPatience, w.forget = 10*time.Millisecond, 10*time.Millisecond, 10*time.Millisecond
	w.polls, w.retries = pauses{time.Millisecond, 20 * time.Millisecond}, pauses{time.Millisecond, 20 * time.Millisecond}
	return w
}

func TestWarmGivesUpOnASilentServer(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	w := impatient(gone.URL)
	w.firstPatience, w.answered = time.Hour, time.Now() // it was there
	if err := w.run(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "no answer that counts for 10ms: ask "+gone.URL) {
		t.Errorf("error %v", err)
	}
}

// A wrong --server is told soon. A balancer without front ends is waited for.
func TestWarmGivesUpSoonOnAServerThatNeverAnswered(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	w := impatient(gone.URL)
	w.patience = time.Hour
	if err := w.run(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "nothing answered for 10ms: ask "+gone.URL) {
		t.Errorf("error %v", err)
	}
	server := newWarmServer(t)
	for range 8 { // over more than 10 ms
		server.starts = append(server.starts, answerOfTest{503, "no server is available"})
	}
	w = impatient(server.URL)
	w.patience = time.Hour
	defer w.server.Close()
	if err := w.run(t.Context()); err != nil || w.result().Present != 1 {
		t.Errorf("error %v, %+v", err, w.result())
	}
}

// Each answer has an id of its own.
func TestWarmSaysOnceWhyItTriesAgain(t *testing.T) {
	server := newWarmServer(t)
	for i := range 5 {
		server.starts = append(server.starts, answerOfTest{429, fmt.Sprintf(`{"code":"TooManyJobs","message":"Too many jobs.","request_id":"%d"}`, i)})
	}
	w := impatient(server.URL)
	defer w.server.Close()
	var said strings.Builder
	w.progress.out, w.patience = &said, time.Hour
	if err := w.run(t.Context()); err != nil || said.String() != "cloudmirror: trying again: TooManyJobs: Too many jobs. (HTTP 429)\n" {
		t.Errorf("error %v, it says %q", err, said.String())
	}
}

func TestWarmAsksAgainForWhatAForgottenJobHadNotDone(t *testing.T) {
	server := newWarmServer(t)
	for range 8 { // over more than 10 ms
		server.looks = append(server.looks, answerOfTest{404, `{"code":"UnknownJob","message":"Not here."}`})
	}
	w := impatient(server.URL)
	defer w.server.Close()
	if err := w.run(t.Context()); err != nil || len(server.batches) < 2 || w.result().Present != 1 {
		t.Errorf("error %v, %d jobs, %+v", err, len(server.batches), w.result())
	}
}

func TestAnInterruptedWarmLooksOnceMore(t *testing.T) {
	server := newWarmServer(t)
	w := impatient(server.URL)
	defer w.server.Close()
	w.polls = pauses{time.Hour, time.Hour}
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- w.run(ctx) }()
	for len(w.result().Jobs) == 0 {
		runtime.Gosched()
	}
	interrupt()
	if err := <-ended; !errors.Is(err, context.Canceled) || w.result().Present != 1 {
		t.Errorf("error %v, %+v", err, w.result())
	}
}

// A copy that failed, and that a later job made, is no failure.
func TestWarmForgetsFailuresThatWereMended(t *testing.T) {
	server := newWarmServer(t)
	failure := map[string]any{"index": 0, "region": "us-east-1", "code": "OriginStatus", "message": "It is not there."}
	server.ends = []map[string]any{{"state": "stopped", "pending_urls": []int{0}, "failed_urls": []int{0}, "failures": []any{failure}}}
	w := impatient(server.URL)
	defer w.server.Close()
	if err := w.run(t.Context()); err != nil || w.result().Present != 1 || len(w.failures()) != 0 {
		t.Errorf("error %v, %+v, failures %v", err, w.result(), w.failures())
	}
}

func TestWarmGivesUpOnJobsThatDoNothing(t *testing.T) {
	server := newWarmServer(t)
	for range maxIdleJobs {
		server.ends = append(server.ends, map[string]any{"state": "lost", "pending_urls": []int{0}})
	}
	w := impatient(server.URL)
	defer w.server.Close()
	if err := w.run(t.Context()); err == nil || !strings.Contains(err.Error(), "10 jobs in a row ended with none of their 1 URLs done") {
		t.Errorf("error %v", err)
	}
}
