package clients_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"testing"
)

// origins stands in for all origins of docs/tools.md: https://HOST/… is answered
// at url/HOST/….
type origins struct {
	url string

	mu      sync.Mutex
	objects map[string][]byte       // by /HOST/TARGET
	handle  map[string]http.Handler // by /HOST/TARGET: what is no object
	direct  []string                // targets that others than the mirror asked for
}

func startOrigins(t *testing.T) *origins {
	t.Helper()
	o := &origins{objects: make(map[string][]byte), handle: make(map[string]http.Handler)}
	server := httptest.NewServer(o)
	t.Cleanup(server.Close)
	o.url = server.URL
	return o
}

// add makes a host know objects, beside those that it knows.
func (o *origins) add(host string, objects map[string][]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for target, content := range objects {
		o.objects["/"+host+target] = content
	}
}

// addHandler makes a host answer a target.
func (o *origins) addHandler(host, target string, handler http.HandlerFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.handle["/"+host+target] = handler
}

func (o *origins) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	content, ok := o.objects[r.RequestURI]
	handler := o.handle[r.RequestURI]
	if r.Header.Get("CDN-Loop") == "" { // a copier names itself
		o.direct = append(o.direct, r.RequestURI)
	}
	o.mu.Unlock()
	switch {
	case handler != nil:
		handler.ServeHTTP(w, r)
	case !ok:
		http.NotFound(w, r)
	default:
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		_, _ = w.Write(content) // the client may go
	}
}

// forget forgets who asked so far.
func (o *origins) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.direct = nil
}

// checkDirect checks that clients asked origins for nothing but what matches.
// All else they have from the mirror.
func (o *origins) checkDirect(t *testing.T, may string) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, target := range o.direct {
		if may == "" || !regexp.MustCompile(may).MatchString(target) {
			t.Errorf("the origin was asked for %s, past the mirror", target)
		}
	}
}
