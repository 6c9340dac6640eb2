package frontend_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudmirror"
	"cloudmirror/frontend"
)

// Every route is described in openapi.json, and what it describes is there. A
// GET stands for its HEAD.
func TestDescriptionIsComplete(t *testing.T) {
	w := newWorld(t)
	resp := w.do(httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
	described := make(map[string][]string)
	document := decode[struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			OperationID string                     `json:"operationId"`
			Responses   map[string]json.RawMessage `json:"responses"`
		} `json:"paths"`
	}](t, resp)
	operations := make(map[string]bool)
	for path, methods := range document.Paths {
		for method, operation := range methods {
			if operation.OperationID == "" || operations[operation.OperationID] || len(operation.Responses) == 0 {
				t.Errorf("%s %s has no id of its own, or no responses", method, path)
			}
			operations[operation.OperationID] = true
			described[path] = append(described[path], strings.ToUpper(method))
			if method == "get" && methods["head"].OperationID == "" {
				described[path] = append(described[path], http.MethodHead)
			}
		}
		slices.Sort(described[path])
	}
	routes := w.frontend.Routes()
	routes["/objects/{service}/{region}/{key}"] = []string{http.MethodGet, http.MethodHead, http.MethodOptions} // goes around the router
	for path := range routes {
		slices.Sort(routes[path])
	}
	if diff := cmp.Diff(routes, described); diff != "" || document.OpenAPI != "3.1.0" {
		t.Errorf("version %s; (-routes +described):\n%s", document.OpenAPI, diff)
	}
	if got := resp.Header.Get("Cache-Control"); got != "public, max-age=300" {
		t.Errorf("Cache-Control %q", got)
	}
}

func TestReferencesOfTheDescriptionResolve(t *testing.T) {
	w := newWorld(t)
	document := decode[map[string]any](t, w.do(httptest.NewRequest(http.MethodGet, "/openapi.json", nil)))
	var visit func(node any)
	visit = func(node any) {
		switch node := node.(type) {
		case []any:
			for _, child := range node {
				visit(child)
			}
		case map[string]any:
			if reference, ok := node["$ref"].(string); ok {
				var at any = document
				for step := range strings.SplitSeq(strings.TrimPrefix(reference, "#/"), "/") {
					inner, _ := at.(map[string]any)
					at = inner[step]
				}
				if at == nil {
					t.Errorf("%s leads nowhere", reference)
				}
			}
			for _, child := range node {
				visit(child)
			}
		}
	}
	visit(document)
}

func TestUnknownPathsAndMethods(t *testing.T) {
	w := newWorld(t)
	tests := []struct {
		method, path string
		status       int
		code         string
	}{
		{http.MethodGet, "/nothing", 404, "NotFound"},
		{http.MethodGet, "/v1/", 404, "NotFound"},
		{http.MethodGet, "/v1/purge/s3/us-east-1/x", 405, "MethodNotAllowed"},
		{http.MethodGet, "/v1/warm", 405, "MethodNotAllowed"},
		{http.MethodPost, "/v1/ping", 405, "MethodNotAllowed"},
		{http.MethodGet, "/v1/jobs/unknown", 404, "UnknownJob"},
		{http.MethodGet, "/v1/jobs/un/known?x", 404, "UnknownJob"},
		{http.MethodGet, "/objects/", 404, "NotFound"},
		{http.MethodGet, "/objects/s3", 404, "NotFound"},
		{http.MethodGet, "/objects/s3/us-east-1", 404, "NotFound"},
		{http.MethodGet, "/objects/s3/us-east-2/x", 404, "NotFound"},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			resp := w.do(httptest.NewRequest(tt.method, tt.path, nil))
			got := decode[body](t, resp)
			if resp.StatusCode != tt.status || got.Code != tt.code || got.Message == "" || got.RequestID == "" {
				t.Errorf("status %d, body %+v, want %d %s", resp.StatusCode, got, tt.status, tt.code)
			}
			if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Content-Type") != "application/json" {
				t.Errorf("header %v", resp.Header)
			}
		})
	}
}

func TestRequestIDs(t *testing.T) {
	w := newWorld(t)
	seen := make(map[string]bool)
	for given, kept := range map[string]bool{
		"": false, "0b5f6c1e-2b1c-4d5e": true, "a.b:c_d-9": true, "with space": false, "a\"b": false, "ä": false, "@": false,
		strings.Repeat("a", 64): true, strings.Repeat("a", 65): false,
	} {
		r := httptest.NewRequest(http.MethodGet, "/nothing", nil)
		r.Header.Set("X-Request-Id", given)
		resp := w.do(r)
		id := resp.Header.Get("X-Request-Id")
		if id == "" || seen[id] || (id == given) != kept || decode[body](t, resp).RequestID != id {
			t.Errorf("given %q, got %q", given, id)
		}
		seen[id] = true
	}
}

func TestPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		time.Sleep(90 * time.Second)
		want := map[string]any{"alive": true, "uptime": 90.0}
		if diff := cmp.Diff(want, decode[map[string]any](t, w.do(httptest.NewRequest(http.MethodGet, "/v1/ping", nil)))); diff != "" {
			t.Error(diff)
		}
	})
}

func TestHandlersOfTheApplication(t *testing.T) {
	w := newWorld(t)
	for path, want := range map[string]string{"/healthz": "healthy", "/readyz": "ready", "/metrics": "metrics"} {
		got, err := io.ReadAll(w.do(httptest.NewRequest(http.MethodGet, path, nil)).Body)
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	without := newWorld(t, func(o *frontend.Options) { o.Metrics = nil })
	if resp := without.do(httptest.NewRequest(http.MethodGet, "/metrics", nil)); resp.StatusCode != http.StatusNotFound {
		t.Errorf("status %d without a handler, want 404", resp.StatusCode)
	}
}

func TestBackends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.ensure()
		w.queues[west].down.Store(true)
		<-w.ask(http.MethodGet, "?wait=0")
		requests := func(fallback float64) map[string]any {
			return map[string]any{"hit": 0.0, "backfill": 0.0, "miss": 0.0, "fallback": fallback, "denied": 0.0, "error": 0.0, "gone": 0.0, "direct": 0.0}
		}
		copies := map[string]any{"running": 0.0, "waiting": 0.0}
		want := map[string]any{"version": "1.2.3", "presence": "not known", "backends": []any{
			map[string]any{
				"service": "s3", "region": "eu-west-1", "provider": "files", "health": "queue-unreachable", "queue": nil,
				"requests": requests(0), "copiers": nil, "last_hour": requests(0), "copies": copies,
			},
			map[string]any{
				"service": "s3", "region": "us-east-1", "provider": "files", "health": "ok", "requests": requests(1),
				"queue":   map[string]any{"ready": 1.0, "delayed": 0.0, "in_flight": 0.0, "dead_letters": 0.0},
				"copiers": nil, "last_hour": requests(0), "copies": copies,
			},
		}}
		if diff := cmp.Diff(want, decode[map[string]any](t, w.do(httptest.NewRequest(http.MethodGet, "/v1/backends", nil)))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Anybody may ask for the backends; the queues behind them are asked rarely.
func TestQueuesAreCountedRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for range 20 { // over two seconds
			w.do(httptest.NewRequest(http.MethodGet, "/v1/backends", nil))
			w.do(httptest.NewRequest(http.MethodGet, "/status", nil))
			time.Sleep(100 * time.Millisecond)
		}
		w.do(httptest.NewRequest(http.MethodGet, "/", nil))
		if n := w.queues[east].counts.Load(); n != 2 {
			t.Errorf("the queue was counted %d times, want 2", n)
		}
	})
}

func TestStatusPage(t *testing.T) {
	w := newWorld(t, func(o *frontend.Options) {
		s := o.Services["s3"]
		s.Backends[0].StorageLabel = `<script>alert("provider")</script>`
		s.Backends[1].Queue = nil
		o.Version = `"><img src=x>`
	})
	w.ensure()
	resp := w.do(httptest.NewRequest(http.MethodGet, "/status", nil))
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, want := range []string{"&lt;script&gt;alert", "us-east-1", "<td>ok</td><td>–</td><td>1</td>", `<td class="down">not known</td><td>–</td><td>–</td>`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s:\n%s", want, page)
		}
	}
	for _, not := range []string{"<script", "<img", "http://", "https://"} {
		if strings.Contains(page, not) {
			t.Errorf("the page has %s", not)
		}
	}
	_, style, _ := strings.Cut(page, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	security := resp.Header.Get("Content-Security-Policy")
	if !strings.HasPrefix(security, "default-src 'none'; ") || !strings.Contains(security, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
		t.Errorf("Content-Security-Policy %q does not fit the page", security)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// Copies that the process keeps itself are served at the address to which
// clients are redirected, by a writer from which sendfile works.
func TestObjects(t *testing.T) {
	w := newWorld(t)
	w.present()
	server := httptest.NewServer(w.frontend.Handler())
	defer server.Close()
	location := w.do(httptest.NewRequest(http.MethodGet, redirectPath(""), nil)).Header.Get("Location")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+strings.TrimPrefix(location, publicURL), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil || string(got) != content || resp.Header.Get("X-Request-Id") == "" {
		t.Errorf("status %d, body %q, error %v", resp.StatusCode, got, err)
	}
}

func TestObjectHandlersGetTheServersOwnWriter(t *testing.T) {
	type call struct {
		path    string
		hasFrom bool
	}
	calls := make(chan call, 1)
	w := newWorld(t, func(o *frontend.Options) {
		o.Objects[east] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, hasFrom := w.(io.ReaderFrom)
			calls <- call{r.URL.Path, hasFrom}
		})
	})
	server := httptest.NewServer(w.frontend.Handler())
	defer server.Close()
	raw(t, strings.TrimPrefix(server.URL, "http://"), "GET /objects/s3/us-east-1/hash/0/a%20name HTTP/1.1")
	if got, want := <-calls, (call{"/hash/0/a name", true}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestNewRefuses(t *testing.T) {
	files := http.NotFoundHandler()
	tests := []struct {
		name   string
		change func(*frontend.Options)
		want   string
	}{
		{"no engine", func(o *frontend.Options) { o.Engine = nil }, "an engine is required"},
		{"a bad service", func(o *frontend.Options) { o.Services["S"] = o.Services["s3"] }, `service "S" must be`},
		{"a reserved region", withService(func(s *frontend.Service) { s.Backends[0].Region = "all" }), "reserved"},
		{"a region twice", withService(func(s *frontend.Service) { s.Backends[0] = s.Backends[1] }), "twice"},
		{"a negative wait", withService(func(s *frontend.Service) { s.Wait = -1 }), "negative"},
		{"an unknown fallback", withService(func(s *frontend.Service) { s.Fallback = "x" }), `fallback "x"`},
		{"an unknown mode", withService(func(s *frontend.Service) { s.Mode = "x" }), `mode "x"`},
		{"objects of no backend", func(o *frontend.Options) { o.Objects[cloudmirror.BackendID{Service: "s3", Region: "x"}] = files }, "s3/x"},
		{"a deployment id that is no token", func(o *frontend.Options) { o.DeploymentID = "a, b" }, "deployment id"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			good := newWorld(t)
			o := frontend.Options{Engine: good.engine, Objects: map[cloudmirror.BackendID]http.Handler{}, Services: map[string]frontend.Service{
				"s3": {Backends: []frontend.Backend{{Region: "us-east-1"}, {Region: "eu-west-1"}}},
			}}
			tt.change(&o)
			if _, err := frontend.New(o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestMetricsAreRegisteredOnce(t *testing.T) {
	w := newWorld(t)
	_, err := frontend.New(frontend.Options{Engine: w.engine, Registerer: w.registry})
	if err == nil {
		t.Error("two front ends share their metrics")
	}
}
