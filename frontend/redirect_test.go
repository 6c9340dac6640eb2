package frontend_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
	"cloudmirror/frontend"
	"cloudmirror/origin"
)

// An expectation is what a client is told. A code says that it is an error.
type expectation struct {
	status      int
	code        string // of errors
	toOrigin    bool   // else a redirect is to the copy
	cacheStatus string
	retryAfter  string
	outcome     string
}

func hit(cacheStatus string) expectation {
	return expectation{status: 302, cacheStatus: cacheStatus, outcome: "hit"}
}

// toOrigin expects the fallback to the origin.
func toOrigin(detail string) expectation {
	return expectation{status: 302, toOrigin: true, cacheStatus: "cloudmirror; fwd=miss; detail=" + detail, outcome: "fallback"}
}

func refusal(status int, code, detail string) expectation {
	return expectation{status: status, code: code, cacheStatus: "cloudmirror; " + detail, outcome: "denied"}
}

func failure(status int, code, detail, retryAfter string) expectation {
	return expectation{status: status, code: code, cacheStatus: "cloudmirror; " + detail, retryAfter: retryAfter, outcome: "error"}
}

func notFoundAtOrigin() *cloudmirror.Failure {
	return &cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Message: "the origin answered 404 Not Found", Status: 404, Permanent: true, Err: errDown}
}

func forbiddenAtOrigin() *cloudmirror.Failure {
	f := notFoundAtOrigin()
	f.Status, f.Message = 403, "the origin answered 403 Forbidden"
	return f
}

func permanent(code cloudmirror.Code) *cloudmirror.Failure {
	return &cloudmirror.Failure{Code: code, Message: "it failed", Permanent: true}
}

func tooSlow() *cloudmirror.Failure {
	return &cloudmirror.Failure{Code: cloudmirror.CodeOriginTimeout, Message: "the origin is too slow", RetryAfter: time.Hour}
}

// The hour of a copy's life less the engine's margin.
const freshTTL = "3300"

// Every outcome of a request, with each fallback and both methods.
func TestRedirectOutcomes(t *testing.T) {
	tests := []struct {
		name   string
		change func(*frontend.Options)
		before func(*world)
		during func(*world) // while the client waits
		origin expectation  // with fallback origin
		none   expectation  // with fallback none; the same if it is empty
	}{
		{
			name: "a copy that the cache knows", before: (*world).present,
			origin: hit("cloudmirror; hit; ttl=" + freshTTL),
		},
		{
			name:   "a copy that only storage knows",
			before: func(w *world) { w.present(); w.memory.Flush() },
			origin: expectation{status: 302, cacheStatus: "cloudmirror; hit; ttl=" + freshTTL + "; detail=backfill", outcome: "backfill"},
		},
		{
			name:   "a copy that is made meanwhile",
			during: func(w *world) { w.copy(east) },
			origin: expectation{status: 302, cacheStatus: "cloudmirror; fwd=miss; stored", outcome: "miss"},
		},
		{
			name:   "a copy that is not made in time",
			origin: toOrigin("wait-timeout"),
			none:   failure(504, "WaitTimeout", "fwd=miss; detail=wait-timeout", "5"),
		},
		{
			name:   "a service that does not wait",
			change: withService(func(s *frontend.Service) { s.Wait = 0 }),
			origin: toOrigin("wait-timeout"),
			none:   failure(504, "WaitTimeout", "fwd=miss; detail=wait-timeout", "5"),
		},
		{
			name:   "a service that redirects at once",
			change: withService(func(s *frontend.Service) { s.Mode = cloudmirror.ModeRedirectNow }),
			origin: toOrigin("redirect-now"),
			none:   failure(504, "RedirectNow", "fwd=miss; detail=redirect-now", "5"),
		},
		{
			name:   "a copy that failed transiently, the wait used up",
			during: func(w *world) { w.fail(east, tooSlow()) },
			origin: toOrigin("origin-timeout"),
			none:   failure(502, "OriginTimeout", "fwd=miss; detail=origin-timeout", "60"),
		},
		{
			name:   "the origin answers 404 just now",
			during: func(w *world) { w.fail(east, notFoundAtOrigin()) },
			origin: failure(404, "OriginStatus", "fwd=miss; fwd-status=404; detail=origin-status", ""),
		},
		{
			name:   "the origin answered 404 a while ago",
			before: func(w *world) { w.failed(notFoundAtOrigin()) },
			origin: failure(404, "OriginStatus", "hit; ttl=30; detail=origin-status", ""),
		},
		{
			name: "the origin answers 503 again and again",
			before: func(w *world) {
				w.failed(&cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Message: "busy", Status: 503, Permanent: true})
			},
			origin: toOrigin("origin-status"),
			none:   failure(502, "OriginStatus", "fwd=miss; detail=origin-status", "5"),
		},
		{
			name: "the origin answers 429 again and again",
			before: func(w *world) {
				w.failed(&cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Message: "busy", Status: 429, Permanent: true})
			},
			origin: toOrigin("origin-status"),
			none:   failure(502, "OriginStatus", "fwd=miss; detail=origin-status", "5"),
		},
		{
			name:   "the origin answers the copier 403 just now",
			during: func(w *world) { w.fail(east, forbiddenAtOrigin()) },
			origin: expectation{status: 302, toOrigin: true, cacheStatus: "cloudmirror; fwd=miss; fwd-status=403; detail=origin-status", outcome: "fallback"},
			none:   failure(403, "OriginStatus", "fwd=miss; fwd-status=403; detail=origin-status", ""),
		},
		{
			name:   "the origin answered the copier 403 a while ago",
			before: func(w *world) { w.failed(forbiddenAtOrigin()) },
			origin: expectation{status: 302, toOrigin: true, cacheStatus: "cloudmirror; fwd=miss; fwd-status=403; detail=origin-status", outcome: "fallback"},
			none:   failure(403, "OriginStatus", "hit; ttl=30; detail=origin-status", ""),
		},
		{
			name:   "the origin redirects to where no pattern allows",
			during: func(w *world) { w.fail(east, permanent(cloudmirror.CodeRedirectNotAllowed)) },
			origin: toOrigin("redirect-not-allowed"),
			none:   refusal(403, "RedirectNotAllowed", "fwd=miss; detail=redirect-not-allowed"),
		},
		{
			name:   "a hop of the origin leads to a forbidden address",
			during: func(w *world) { w.fail(east, permanent(cloudmirror.CodeURLNotAllowed)) },
			origin: refusal(403, "URLNotAllowed", "fwd=miss; detail=url-not-allowed"),
		},
		{
			name:   "the object is too large",
			before: func(w *world) { w.failed(permanent(cloudmirror.CodeObjectTooLarge)) },
			origin: toOrigin("object-too-large"),
			none:   failure(502, "ObjectTooLarge", "fwd=miss; detail=object-too-large", "5"),
		},
		{
			name:   "the object does not match its digest",
			before: func(w *world) { w.failed(permanent(cloudmirror.CodeDigestMismatch)) },
			origin: toOrigin("digest-mismatch"),
			none:   failure(502, "DigestMismatch", "fwd=miss; detail=digest-mismatch", "5"),
		},
		{
			name:   "the cache is down, storage has the copy",
			before: func(w *world) { w.present(); w.cache.down.Store(true) },
			origin: expectation{status: 302, cacheStatus: "cloudmirror; hit; ttl=" + freshTTL + "; detail=backfill", outcome: "backfill"},
		},
		{
			name:   "the cache is down, storage has no copy",
			before: func(w *world) { w.cache.down.Store(true) },
			origin: toOrigin("unavailable"),
			none:   failure(503, "Unavailable", "fwd=miss; detail=unavailable", "5"),
		},
		{
			name: "clients cannot fetch the copies",
			change: withService(func(s *frontend.Service) {
				for i := range s.Backends {
					s.Backends[i].Reach = new(cutOff)
				}
			}),
			before: (*world).present,
			origin: toOrigin("region-unreachable"),
			none:   failure(503, "RegionUnreachable", "fwd=miss; detail=region-unreachable", "5"),
		},
		{
			name:   "storage is down",
			before: func(w *world) { w.storages[east].down.Store(true) },
			origin: toOrigin("unavailable"),
			none:   failure(503, "Unavailable", "fwd=miss; detail=unavailable", "5"),
		},
		{
			name:   "the queue is down",
			before: func(w *world) { w.queues[east].down.Store(true) },
			origin: toOrigin("unavailable"),
			none:   failure(503, "Unavailable", "fwd=miss; detail=unavailable", "5"),
		},
		{
			name:   "the copy's address cannot be made",
			before: func(w *world) { w.present(); w.storages[east].linkless.Store(true) },
			origin: toOrigin("unavailable"),
			none:   failure(503, "Unavailable", "fwd=miss; detail=unavailable", "5"),
		},
		{
			name:   "the engine is closed",
			before: func(w *world) { w.engine.Close() },
			origin: toOrigin("draining"),
			none:   failure(503, "Draining", "fwd=miss; detail=draining", "1"),
		},
		{
			name:   "the process drains while the client waits",
			during: func(w *world) { w.frontend.Drain() },
			origin: toOrigin("draining"),
			none:   failure(503, "Draining", "fwd=miss; detail=draining", "1"),
		},
		{
			name:   "the process drained before",
			before: func(w *world) { w.frontend.Drain() },
			origin: toOrigin("draining"),
			none:   failure(503, "Draining", "fwd=miss; detail=draining", "1"),
		},
		{
			name:   "the process drains, the copy is there",
			before: func(w *world) { w.present(); w.frontend.Drain() },
			origin: hit("cloudmirror; hit; ttl=" + freshTTL),
		},
	}
	for _, tt := range tests {
		for _, fallback := range []string{"origin", "none"} {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				t.Run(tt.name+"/"+fallback+"/"+method, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						change := tt.change
						if change == nil {
							change = func(*frontend.Options) {}
						}
						w := newWorld(t, change)
						if tt.before != nil {
							tt.before(w)
						}
						answer := w.ask(method, "?fallback="+fallback)
						if tt.during != nil {
							synctest.Wait()
							tt.during(w)
						}
						want := tt.origin
						if fallback == "none" && tt.none.status != 0 {
							want = tt.none
						}
						want.check(t, w, <-answer, method)
					})
				})
			}
		}
	}
}

// check compares an answer of the world with what is expected.
func (e expectation) check(t *testing.T, w *world, resp *http.Response, method string) {
	t.Helper()
	if resp.StatusCode != e.status {
		t.Errorf("status %d, want %d", resp.StatusCode, e.status)
	}
	location := ""
	if e.code == "" {
		location = publicURL + "/objects/s3/us-east-1/" + mustObject(originURL).StorageKey(cloudmirror.FirstGeneration)
	}
	if e.toOrigin {
		location = originURL
	}
	for name, want := range map[string]string{
		"Location": location, "Cache-Status": e.cacheStatus, "Retry-After": e.retryAfter,
		"Cache-Control": "no-store", "Content-Type": "application/json", "Vary": "",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if n := w.counted(e.outcome); n != 1 {
		t.Errorf("outcome %s was counted %d times, want once", e.outcome, n)
	}
	e.checkBody(t, resp, method, location)
}

func (e expectation) checkBody(t *testing.T, resp *http.Response, method, location string) {
	t.Helper()
	length, err := strconv.Atoi(resp.Header.Get("Content-Length"))
	if err != nil || length == 0 {
		t.Errorf("Content-Length: %q", resp.Header.Get("Content-Length"))
	}
	if method == http.MethodHead {
		if rest, _ := io.ReadAll(resp.Body); len(rest) > 0 {
			t.Errorf("the answer to HEAD has a body: %s", rest)
		}
		return
	}
	got := decode[body](t, resp)
	want := body{Status: "present", URL: location}
	switch {
	case e.code != "":
		want = body{Code: e.code, Message: got.Message, RequestID: resp.Header.Get("X-Request-Id")}
		if got.Message == "" || got.RequestID == "" || strings.Contains(got.Message, errDown.Error()) {
			t.Errorf("error body %+v lacks something, or tells the private cause", got)
		}
	case e.toOrigin:
		want.Status = "origin"
	}
	if got != want {
		t.Errorf("body %+v, want %+v", got, want)
	}
}

// Requests that are answered without any look-up, whatever the fallback.
func TestRedirectRefusals(t *testing.T) {
	target := mustObject(originURL).Target()
	tests := []struct {
		name, path string
		header     http.Header
		want       expectation
	}{
		{"unknown service", "/v1/redirect/s4/us-east-1/" + target, nil, refusal(404, "UnknownBackend", "detail=unknown-backend")},
		{"unknown region", "/v1/redirect/s3/us-east-2/" + target, nil, refusal(404, "UnknownBackend", "detail=unknown-backend")},
		{"all regions", "/v1/redirect/s3/*/" + target, nil, refusal(404, "UnknownBackend", "detail=unknown-backend")},
		{"an encoded region is another one", "/v1/redirect/s3/us%2deast-1/" + target, nil, refusal(404, "UnknownBackend", "detail=unknown-backend")},
		{"an encoded service is another one", "/v1/redirect/s%33/us-east-1/" + target, nil, refusal(404, "UnknownBackend", "detail=unknown-backend")},
		{"empty service", "/v1/redirect//us-east-1/" + target, nil, refusal(404, "UnknownBackend", "detail=unknown-backend")},
		{"no URL and no slash", "/v1/redirect/s3/us-east-1", nil, refusal(404, "NotFound", "detail=not-found")},
		{"no region", "/v1/redirect/s3", nil, refusal(404, "NotFound", "detail=not-found")},
		{"empty URL", "/v1/redirect/s3/us-east-1/", nil, refusal(400, "InvalidURL", "detail=invalid-url")},
		{"empty URL with a query", "/v1/redirect/s3/us-east-1/?wait=1s", nil, refusal(400, "InvalidURL", "detail=invalid-url")},
		{"not base64", "/v1/redirect/s3/us-east-1/!!", nil, refusal(400, "InvalidURL", "detail=invalid-url")},
		{"another scheme", "/v1/redirect/s3/us-east-1/ftp%3A%2F%2Forigin.test%2Fa", nil, refusal(400, "InvalidURL", "detail=invalid-url")},
		{"another host", "/v1/redirect/s3/us-east-1/https://origin.test.evil.test/a", nil, refusal(403, "URLNotAllowed", "detail=url-not-allowed")},
		{"another scheme than the patterns allow", "/v1/redirect/s3/us-east-1/http://origin.test/a", nil, refusal(403, "URLNotAllowed", "detail=url-not-allowed")},
		{"another port", "/v1/redirect/s3/us-east-1/https://origin.test:8443/a", nil, refusal(403, "URLNotAllowed", "detail=url-not-allowed")},
		{"a bad wait", redirectPath("?wait=soon"), nil, refusal(400, "InvalidOption", "detail=invalid-option")},
		{"a negative wait", redirectPath("?wait=-1s"), nil, refusal(400, "InvalidOption", "detail=invalid-option")},
		{"an empty wait", redirectPath("?wait="), nil, refusal(400, "InvalidOption", "detail=invalid-option")},
		{"an infinite wait", redirectPath("?wait=inf"), nil, refusal(400, "InvalidOption", "detail=invalid-option")},
		{"a bad fallback", redirectPath("?fallback=elsewhere"), nil, refusal(400, "InvalidOption", "detail=invalid-option")},
		{"a bad percent-encoding", redirectPath("?wait=%"), nil, refusal(400, "InvalidOption", "detail=invalid-option")},
		{"a mixture", redirectPath("?wait=1s&signature=x"), nil, refusal(400, "InvalidOption", "detail=invalid-option")},
		{"a mixture in the other order", redirectPath("?x&wait=1s"), nil, refusal(400, "InvalidOption", "detail=invalid-option")},
		{"a repeated option", redirectPath("?wait=1s&w%61it=1s"), nil, refusal(400, "InvalidOption", "detail=invalid-option")},
		{"an option without a meaning", redirectPath("?country=de"), nil, refusal(400, "InvalidOption", "detail=invalid-option")},
		{"a second query", redirectPath("?x"), nil, refusal(400, "InvalidURL", "detail=invalid-url")},
		{"a loop", redirectPath(""), http.Header{"Cdn-Loop": {deploymentID}}, refusal(508, "LoopDetected", "detail=loop-detected")},
		{"a loop through others", redirectPath(""), http.Header{"Cdn-Loop": {`a; v="x, y\""`, "b,\t" + deploymentID + " ; v=1"}}, refusal(508, "LoopDetected", "detail=loop-detected")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			r := httptest.NewRequest(http.MethodGet, tt.path, nil)
			r.Header = tt.header
			tt.want.check(t, w, w.do(r), http.MethodGet)
			if n := w.storages[east].looks.Load(); n != 0 {
				t.Errorf("storage was looked at %d times", n)
			}
		})
	}
}

func TestOptionErrorsNameWhatIsAllowed(t *testing.T) {
	w := newWorld(t)
	for query, want := range map[string]string{
		"?wait=soon":                        `wait="soon"`,
		"?wait=" + strings.Repeat("9", 999): "a number of seconds",
		"?fallback=elsewhere":               "neither origin nor none",
		"?wait=1s&avoid=x":                  "option avoid has no meaning here; allowed are: wait, fallback",
	} {
		got := decode[body](t, w.do(httptest.NewRequest(http.MethodGet, redirectPath(query), nil)))
		if !strings.Contains(got.Message, want) || len(got.Message) > 200 {
			t.Errorf("%s: message %q does not say %q, or is long", query, got.Message, want)
		}
	}
}

func TestOthersInCDNLoopAreNoLoop(t *testing.T) {
	for _, header := range []string{
		deploymentID + "-2", "x" + deploymentID, "other; v=" + deploymentID, `other; v="a, ` + deploymentID + ` , b"`, `other; v="\", ` + deploymentID + `, \""`, strings.ToUpper(deploymentID), "", ",", ";", `"`, `"\`,
	} {
		t.Run(header, func(t *testing.T) {
			w := newWorld(t)
			w.present()
			r := httptest.NewRequest(http.MethodGet, redirectPath(""), nil)
			r.Header.Set("CDN-Loop", header)
			if resp := w.do(r); resp.StatusCode != http.StatusFound {
				t.Errorf("status %d, want 302", resp.StatusCode)
			}
		})
	}
}

func TestWaitIsOnlyShortened(t *testing.T) {
	for query, want := range map[string]time.Duration{
		"":             28 * time.Second,
		"?wait=5s":     5 * time.Second,
		"?wait=1500ms": 1500 * time.Millisecond,
		"?wait=2.5":    2500 * time.Millisecond,
		"?wait=7":      7 * time.Second,
		"?wait=0":      0,
		"?wait=1h":     28 * time.Second,
		"?w%61it=%33s": 3 * time.Second,
	} {
		t.Run(query, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				began := time.Now()
				resp := w.do(httptest.NewRequest(http.MethodGet, redirectPath(query), nil))
				if took := time.Since(began); took != want || resp.StatusCode != http.StatusFound {
					t.Errorf("status %d after %v, want 302 after %v", resp.StatusCode, took, want)
				}
			})
		})
	}
}

func TestServiceFallbackIsTheDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, withService(func(s *frontend.Service) { s.Fallback = cloudmirror.FallbackNone }))
		if resp := <-w.ask(http.MethodGet, ""); resp.StatusCode != http.StatusGatewayTimeout {
			t.Errorf("status %d, want 504", resp.StatusCode)
		}
		if resp := <-w.ask(http.MethodGet, "?fallback=origin"); resp.StatusCode != http.StatusFound {
			t.Errorf("status %d when the client chooses the origin, want 302", resp.StatusCode)
		}
	})
}

func TestOtherMethodsAreNotAllowed(t *testing.T) {
	w := newWorld(t)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, "BREW"} {
		resp := w.do(httptest.NewRequest(method, redirectPath(""), nil))
		allow := resp.Header.Get("Allow")
		if resp.StatusCode != http.StatusMethodNotAllowed || !strings.Contains(allow, "GET") || !strings.Contains(allow, "HEAD") || strings.Contains(allow, "POST") {
			t.Errorf("%s: status %d, Allow %q", method, resp.StatusCode, allow)
		}
		if got := decode[body](t, resp); got.Code != "MethodNotAllowed" || got.RequestID == "" {
			t.Errorf("%s: body %+v", method, got)
		}
	}
}

// The forms of a target name the same object.
func TestTargetForms(t *testing.T) {
	w := newWorld(t)
	w.present()
	escaped := fmt.Sprintf("%x", originURL)
	var percent strings.Builder
	for i := 0; i < len(escaped); i += 2 {
		percent.WriteString("%" + escaped[i:i+2])
	}
	for _, target := range []string{
		originURL, strings.Replace(originURL, "https://", "https:/", 1), "HTTPS://ORIGIN.test:443/release/tool-1.0.tar.gz?signature=secret#x",
		percent.String(), mustObject(originURL).Target(), mustObject(originURL).Target() + "?",
		mustObject(originURL).Target() + "/tool-1.0.tar.gz", mustObject(originURL).Target() + "/another%2Fname?",
	} {
		resp := w.do(httptest.NewRequest(http.MethodGet, "/v1/redirect/s3/us-east-1/"+target, nil))
		hit("cloudmirror; hit; ttl="+freshTTL).checkBody(t, resp, http.MethodGet,
			publicURL+"/objects/s3/us-east-1/"+mustObject(originURL).StorageKey(cloudmirror.FirstGeneration))
	}
}

func TestPorts(t *testing.T) {
	tests := []struct {
		name    string
		ports   []uint16
		url     string
		allowed bool
	}{
		{"any port", nil, "https://origin.test:8443/", true},
		{"the default of https", []uint16{443}, "https://origin.test/", true},
		{"the default of https, written out", []uint16{443}, "https://origin.test:443/", true},
		{"the default of http", []uint16{80}, "http://origin.test/", true},
		{"the default of the other scheme", []uint16{443}, "http://origin.test/", false},
		{"the other scheme's port, written out", []uint16{443}, "http://origin.test:443/", true},
		{"another port", []uint16{80, 443}, "https://origin.test:8443/", false},
		{"an address of IPv6 without a port", []uint16{443}, "https://[2606:4700::8443]/", true},
		{"an address of IPv6 with a port", []uint16{443}, "https://[2606:4700::1]:8443/", false},
		{"a private address", nil, "https://10.0.0.1/", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, withService(func(s *frontend.Service) {
				s.Mode = cloudmirror.ModeRedirectNow
				s.Rules = origin.Rules{Allow: []cloudmirror.AllowPattern{pattern(t, "^https?://")}, Ports: tt.ports}
			}))
			resp := w.do(httptest.NewRequest(http.MethodGet, "/v1/redirect/s3/us-east-1/"+tt.url, nil))
			if allowed := resp.StatusCode == http.StatusFound; allowed != tt.allowed {
				t.Errorf("status %d, want it allowed: %v", resp.StatusCode, tt.allowed)
			}
		})
	}
}
