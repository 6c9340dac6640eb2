package lab

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"cloudmirror/origin/origintest"
)

// An Origin has an object at every path, as origintest does, and counts what copiers
// fetch, which it knows by their CDN-Loop. Clients that are sent to it are none.
type Origin struct {
	*origintest.Origin

	mu      sync.Mutex
	fetches map[string]*fetches // by path
}

// NewOrigin returns an origin of which nothing was fetched.
func NewOrigin() *Origin {
	return &Origin{Origin: origintest.New(), fetches: make(map[string]*fetches)}
}

// Fetches are what copiers did with one object.
type fetches struct {
	started int // from the first byte on: not the continuation of a broken body
	running int
	atOnce  int          // most at a time
	sent    atomic.Int64 // bytes of the newest
}

// ServeHTTP implements http.Handler.
func (o *Origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && r.Header.Get("CDN-Loop") != "" {
		f := o.begin(r)
		defer o.end(f)
		w = countingWriter{w, &f.sent}
	}
	o.Origin.ServeHTTP(w, r)
}

func (o *Origin) begin(r *http.Request) *fetches {
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

func (o *Origin) end(f *fetches) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f.running--
}

// SentBytes returns how many bytes of an object its newest copy has been sent.
func (o *Origin) SentBytes(path string) int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if f := o.fetches[path]; f != nil {
		return f.sent.Load()
	}
	return 0
}

// Started returns how often copies of an object were started.
func (o *Origin) Started(path string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if f := o.fetches[path]; f != nil {
		return f.started
	}
	return 0
}

// A CopyCount is how many copies were started, of all objects that were copied.
type CopyCount struct {
	Objects, Started int
	Most, AtOnce     int    // of one object
	Worst            string // the path of the object with the most
}

// TakeCounts returns the counts since it was last called.
func (o *Origin) TakeCounts() CopyCount {
	o.mu.Lock()
	defer o.mu.Unlock()
	var c CopyCount
	for path, f := range o.fetches {
		if f.started > 0 {
			c.Objects++
		}
		c.Started += f.started
		c.AtOnce = max(c.AtOnce, f.atOnce)
		if f.started > c.Most {
			c.Most, c.Worst = f.started, path
		}
		f.started, f.atOnce = 0, f.running
		if f.running == 0 {
			delete(o.fetches, path)
		}
	}
	return c
}

// Mean returns how many copies were started of an object, on average.
func (c CopyCount) Mean() float64 {
	if c.Objects == 0 {
		return 0
	}
	return float64(c.Started) / float64(c.Objects)
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
