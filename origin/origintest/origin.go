package origintest

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// maxRequests bounds the log of requests.
const maxRequests = 10_000

// An Origin answers requests as its Behaviours say. It is an http.Handler, safe
// for concurrent use. Make one with [New].
type Origin struct {
	mu         sync.Mutex
	behaviours map[string]Behaviour // by path
	gates      map[string]chan struct{}
	counts     map[request]int
	streams    map[string]int // answers that are being sent now, by path
	most       map[string]int // of them at the same time
	requests   []Request
}

// A Request is what the origin saw of one.
type Request struct {
	Method     string
	Target     string // as the request line had it
	Path       string
	Proto      string
	RemoteAddr string
	Header     http.Header
}

type request struct{ method, path string }

// New returns an origin whose objects are empty, until told otherwise.
func New() *Origin {
	return &Origin{behaviours: map[string]Behaviour{}, gates: map[string]chan struct{}{}, counts: map[request]int{}, streams: map[string]int{}, most: map[string]int{}}
}

// Set says how the object of a path behaves, whatever the query. Counts begin
// anew.
func (o *Origin) Set(path string, b Behaviour) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.behaviours[path] = b
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		delete(o.counts, request{method, path})
	}
}

// Gate holds every answer of a path back until the returned function is called,
// which may be called again.
func (o *Origin) Gate(path string) (open func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	gate := make(chan struct{})
	o.gates[path] = gate
	return sync.OnceFunc(func() {
		close(gate)
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.gates[path] == gate {
			delete(o.gates, path)
		}
	})
}

// Count returns how many requests with a method came for a path.
func (o *Origin) Count(method, path string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.counts[request{method, path}]
}

// Requests returns the requests so far, in the order in which they came; the
// first 10,000 of them.
func (o *Origin) Requests() []Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]Request(nil), o.requests...)
}

// note counts a request and returns its number and what its path is to do.
func (o *Origin) note(r *http.Request) (number int, b Behaviour, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := request{r.Method, r.URL.Path}
	o.counts[key]++
	if len(o.requests) < maxRequests {
		o.requests = append(o.requests, Request{
			Method: r.Method, Target: r.RequestURI, Path: r.URL.Path, Proto: r.Proto, RemoteAddr: r.RemoteAddr, Header: r.Header.Clone(),
		})
	}
	b, found := o.behaviours[r.URL.Path]
	if !found {
		if b, err = parseBehaviour(r.URL.Query()); err != nil {
			return 0, b, err
		}
	}
	if gate, found := o.gates[r.URL.Path]; found {
		b.Gate = gate
	}
	return o.counts[key], b, nil
}

// ServeHTTP implements http.Handler.
func (o *Origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	number, b, err := o.note(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !b.await(r) {
		return
	}
	switch {
	case b.Raw != "":
		sendRaw(w, b.Raw)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.WriteHeader(http.StatusMethodNotAllowed)
	case r.Method == http.MethodHead && b.HeadStatus != 0 && b.HeadStatus != http.StatusOK:
		w.WriteHeader(b.HeadStatus)
	case b.hop(r) < b.Hops:
		redirect(w, nextHop(r, b.hop(r)+1), b.RedirectStatus)
	case b.Redirect != "":
		redirect(w, b.Redirect, b.RedirectStatus)
	case b.Status != 0 && b.applies(number) && (r.Method == http.MethodGet || b.HeadStatus == 0):
		if b.RetryAfter != "" {
			w.Header().Set("Retry-After", b.RetryAfter)
		}
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(b.Status)
		if b.Status >= 300 || b.Status == http.StatusOK {
			fmt.Fprintf(w, "<h1>%d</h1>", b.Status)
		}
	default:
		if !o.beginStream(r.URL.Path, b.Streams) {
			b.refuseStream(w)
			return
		}
		defer o.endStream(r.URL.Path)
		serve(w, r, b, number)
	}
}

// beginStream reports whether one more answer of a path may be sent; a limit of 0
// lets every one.
func (o *Origin) beginStream(path string, limit int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if limit > 0 && o.streams[path] >= limit {
		return false
	}
	o.streams[path]++
	o.most[path] = max(o.most[path], o.streams[path])
	return true
}

func (o *Origin) endStream(path string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.streams[path]--
}

// Streams returns how many answers of a path are being sent now.
func (o *Origin) Streams(path string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.streams[path]
}

// MostStreams returns how many answers of a path were being sent at the same time.
func (o *Origin) MostStreams(path string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.most[path]
}

func (b Behaviour) refuseStream(w http.ResponseWriter) {
	if b.StreamsBroken {
		panic(http.ErrAbortHandler) // net/http breaks the connection
	}
	w.WriteHeader(http.StatusServiceUnavailable)
}

// await does what comes before the answer, and reports whether there is to be
// one.
func (b Behaviour) await(r *http.Request) bool {
	if b.Hang {
		<-r.Context().Done()
		return false
	}
	if b.Gate != nil {
		select {
		case <-b.Gate:
		case <-r.Context().Done():
			return false
		}
	}
	return pause(r, b.Delay)
}

// pause waits, and reports whether the client is still there.
func pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// applies reports whether a fault concerns the n-th request.
func (b Behaviour) applies(number int) bool { return b.Times == 0 || number <= b.Times }

// hop returns how many of the redirects were followed already.
func (b Behaviour) hop(r *http.Request) int {
	n, _ := strconv.Atoi(r.URL.Query().Get("hop")) // no number: none
	return n
}

func nextHop(r *http.Request, n int) string {
	query := r.URL.Query()
	query.Set("hop", strconv.Itoa(n))
	return (&url.URL{Path: r.URL.Path, RawQuery: query.Encode()}).String()
}

func redirect(w http.ResponseWriter, location string, status int) {
	if status == 0 {
		status = http.StatusFound
	}
	w.Header()["Location"] = []string{location}
	w.WriteHeader(status)
}
