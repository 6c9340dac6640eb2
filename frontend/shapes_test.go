package frontend_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"cloudmirror/frontend"
)

// No answer repeats much of what a client sent.
func TestErrorsRepeatLittle(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("a", 1<<20)
	tests := map[string]*http.Request{
		"an unknown member":          httptest.NewRequest(http.MethodPost, "/v1/warm", strings.NewReader(`{"`+long+`":1}`)),
		"a number that is no string": httptest.NewRequest(http.MethodPost, "/v1/warm", strings.NewReader(`{"service":1`+strings.Repeat("0", 1<<20)+`}`)),
		"an unknown service":         httptest.NewRequest(http.MethodPost, "/v1/warm", strings.NewReader(`{"service":"`+long+`"}`)),
		"a URL":                      httptest.NewRequest(http.MethodPost, "/v1/warm", strings.NewReader(`{"service":"s3","urls":["`+long+`"]}`)),
		"a host":                     httptest.NewRequest(http.MethodPost, "/v1/warm", strings.NewReader(`{"service":"s3","urls":["https://`+long[:8000]+`/"]}`)),
		"an id of a letter":          httptest.NewRequest(http.MethodPost, deadLettersPath+"/redrive", strings.NewReader(`{"ids":["`+long+`"]}`)),
		"an option":                  httptest.NewRequest(http.MethodGet, redirectPath("?wait="+long[:8000]), nil),
		"a path":                     httptest.NewRequest(http.MethodGet, "/"+long[:8000], nil),
		"a job":                      httptest.NewRequest(http.MethodGet, "/v1/jobs/"+long[:8000], nil),
		"a port":                     httptest.NewRequest(http.MethodGet, "/v1/redirect/s3/us-east-1/https://origin.test:"+long[:8000]+"/", nil),
		"a request id":               httptest.NewRequest(http.MethodGet, "/"+long[:8000], nil),
	}
	tests["a request id"].Header.Set("X-Request-Id", long[:8000])
	for name, r := range tests {
		t.Run(name, func(t *testing.T) {
			r.Header.Set("Authorization", "Bearer "+token)
			recorder := httptest.NewRecorder()
			w.frontend.Handler().ServeHTTP(recorder, r)
			if n := recorder.Body.Len(); recorder.Code < 400 || n > 1<<10 {
				t.Errorf("status %d with %d bytes", recorder.Code, n)
			}
		})
	}
}

func TestAPanicIsAnErrorOfOurs(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	w := newWorld(t, func(o *frontend.Options) {
		o.Logger = zap.New(core)
		o.Health = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("planned") })
		o.Ready = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			panic("planned, in the middle of an answer")
		})
	})
	resp := w.do(httptest.NewRequest(http.MethodGet, "/healthz", nil))
	if got := decode[body](t, resp); resp.StatusCode != http.StatusInternalServerError || got.Code != "Internal" || got.RequestID == "" {
		t.Errorf("status %d, body %+v", resp.StatusCode, got)
	}
	if lines := logs.FilterMessage("a request panicked").All(); len(lines) != 1 || !strings.Contains(lines[0].ContextMap()["stack"].(string), "shapes_test.go") {
		t.Errorf("the log has %v", lines)
	}
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("an answer that had begun ended with %v, want an aborted connection", err)
		}
	}()
	w.do(httptest.NewRequest(http.MethodGet, "/readyz", nil))
}
