package main

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"cloudmirror/origin/origintest"
)

// A countingOrigin is an origin that counts what copiers fetch, which it knows
// by their CDN-Loop. Clients that are sent to it are none.
type countingOrigin struct {
	*origintest.Origin
	server *http.Server

	mu      sync.Mutex
	fetches map[string]*fetches // by path
}

// Fetches are what copiers did with one object.
type fetches struct {
	started int // from the first byte on: not the continuation of a broken body
	running int
	atOnce  int          // most at a time
	sent    atomic.Int64 // bytes of the newest
}

func startOrigin(address string) (*countingOrigin, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	o := &countingOrigin{Origin: origintest.New(), fetches: make(map[string]*fetches)}
	o.server = &http.Server{Handler: o}
	go func() { _ = o.server.Serve(listener) }() // until close
	return o, nil
}

func (o *countingOrigin) close() { _ = o.server.Close() }

// ServeHTTP implements http.Handler.
func (o *countingOrigin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && r.Header.Get("CDN-Loop") != "" {
		f := o.begin(r)
		defer o.end(f)
		w = countingWriter{w, &f.sent}
	}
	o.Origin.ServeHTTP(w, r)
}

func (o *countingOrigin) begin(r *http.Request) *fetches {
	o.mu.Lock()
	defer o.mu.Unlock()
	f := o.fetches[r.URL.Path]
	if f == nil {
		f = new(fetches)
		o.fetches[r.URL.Path] = f
	}
	if from := r.Header.Get("Range"); from == "" || strings.HasPrefix(from, "bytes=0-") {
		f.started++
		f.sent.Store(0)
	}
	f.running++
	f.atOnce = max(f.atOnce, f.running)
	return f
}

func (o *countingOrigin) end(f *fetches) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f.running--
}

// sentBytes returns how many bytes of an object its newest copy has been sent.
func (o *countingOrigin) sentBytes(path string) int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if f := o.fetches[path]; f != nil {
		return f.sent.Load()
	}
	return 0
}

// started returns how often copies of an object were started.
func (o *countingOrigin) started(path string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if f := o.fetches[path]; f != nil {
		return f.started
	}
	return 0
}

// A copyCount is how many copies were started, of all objects that were copied.
type copyCount struct {
	objects, started, most, atOnce int
	worst                          string // the object with the most
}

// takeCounts returns the counts since it was last called.
func (o *countingOrigin) takeCounts() copyCount {
	o.mu.Lock()
	defer o.mu.Unlock()
	var c copyCount
	for path, f := range o.fetches {
		if f.started > 0 {
			c.objects++
		}
		c.started += f.started
		c.atOnce = max(c.atOnce, f.atOnce)
		if f.started > c.most {
			c.most, c.worst = f.started, path
		}
		f.started, f.atOnce = 0, f.running
		if f.running == 0 {
			delete(o.fetches, path)
		}
	}
	return c
}

func (c copyCount) mean() float64 {
	if c.objects == 0 {
		return 0
	}
	return float64(c.started) / float64(c.objects)
}

// A countingWriter counts the bytes of a body.
type countingWriter struct {
	http.ResponseWriter
	sent *atomic.Int64
}

func (w countingWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.sent.Add(int64(n))
	return n, err
}

func (w countingWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// Unwrap lets net/http find the writer's other abilities.
func (w countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
