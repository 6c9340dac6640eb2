package frontend_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/frontend"
	"cloudmirror/queue"
)

const deadLettersPath = "/v1/dead-letters/s3/us-east-1"

// deadLetterList is what operators see of the letters.
type deadLetterList struct {
	Letters []struct {
		ID        string
		Reason    string
		BuriedAt  string `json:"buried_at"`
		Receives  int
		Malformed string
		Body      string
		Job       *struct {
			ID, URL, Hash, Generation string
			Tries                     int
		}
	} `json:"dead_letters"`
	Count *int
}

type handledDeadLetters struct {
	Done     []string
	Refused  []struct{ ID, Code, Message string }
	Complete bool
	Count    *int
}

// bury makes dead letters of n jobs in us-east-1, whose ids are 1 to n.
func (w *world) bury(n int) {
	w.t.Helper()
	for i := range n {
		job := queue.Job{
			ID: fmt.Sprintf("job%d", i+1), Object: mustObject(originURL), Backend: east,
			Generation: cloudmirror.FirstGeneration, Tries: 4,
		}
		if err := w.queues[east].Send(w.t.Context(), job, 0); err != nil {
			w.t.Fatal(err)
		}
		deliveries, err := w.queues[east].Receive(w.t.Context(), 1)
		if err != nil || len(deliveries) != 1 {
			w.t.Fatalf("received %v, error %v", deliveries, err)
		}
		if err := w.queues[east].Bury(w.t.Context(), deliveries[0], "reason of "+job.ID); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) list(query string) deadLetterList {
	w.t.Helper()
	resp := w.operate(http.MethodGet, deadLettersPath+query, "Bearer "+token, "")
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Cache-Control") != "no-store" {
		w.t.Fatalf("answer %v", resp)
	}
	return decode[deadLetterList](w.t, resp)
}

func (w *world) handle(how, payload string) handledDeadLetters {
	w.t.Helper()
	resp := w.operate(http.MethodPost, deadLettersPath+how, "Bearer "+token, payload)
	if resp.StatusCode != http.StatusOK {
		w.t.Fatalf("status %d: %+v", resp.StatusCode, decode[body](w.t, resp))
	}
	return decode[handledDeadLetters](w.t, resp)
}

func TestDeadLettersAreListedWithoutSecrets(t *testing.T) {
	w := newWorld(t)
	w.bury(3)
	list := w.list("")
	if len(list.Letters) != 3 || list.Count == nil || *list.Count != 3 {
		t.Fatalf("the list is %+v, want three letters", list)
	}
	for i, l := range list.Letters {
		id := fmt.Sprint(i + 1)
		if l.ID != id || l.Reason != "reason of job"+id || l.Receives != 1 || l.BuriedAt == "" || l.Body != "" || l.Job == nil {
			t.Errorf("letter %s is %+v", id, l)
			continue
		}
		o := mustObject(originURL)
		if l.Job.ID != "job"+id || l.Job.URL != o.String() || strings.Contains(l.Job.URL, "secret") || l.Job.Hash != o.Hash() || l.Job.Tries != 4 {
			t.Errorf("the job is %+v, want it without the query", l.Job)
		}
	}
	full := w.list("?full=true&id=2")
	if len(full.Letters) != 1 || full.Letters[0].ID != "2" || full.Letters[0].Job.URL != originURL || !strings.Contains(full.Letters[0].Body, originURL) {
		t.Errorf("in full, letter 2 is %+v", full.Letters)
	}
	if got := w.list("?limit=2"); len(got.Letters) != 2 {
		t.Errorf("with a limit of 2 there are %d letters", len(got.Letters))
	}
	if got := w.list("?id=9"); len(got.Letters) != 0 {
		t.Errorf("by an unknown id there are %+v", got.Letters)
	}
}

func TestDeadLettersAreRedriven(t *testing.T) {
	w := newWorld(t)
	w.bury(3)
	got := w.handle("/redrive", `{"ids":["2","9"]}`)
	if diff := cmp.Diff([]string{"2"}, got.Done); diff != "" || !got.Complete || got.Count == nil || *got.Count != 2 {
		t.Errorf("the answer is %+v, want letter 2 done and two left", got)
	}
	if len(got.Refused) != 1 || got.Refused[0].ID != "9" || got.Refused[0].Code != "UnknownLetter" || got.Refused[0].Message == "" {
		t.Errorf("refused are %+v, want letter 9", got.Refused)
	}
	got = w.handle("/redrive", `{"all":true}`)
	slices.Sort(got.Done)
	if diff := cmp.Diff([]string{"1", "3"}, got.Done); diff != "" {
		t.Errorf("done (-want +got):\n%s", diff)
	}
	deliveries, err := w.queues[east].Receive(t.Context(), 10)
	if err != nil || len(deliveries) != 3 {
		t.Fatalf("received %v, error %v, want all jobs", deliveries, err)
	}
	for _, d := range deliveries {
		if !d.Job.Redriven || d.Job.Tries != 0 {
			t.Errorf("received %+v, want it afresh", d.Job)
		}
	}
}

func TestDeadLettersAreDropped(t *testing.T) {
	w := newWorld(t)
	w.bury(2)
	if got := w.handle("/drop", `{"ids":["1"]}`); !slices.Equal(got.Done, []string{"1"}) || *got.Count != 1 {
		t.Errorf("the answer is %+v", got)
	}
	if got := w.list(""); len(got.Letters) != 1 || got.Letters[0].ID != "2" {
		t.Errorf("left are %+v", got.Letters)
	}
	counts, err := w.queues[east].Count(t.Context())
	if err != nil || counts != (queue.Counts{Dead: 1}) {
		t.Errorf("counts are %+v, error %v, want nothing sent", counts, err)
	}
}

func TestDeadLetterRequestsThatAreRefused(t *testing.T) {
	tests := []struct {
		name, method, path, payload string
		status                      int
		code                        string
	}{
		{"an unknown region", http.MethodGet, "/v1/dead-letters/s3/us-east-2", "", 404, "UnknownBackend"},
		{"every region", http.MethodGet, "/v1/dead-letters/s3/*", "", 404, "UnknownBackend"},
		{"an encoded region", http.MethodGet, "/v1/dead-letters/s3/us%2deast-1", "", 404, "UnknownBackend"},
		{"more in the path", http.MethodGet, deadLettersPath + "/1", "", 404, "NotFound"},
		{"a limit of none", http.MethodGet, deadLettersPath + "?limit=0", "", 400, "InvalidOption"},
		{"a limit beyond all", http.MethodGet, deadLettersPath + "?limit=1001", "", 400, "InvalidOption"},
		{"a limit in words", http.MethodGet, deadLettersPath + "?limit=all", "", 400, "InvalidOption"},
		{"full of something", http.MethodGet, deadLettersPath + "?full=some", "", 400, "InvalidOption"},
		{"a broken query", http.MethodGet, deadLettersPath + "?id=%zz", "", 400, "InvalidOption"},
		{"a redrive of nothing", http.MethodPost, deadLettersPath + "/redrive", `{}`, 400, "InvalidRequest"},
		{"a drop of nothing", http.MethodPost, deadLettersPath + "/drop", `{"ids":[]}`, 400, "InvalidRequest"},
		{"both", http.MethodPost, deadLettersPath + "/drop", `{"ids":["1"],"all":true}`, 400, "InvalidRequest"},
		{"something else", http.MethodPost, deadLettersPath + "/drop", `{"everything":true}`, 400, "InvalidRequest"},
		{"no JSON", http.MethodPost, deadLettersPath + "/redrive", `all`, 400, "InvalidRequest"},
		{"too many ids", http.MethodPost, deadLettersPath + "/drop", `{"ids":["` + strings.Repeat(`1","`, 1000) + `1"]}`, 400, "InvalidRequest"},
		{"an unknown backend", http.MethodPost, "/v1/dead-letters/s4/us-east-1/drop", `{"all":true}`, 404, "UnknownBackend"},
		{"a GET that would change something", http.MethodGet, deadLettersPath + "/drop", "", 405, "MethodNotAllowed"},
	}
	w := newWorld(t)
	w.bury(1)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp := w.operate(tt.method, tt.path, "Bearer "+token, tt.payload)
			if got := decode[body](t, resp); resp.StatusCode != tt.status || got.Code != tt.code || got.Message == "" {
				t.Errorf("status %d, body %+v, want %d %s", resp.StatusCode, got, tt.status, tt.code)
			}
		})
	}
	if got := w.list(""); len(got.Letters) != 1 {
		t.Errorf("left are %d letters, want the one", len(got.Letters))
	}
}

// faultyLetters has a letter that is no job, and breaks when it comes to others.
type faultyLetters struct{ all bool }

func (f faultyLetters) Letters(context.Context, queue.Choice) ([]queue.Letter, error) {
	if f.all {
		return nil, errDown
	}
	return []queue.Letter{queue.NewLetter("m", "no job")}, nil
}

func (f faultyLetters) Redrive(context.Context, queue.Choice) ([]queue.Handled, error) {
	if f.all {
		return nil, errDown
	}
	letter := queue.NewLetter("m", "no job")
	return []queue.Handled{{Letter: letter, Err: letter.Malformed}, {Letter: queue.Letter{ID: "x"}, Err: errDown}}, errDown
}

func (f faultyLetters) Drop(ctx context.Context, c queue.Choice) ([]queue.Handled, error) {
	return f.Redrive(ctx, c)
}

func withDeadLetters(letters queue.DeadLetters) func(*frontend.Options) {
	return withService(func(s *frontend.Service) {
		s.Backends = slices.Clone(s.Backends)
		s.Backends[0].DeadLetters = letters
	})
}

func TestMalformedDeadLetters(t *testing.T) {
	w := newWorld(t, withDeadLetters(faultyLetters{}))
	list := w.list("")
	if len(list.Letters) != 1 || list.Letters[0].Malformed == "" || list.Letters[0].Job != nil {
		t.Errorf("the list is %+v, want a letter without a job, and why", list)
	}
	got := w.handle("/redrive", `{"all":true}`)
	if len(got.Done) != 0 || len(got.Refused) != 2 || got.Refused[0].Code != "MalformedLetter" || got.Refused[1].Code != "Unavailable" || got.Complete {
		t.Errorf("the answer is %+v, want both refused, and more not reached", got)
	}
}

func TestDeadLettersThatCannotBeReached(t *testing.T) {
	w := newWorld(t, withDeadLetters(faultyLetters{all: true}))
	for _, resp := range []*http.Response{
		w.operate(http.MethodGet, deadLettersPath, "Bearer "+token, ""),
		w.operate(http.MethodPost, deadLettersPath+"/redrive", "Bearer "+token, `{"all":true}`),
		w.operate(http.MethodPost, deadLettersPath+"/drop", "Bearer "+token, `{"ids":["1"]}`),
	} {
		if got := decode[body](t, resp); resp.StatusCode != http.StatusServiceUnavailable || got.Code != "Unavailable" || resp.Header.Get("Retry-After") == "" {
			t.Errorf("status %d, body %+v, want 503", resp.StatusCode, got)
		}
	}
}

// A request may name as many dead letters as a queue handles at once, and no more.
func TestLimitsOfDeadLettersAgree(t *testing.T) {
	if api.MaxDeadLetters != queue.MaxLetters {
		t.Errorf("a request has %d, a queue %d", api.MaxDeadLetters, queue.MaxLetters)
	}
}
