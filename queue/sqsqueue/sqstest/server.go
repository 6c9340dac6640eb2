package sqstest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Account is the number of the account that all queues belong to.
const Account = "000000000000"

// Options of a Server. The zero value is a server like the real one.
type Options struct {
	// WithoutRedrive ignores redrive policies, as a poorer stand-in does.
	WithoutRedrive bool
	// MaxMessageBytes limits messages and batches; 0: 1 MiB, as SQS since 2025.
	MaxMessageBytes int
}

// A Server is an http.Handler. Make one with New or Start; it is safe for
// concurrent use.
type Server struct {
	options Options

	mu       sync.Mutex
	offset   time.Duration // of the server's clock from the real one
	queues   map[string]*messages
	changed  chan struct{} // closed and replaced when a message may have become visible
	faults   map[string][]Fault
	requests map[string]int
	lastID   int
}

// New returns a server without queues.
func New(o Options) *Server {
	if o.MaxMessageBytes == 0 {
		o.MaxMessageBytes = 1 << 20
	}
	return &Server{
		options: o, queues: make(map[string]*messages), changed: make(chan struct{}),
		faults: make(map[string][]Fault), requests: make(map[string]int),
	}
}

// Start returns a server that listens until the test ends, and its endpoint.
func Start(t testing.TB, o Options) (s *Server, endpoint string) {
	t.Helper()
	s = New(o)
	listener := httptest.NewServer(s)
	t.Cleanup(listener.Close)
	return s, listener.URL
}

// Advance moves the server's clock.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += d
	s.notify()
}

// Now is the time on the server's clock.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

// Requests returns how many requests there were for an action, those included
// that failed. The empty action stands for all.
func (s *Server) Requests(action string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[action]
}

// Queues returns the attributes of each queue as they were set.
func (s *Server) Queues() map[string]map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]map[string]string)
	for name, q := range s.queues {
		all[name] = q.attributes
	}
	return all
}

// DeleteQueue removes a queue with all of its messages.
func (s *Server) DeleteQueue(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.queues, name)
	s.notify()
}

// now is the server's time. The caller holds the lock.
func (s *Server) now() time.Time { return time.Now().Add(s.offset) }

// notify wakes the long polls. The caller holds the lock.
func (s *Server) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	action, found := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	if !found || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") {
		writeError(w, errorf("MissingAuthenticationToken", "the request is not signed, or no request of the JSON protocol"))
		return
	}
	// Only when the body is read the connection tells that its client left.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 2<<20))
	if err != nil {
		writeError(w, errorf("SerializationException", "%v", err))
		return
	}
	fault := s.begin(action)
	if fault.Before != nil {
		fault.Before(r.Context())
	}
	if fault.Code != "" && fault.Entry == "" {
		writeError(w, errorf(fault.Code, "injected"))
		return
	}
	answer, err := s.do(r.Context(), action, body, fault)
	if fault.LoseAnswer {
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		writeError(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_ = json.NewEncoder(w).Encode(answer) // the client may be gone
}

// begin counts a request and returns the fault that it is to suffer.
func (s *Server) begin(action string) (f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[action]++
	s.requests[""]++
	if waiting := s.faults[action]; len(waiting) > 0 {
		f, s.faults[action] = waiting[0], waiting[1:]
	}
	return f
}

func (s *Server) do(ctx context.Context, action string, body []byte, fault Fault) (any, error) {
	switch action {
	case "CreateQueue":
		return call(s, body, s.createQueue)
	case "GetQueueUrl":
		return call(s, body, s.getQueueURL)
	case "SetQueueAttributes":
		return call(s, body, s.setQueueAttributes)
	case "TagQueue":
		return call(s, body, s.tagQueue)
	case "ListQueueTags":
		return call(s, body, s.listQueueTags)
	case "GetQueueAttributes":
		return call(s, body, s.getQueueAttributes)
	case "SendMessage":
		return call(s, body, s.sendMessage)
	case "SendMessageBatch":
		return call(s, body, func(in sendBatchInput) (any, error) { return s.sendMessageBatch(in, fault) })
	case "DeleteMessage":
		return call(s, body, s.deleteMessage)
	case "DeleteMessageBatch":
		return call(s, body, func(in handleBatchInput) (any, error) { return s.deleteMessageBatch(in, fault) })
	case "ChangeMessageVisibility":
		return call(s, body, s.changeVisibility)
	case "ChangeMessageVisibilityBatch":
		return call(s, body, func(in handleBatchInput) (any, error) { return s.changeVisibilityBatch(in, fault) })
	case "ReceiveMessage":
		var in receiveInput
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, errorf("SerializationException", "%v", err)
		}
		return s.receiveMessage(ctx, in)
	}
	return nil, errorf("UnknownOperationException", "no action %s here", action)
}

// call decodes the input of an action and runs it under the lock.
func call[In any](s *Server, body []byte, action func(In) (any, error)) (any, error) {
	var in In
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, errorf("SerializationException", "%v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return action(in)
}

// find returns the queue of a URL, whose last element alone counts.
func (s *Server) find(url string) (*messages, error) {
	q, found := s.queues[path.Base(url)]
	if !found {
		return nil, errorf("QueueDoesNotExist", "The specified queue does not exist.")
	}
	return q, nil
}

// url is what the server calls a queue. Its host is not the server's own, as
// with stand-ins behind a proxy: a client must not connect to it.
func url(name string) string { return "http://sqs.invalid/" + Account + "/" + name }

func arn(name string) string { return "arn:aws:sqs:us-east-1:" + Account + ":" + name }

// newID returns an identifier that was not used before.
func (s *Server) newID(kind string) string {
	s.lastID++
	return fmt.Sprintf("%s-%s", kind, strconv.Itoa(s.lastID))
}
