package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/cache/memcache"
	"cloudmirror/engine"
	"cloudmirror/frontend"
	"cloudmirror/queue"
	"cloudmirror/queue/memqueue"
)

const deadLetterURL = "https://example.com/file?signature=secret"

// A deadLetterServer is a front end with a real queue, of which others can be made.
type deadLetterServer struct {
	t     *testing.T
	queue *memqueue.Queue
	URL   string
}

func newDeadLetterServer(t *testing.T, deadLetters func(*memqueue.Queue) queue.DeadLetters) *deadLetterServer {
	t.Helper()
	s := &deadLetterServer{t: t, queue: memqueue.New(memqueue.Options{DeadCapacity: 5_000})}
	cache, err := memcache.New(memcache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	en := engine.New(engine.Options{Cache: cache, Logger: zap.NewNop()})
	t.Cleanup(en.Close)
	token := cloudmirror.Token{Hash: sha256.Sum256([]byte(fakeToken))}
	reached := queue.DeadLetters(s.queue)
	if deadLetters != nil {
		reached = deadLetters(s.queue)
	}
	f, err := frontend.New(frontend.Options{
		Engine: en, Tokens: []cloudmirror.Token{token},
		Services: map[string]frontend.Service{"s3": {
			Backends: []frontend.Backend{{Region: "us-east-1", Queue: s.queue, DeadLetters: reached}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	server := httptest.NewServer(f.Handler())
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// bury makes n dead letters, with the ids from 1 on.
func (s *deadLetterServer) bury(n int) {
	s.t.Helper()
	object, err := cloudmirror.ParseObject(deadLetterURL)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := range n {
		job := queue.Job{
			ID: fmt.Sprintf("job%d", i+1), Object: object, Tries: 4,
			Backend: cloudmirror.BackendID{Service: "s3", Region: "us-east-1"}, Generation: cloudmirror.FirstGeneration,
		}
		if err := s.queue.Send(s.t.Context(), job, 0); err != nil {
			s.t.Fatal(err)
		}
		deliveries, err := s.queue.Receive(s.t.Context(), 1)
		if err != nil {
			s.t.Fatal(err)
		}
		if err := s.queue.Bury(s.t.Context(), deliveries[0], "OriginStatus: 500\n"+job.ID); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *deadLetterServer) counts() queue.Counts {
	s.t.Helper()
	counts, err := s.queue.Count(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return counts
}

func (w *world) dlq(t *testing.T, s *deadLetterServer, args ...string) result {
	t.Helper()
	w.environ = []string{"CLOUDMIRROR_TOKEN=" + fakeToken}
	return w.run(t.Context(), append(append([]string{"dlq"}, args...), "--server", s.URL)...)
}

func TestDeadLettersAreListedWithoutTheirQueries(t *testing.T) {
	w, s := newWorld(t), newDeadLetterServer(t, nil)
	if got := w.dlq(t, s, "ls"); got != (result{stdout: "no dead letters in s3/us-east-1\n"}) {
		t.Errorf("without letters: %+v", got)
	}
	s.bury(3)
	got := w.dlq(t, s, "ls", "--limit", "2")
	want := `1
    AGO, tries: 4
    https://example.com/file?…
    "OriginStatus: 500\njob1"

2
    AGO, tries: 4
    https://example.com/file?…
    "OriginStatus: 500\njob2"
`
	stdout := regexp.MustCompile(`[0-9]+ s ago, at 20[-0-9]+T[0-9:]+Z`).ReplaceAllString(got.stdout, "AGO")
	if diff := cmp.Diff(want, stdout); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
	if got.status != exitOK || got.stderr != "cloudmirror: there are about 3 letters; 2 are listed\n" {
		t.Errorf("%+v", got)
	}
	got = w.dlq(t, s, "ls", "--json")
	for i, line := range strings.Split(strings.TrimSpace(got.stdout), "\n") {
		var l struct {
			ID  string
			Job struct{ URL, Hash string }
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.ID != fmt.Sprint(i+1) || len(l.Job.Hash) < 32 || strings.Contains(line, "secret") {
			t.Errorf("line %d is %s, error %v", i, line, err)
		}
	}
}

func TestADeadLetterIsShownInFull(t *testing.T) {
	w, s := newWorld(t), newDeadLetterServer(t, nil)
	s.bury(2)
	got := w.dlq(t, s, "show", "2", "9")
	for _, want := range []string{"2 in s3/us-east-1\n", "  job.url        " + deadLetterURL + "\n", "  body\n    {\"version\":1,\"id\":\"job2\"", "  receives       1\n"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("%q is not in\n%s", want, got.stdout)
		}
	}
	if got.status != exitFailed || got.stderr != "cloudmirror: letter 9: there is no such letter; perhaps somebody else handles it\n" {
		t.Errorf("%+v, want letter 9 missing", got)
	}
	got = w.dlq(t, s, "show", "--json", "9", "1")
	if !strings.HasPrefix(got.stdout, `{"id":"9","failed":{"message":"there is no such letter`) || !strings.Contains(got.stdout, `{"id":"1","reason":`) {
		t.Errorf("%+v", got)
	}
}

func TestDeadLettersAreRedrivenAndDropped(t *testing.T) {
	w, s := newWorld(t), newDeadLetterServer(t, nil)
	s.bury(4)
	got := w.dlq(t, s, "redrive", "2", "9")
	want := result{
		status: exitFailed, stdout: "redriven 2\n",
		stderr: "cloudmirror: letter 9: UnknownLetter: No such letter was found; perhaps somebody else handles it.\n",
	}
	if got != want || s.counts() != (queue.Counts{Ready: 1, Dead: 3}) {
		t.Errorf("%+v\nis not %+v; counts %+v", got, want, s.counts())
	}
	w.stdin = "1\n\n4\n"
	got = w.dlq(t, s, "drop", "--json", "-")
	if want := (result{stdout: `{"dropped":true,"id":"1"}` + "\n" + `{"dropped":true,"id":"4"}` + "\n"}); got != want {
		t.Errorf("%+v\nis not %+v", got, want)
	}
	got = w.dlq(t, s, "redrive", "--all")
	if want := (result{stdout: "redriven 3\n"}); got != want || s.counts() != (queue.Counts{Ready: 2}) {
		t.Errorf("%+v\nis not %+v; counts %+v", got, want, s.counts())
	}
}

func TestThousandsOfDeadLettersTakeMoreThanOneRequest(t *testing.T) {
	w, s := newWorld(t), newDeadLetterServer(t, nil)
	s.bury(2_500)
	got := w.dlq(t, s, "redrive", "--all")
	if n := strings.Count(got.stdout, "redriven "); got.status != exitOK || n != 2_500 || s.counts() != (queue.Counts{Ready: 2_500}) {
		t.Errorf("status %d, %d lines, counts %+v, stderr %s", got.status, n, s.counts(), got.stderr)
	}
}

// returning has each letter that is redriven come back as another one.
type returning struct{ *memqueue.Queue }

func (r returning) Redrive(ctx context.Context, c queue.Choice) ([]queue.Handled, error) {
	c.Limit = 2
	handled, err := r.Queue.Redrive(ctx, c)
	for range handled {
		deliveries, err := r.Receive(ctx, 1)
		if err != nil {
			return nil, err
		}
		if err := r.Bury(ctx, deliveries[0], "again"); err != nil {
			return nil, err
		}
	}
	return handled, err
}

func TestDeadLettersThatComeBackAreNotRedrivenForEver(t *testing.T) {
	w := newWorld(t)
	s := newDeadLetterServer(t, func(q *memqueue.Queue) queue.DeadLetters { return returning{q} })
	s.bury(5)
	got := w.dlq(t, s, "redrive", "--all")
	if n := strings.Count(got.stdout, "redriven "); got.status != exitOK || n < 5 || n > 8 || s.counts().Dead != 5 {
		t.Errorf("status %d, %d lines, counts %+v", got.status, n, s.counts())
	}
}

// breaking refuses a malformed letter and breaks then.
type breaking struct{ *memqueue.Queue }

func (breaking) Drop(context.Context, queue.Choice) ([]queue.Handled, error) {
	letter := queue.NewLetter("1", "no job")
	return []queue.Handled{{Letter: letter, Err: letter.Malformed}}, context.DeadlineExceeded
}

func TestAQueueThatBreaksHalfwayIsTold(t *testing.T) {
	w := newWorld(t)
	s := newDeadLetterServer(t, func(q *memqueue.Queue) queue.DeadLetters { return breaking{q} })
	got := w.dlq(t, s, "drop", "--all")
	want := result{status: exitFailed, stderr: "cloudmirror: letter 1: MalformedLetter: The letter is no job; it can only be dropped.\n" +
		"cloudmirror: the queue failed before all was done; look again with \"cloudmirror dlq ls\"\n"}
	if got != want {
		t.Errorf("%+v\nis not %+v", got, want)
	}
}

func TestDLQUsage(t *testing.T) {
	w, s := newWorld(t), newDeadLetterServer(t, nil)
	s.bury(1)
	tests := map[string]struct {
		args   []string
		stderr string
	}{
		"every region":        {[]string{"ls", "--region", "*"}, "--region must name one region"},
		"neither ids nor all": {[]string{"drop"}, "either ids or --all"},
		"both ids and all":    {[]string{"redrive", "1", "--all"}, "either ids or --all"},
		"show nothing":        {[]string{"show"}, "requires at least 1 arg"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := w.dlq(t, s, tt.args...); got.status != exitUsage || !strings.Contains(got.stderr, tt.stderr) {
				t.Errorf("%+v, want a usage error with %q", got, tt.stderr)
			}
		})
	}
	for _, args := range [][]string{{"dlq"}, {"dlq", "purge"}} {
		if got := w.run(t.Context(), args...); got.status != exitUsage || got.stdout != "" {
			t.Errorf("%v: %+v", args, got)
		}
	}
	w.environ = nil
	if got := w.run(t.Context(), "dlq", "drop", "--all", "--server", s.URL); got.status != exitUsage || !strings.Contains(got.stderr, "a token is needed") {
		t.Errorf("without a token: %+v", got)
	}
	if got := w.run(t.Context(), "dlq", "ls", "--token", "wrong", "--server", s.URL); got.status != exitFailed || !strings.Contains(got.stderr, "Unauthorized") {
		t.Errorf("with a wrong token: %+v", got)
	}
	if s.counts().Dead != 1 {
		t.Error("the letter is gone")
	}
}
