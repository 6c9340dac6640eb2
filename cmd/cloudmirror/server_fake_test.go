package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"cloudmirror/api"
)

const fakeToken = "the-token-of-the-fake"

// A fakeServer answers purge and status as a front end does, for service s3.
type fakeServer struct {
	URL string

	mu        sync.Mutex
	copies    map[string]json.RawMessage // region/target to the answer of status
	down      map[string]bool            // regions that cannot be purged
	explained json.RawMessage            // the answer to explain; nil: the path is unknown
	isOld     bool                       // answers 204, whatever is asked for
	requests  []string                   // method, target and token of each
}

func newFakeServer(t *testing.T) *fakeServer {
	t.Helper()
	f := &fakeServer{copies: make(map[string]json.RawMessage), down: make(map[string]bool)}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.URL = server.URL
	return f
}

func (f *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, strings.TrimSpace(r.Method+" "+r.RequestURI+" "+r.Header.Get("Authorization")))
	parts := strings.SplitN(strings.TrimPrefix(r.RequestURI, "/v1/"), "/", 4)
	if len(parts) != 4 || parts[1] != "s3" {
		refuse(w, http.StatusNotFound, "UnknownBackend", "There is no such backend.")
		return
	}
	operation, region, target := parts[0], parts[2], parts[3]
	switch {
	case r.Method == http.MethodDelete && operation == "purge":
		f.purge(w, r, region, target)
	case r.Method == http.MethodGet && operation == "status":
		answer, ok := f.copies[region+"/"+target]
		if !ok {
			answer = json.RawMessage(`{"state":"absent"}`)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	case r.Method == http.MethodGet && operation == "explain" && f.explained != nil:
		_, _ = w.Write(f.explained)
	default:
		refuse(w, http.StatusNotFound, "NotFound", "There is nothing at this path.")
	}
}

func (f *fakeServer) purge(w http.ResponseWriter, r *http.Request, region, target string) {
	if r.Header.Get("Authorization") != "Bearer "+fakeToken {
		refuse(w, http.StatusUnauthorized, "Unauthorized", "A valid bearer token is needed.")
		return
	}
	regions, status := []string{region}, http.StatusOK
	if region == "*" {
		regions = []string{"eu-west-1", "eu-west-2", "us-east-1"}
	}
	raw, _ := base64.RawURLEncoding.DecodeString(target)
	report := map[string]any{"url": string(raw), "hash": "h", "service": "s3"}
	var results []api.RegionReport
	for _, name := range regions {
		key, one := name+"/"+target, api.RegionReport{Region: name, Result: "absent"}
		switch {
		case f.down[name]:
			one = api.RegionReport{Region: name, Result: "failed", Cause: "it is down", Next: "cloudmirror purge --service s3 --region " + name + " 'URL'"}
			status, report["code"], report["message"] = http.StatusBadGateway, "PurgeFailed", "Not everywhere."
		case f.copies[key] != nil:
			one.Result = "purged"
			delete(f.copies, key)
		}
		results = append(results, one)
	}
	if f.isOld {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	report["regions"] = results
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(report)
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"code": code, "message": message, "request_id": "r1"})
}

// log returns the requests so far and forgets them.
func (f *fakeServer) log() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	requests := f.requests
	f.requests = nil
	return requests
}
