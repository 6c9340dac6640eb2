package frontend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
	"cloudmirror/frontend"
	"cloudmirror/kv"
	"cloudmirror/kv/memkv"
)

// A jobBody is a job as clients see it.
type jobBody struct {
	ID, State string
	Regions   []string
	URLs      int
	Counts    struct{ Pending, Present, Error, Bytes int }
	Failures  []struct {
		Index                      int
		URL, Region, Code, Message string
	}
	FailedURLs  []int `json:"failed_urls"`
	PendingURLs []int `json:"pending_urls"`
	Shared      bool
}

// warm starts a job and returns where to follow it.
func (w *world) warm(payload string) (path string, j jobBody) {
	w.t.Helper()
	resp := w.operate(http.MethodPost, "/v1/warm", "Bearer "+token, payload)
	if resp.StatusCode != http.StatusAccepted {
		w.t.Fatalf("status %d: %+v", resp.StatusCode, decode[body](w.t, resp))
	}
	path, found := strings.CutPrefix(resp.Header.Get("Location"), publicURL)
	if !found {
		w.t.Fatalf("Location %q", resp.Header.Get("Location"))
	}
	return path, decode[jobBody](w.t, resp)
}

func (w *world) follow(path string) jobBody {
	w.t.Helper()
	resp := w.do(httptest.NewRequest(http.MethodGet, path, nil))
	if resp.StatusCode != http.StatusOK {
		w.t.Fatalf("status %d", resp.StatusCode)
	}
	return decode[jobBody](w.t, resp)
}

func TestWarmFollowsEachCopyToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		const other = "https://origin.test/other?secret=1"
		path, j := w.warm(`{"service":"s3","regions":["eu-west-1","us-east-1","eu-west-1"],"urls":["` + originURL + `","` + originURL + `","` + other + `"]}`)
		if j.State != "running" || j.URLs != 2 || fmt.Sprint(j.Regions) != "[eu-west-1 us-east-1]" || j.Counts.Pending != 4 {
			t.Errorf("job %+v", j)
		}
		synctest.Wait()
		w.copy(east)
		w.copy(west)
		synctest.Wait()
		if j = w.follow(path); j.State != "running" || j.Counts.Present != 2 || j.Counts.Pending != 2 {
			t.Errorf("job %+v, want two copies present", j)
		}
		w.fail(east, notFoundAtOrigin())
		quick := tooSlow()
		quick.RetryAfter = 0
		w.fail(west, quick)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		w.copy(west) // the retry
		synctest.Wait()
		j = w.follow(path)
		if j.State != "done" || j.Counts.Present != 3 || j.Counts.Error != 1 || len(j.Failures) != 1 {
			t.Fatalf("job %+v", j)
		}
		if j.Counts.Bytes != 3*len(content) || len(j.PendingURLs) != 0 || fmt.Sprint(j.FailedURLs) != fmt.Sprint([]int{j.Failures[0].Index}) {
			t.Errorf("job %+v", j)
		}
		if f := j.Failures[0]; (f.URL != "https://origin.test/release/tool-1.0.tar.gz?…" || f.Index != 0) && (f.URL != "https://origin.test/other?…" || f.Index != 2) || f.Region != "us-east-1" || f.Code != "OriginStatus" {
			t.Errorf("failure %+v", f)
		}
	})
}

func TestWarmOutlastsAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.cache.down.Store(true)
		path, j := w.warm(`{"service":"s3","urls":["` + originURL + `"]}`)
		if j.Counts.Pending != 2 {
			t.Errorf("job %+v, want a copy in each region", j)
		}
		time.Sleep(10 * time.Second)
		w.cache.down.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		w.copy(east)
		w.copy(west)
		synctest.Wait()
		if j = w.follow(path); j.State != "done" || j.Counts.Present != 2 {
			t.Errorf("job %+v", j)
		}
	})
}

func TestWarmGivesUpOnALongOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.queues[east].down.Store(true)
		path, _ := w.warm(warmPayload)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if j := w.follow(path); j.State != "done" || j.Counts.Error != 1 || j.Failures[0].Code != "Unavailable" {
			t.Errorf("job %+v", j)
		}
	})
}

func TestCloseEndsJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		path, _ := w.warm(warmPayload)
		synctest.Wait()
		w.frontend.Close()
		if j := w.follow(path); j.State != "stopped" || j.Counts.Pending != 1 {
			t.Errorf("job %+v", j)
		}
		resp := w.operate(http.MethodPost, "/v1/warm", "Bearer "+token, warmPayload)
		if got := decode[body](t, resp); resp.StatusCode != http.StatusServiceUnavailable || got.Code != "Draining" {
			t.Errorf("status %d, code %s, want 503 Draining", resp.StatusCode, got.Code)
		}
	})
}

func TestJobsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.present()
		first, _ := w.warm(warmPayload)
		synctest.Wait()
		for range 99 { // ended ones are kept, up to a hundred
			w.warm(warmPayload)
			synctest.Wait()
		}
		w.follow(first)
		w.warm(warmPayload)
		if resp := w.do(httptest.NewRequest(http.MethodGet, first, nil)); resp.StatusCode != http.StatusNotFound || decode[body](t, resp).Code != "UnknownJob" {
			t.Errorf("the oldest job is still known: status %d", resp.StatusCode)
		}
		synctest.Wait()
		for i := range 16 {
			w.warm(fmt.Sprintf(`{"service":"s3","regions":["us-east-1"],"urls":["https://origin.test/%d"]}`, i))
		}
		resp := w.operate(http.MethodPost, "/v1/warm", "Bearer "+token, warmPayload)
		if got := decode[body](t, resp); resp.StatusCode != http.StatusTooManyRequests || got.Code != "TooManyJobs" || resp.Header.Get("Retry-After") == "" {
			t.Errorf("status %d, code %s, want 429 TooManyJobs", resp.StatusCode, got.Code)
		}
	})
}

func TestAJobWaitsForAFewCopiesAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		urls := make([]string, 40)
		for i := range urls {
			urls[i] = fmt.Sprintf("https://origin.test/%d", i)
		}
		list, err := json.Marshal(urls)
		if err != nil {
			t.Fatal(err)
		}
		path, _ := w.warm(`{"service":"s3","regions":["us-east-1"],"urls":` + string(list) + `}`)
		synctest.Wait()
		if jobs := w.jobs(east); jobs != 16 {
			t.Errorf("%d jobs were sent at once, want 16", jobs)
		}
		for range urls {
			w.copy(east)
			synctest.Wait()
		}
		if j := w.follow(path); j.State != "done" || j.Counts.Present != len(urls) {
			t.Errorf("job %+v", j)
		}
	})
}

func TestWarmRefusals(t *testing.T) {
	many := strings.Repeat(`"https://origin.test/a",`, 1001)
	tests := []struct {
		name, payload string
		status        int
		code, message string
	}{
		{"no JSON", "hello", 400, "InvalidRequest", "not the JSON"},
		{"nothing", "", 400, "InvalidRequest", "not the JSON"},
		{"an unknown member", `{"service":"s3","url":["x"]}`, 400, "InvalidRequest", `"url"`},
		{"no object", `[]`, 400, "InvalidRequest", "The body is not the JSON that is wanted here: it has a JSON array where a JSON object is wanted."},
		{"a URL alone", `{"urls":"x"}`, 400, "InvalidRequest", "wanted here: urls has a JSON string where a JSON array is wanted."},
		{"a region that is no text", `{"regions":[1]}`, 400, "InvalidRequest", "wanted here: regions has a JSON number where a JSON string is wanted."},
		{"a choice that is none", `{"partial":"yes"}`, 400, "InvalidRequest", "wanted here: partial has a JSON string where a JSON bool is wanted."},
		{"two values", warmPayload + warmPayload, 400, "InvalidRequest", "more than one"},
		{"no URLs", `{"service":"s3","urls":[]}`, 400, "InvalidRequest", "1 to 1000"},
		{"too many URLs", `{"service":"s3","urls":[` + strings.TrimSuffix(many, ",") + `]}`, 400, "InvalidRequest", "1 to 1000"},
		{"a body without end", `{"service":"s3","urls":["` + strings.Repeat("a", 9<<20) + `"]}`, 413, "RequestTooLarge", ""},
		{"an unknown service", `{"service":"s4","urls":["` + originURL + `"]}`, 404, "UnknownBackend", ""},
		{"an unknown region", `{"service":"s3","regions":["us-east-1","*"],"urls":["` + originURL + `"]}`, 404, "UnknownBackend", ""},
		{"no URL", `{"service":"s3","urls":["` + originURL + `","nothing"]}`, 400, "InvalidURL", "urls[1]"},
		{"a URL that is not allowed", `{"service":"s3","urls":["https://evil.test/"]}`, 403, "URLNotAllowed", "urls[0]"},
	}
	w := newWorld(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp := w.operate(http.MethodPost, "/v1/warm", "Bearer "+token, tt.payload)
			got := decode[body](t, resp)
			if resp.StatusCode != tt.status || got.Code != tt.code || !strings.Contains(strings.ToLower(got.Message), strings.ToLower(tt.message)) {
				t.Errorf("status %d, body %+v, want %d %s with %q", resp.StatusCode, got, tt.status, tt.code, tt.message)
			}
			if w.jobs(east)+w.jobs(west) != 0 {
				t.Error("a part of the request was carried out")
			}
		})
	}
}

func TestWarmBoundsCopies(t *testing.T) {
	w := newWorld(t, func(o *frontend.Options) {
		o.Objects = nil
		s := o.Services["s3"]
		s.Backends = nil
		for i := range 11 {
			s.Backends = append(s.Backends, frontend.Backend{Region: fmt.Sprintf("r%d", i)})
		}
		o.Services["s3"] = s
	})
	urls := make([]string, 1000)
	for i := range urls {
		urls[i] = fmt.Sprintf(`"https://origin.test/%d"`, i)
	}
	resp := w.operate(http.MethodPost, "/v1/warm", "Bearer "+token, `{"service":"s3","urls":[`+strings.Join(urls, ",")+`]}`)
	if got := decode[body](t, resp); resp.StatusCode != http.StatusBadRequest || !strings.Contains(got.Message, "11000 copies") {
		t.Errorf("status %d, body %+v", resp.StatusCode, got)
	}
}

// A URL that cannot be copied does not keep the others from it, if the client says so.
func TestAPartialWarmCountsRefusalsAsFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, withService(func(s *frontend.Service) {
			s.Rules.Direct = []cloudmirror.AllowPattern{pattern(t, "^https://origin\\.test/index$")}
		}))
		path, j := w.warm(`{"service":"s3","partial":true,"urls":["nothing","https://evil.test/?a=b","` + originURL + `","https://origin.test/index","https://evil.test/?a=b"]}`)
		if j.URLs != 4 || j.Counts.Pending != 2 || j.Counts.Error != 6 || fmt.Sprint(j.FailedURLs) != "[0 1 3]" || fmt.Sprint(j.PendingURLs) != "[2]" {
			t.Errorf("job %+v", j)
		}
		synctest.Wait()
		w.copy(east)
		w.copy(west)
		synctest.Wait()
		if j = w.follow(path); j.State != "done" || j.Counts.Present != 2 || len(j.Failures) != 6 {
			t.Fatalf("job %+v", j)
		}
		want := "[{0  eu-west-1 InvalidURL} {1 https://evil.test/?… eu-west-1 URLNotAllowed} {3 https://origin.test/index eu-west-1 URLDirect}]"
		got := []struct {
			int
			a, b, c string
		}{}
		for _, f := range j.Failures {
			if strings.Contains(f.Message, "rls[") {
				t.Errorf("the message names an index of the request: %s", f.Message)
			}
			if f.Region == "eu-west-1" {
				got = append(got, struct {
					int
					a, b, c string
				}{f.Index, f.URL, f.Region, f.Code})
			}
		}
		if fmt.Sprint(got) != want {
			t.Errorf("failures %v, want %s", got, want)
		}
	})
}

// A downRecords is a store that cannot be reached.
type downRecords struct{ memkv.Store }

func (*downRecords) Put(context.Context, kv.Table, string, []byte, time.Duration) error {
	return errDown
}

func (*downRecords) Get(context.Context, kv.Table, string) ([]byte, error) { return nil, errDown }

func TestJobsOfOtherFrontEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := new(memkv.Store)
		share := func(s kv.Store) func(*frontend.Options) { return func(o *frontend.Options) { o.Records = s } }
		runs, other, cutOff := newWorld(t, share(records)), newWorld(t, share(records)), newWorld(t, share(new(downRecords)))
		path, j := runs.warm(warmPayload)
		if got := other.follow(path); !j.Shared || got.ID != j.ID || got.State != "running" {
			t.Errorf("another front end says %+v", got)
		}
		resp := cutOff.do(httptest.NewRequest(http.MethodGet, path, nil))
		if got := decode[body](t, resp); resp.StatusCode != http.StatusServiceUnavailable || got.Code != "Unavailable" || resp.Header.Get("Retry-After") == "" {
			t.Errorf("without the store: status %d, %+v", resp.StatusCode, got)
		}
		path, j = cutOff.warm(warmPayload)
		if got := cutOff.follow(path); j.Shared || got.State != "running" {
			t.Errorf("a job that was begun without the store: %+v", got)
		}
	})
}
