package filestore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"cloudmirror/storage"
)

// Handler serves copies (GET and HEAD) at `/<key>`, with ranges, conditions and
// their stored headers. What is no copy, or one whose time is over, is 404:
// markers, directories and temporary files are never shown.
//
// Bodies go out by sendfile if the ResponseWriter passes io.ReaderFrom on;
// echo.Response does not, so give it the Writer inside.
func (s *Store) Handler() http.Handler { return http.HandlerFunc(s.serve) }

func (s *Store) serve(w http.ResponseWriter, r *http.Request) {
	// Whatever an origin gave us is shown on our host: it must not run there.
	w.Header().Set("Content-Security-Policy", "sandbox")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		answerError(w, r, http.StatusMethodNotAllowed, "MethodNotAllowed", "Copies can be fetched with GET and HEAD only.")
		return
	}
	key := strings.TrimPrefix(r.URL.Path, "/")
	if _, err := pathOf(key); err != nil || !isCopyKey(key) {
		answerError(w, r, http.StatusNotFound, "NoSuchCopy", "There is no such copy.")
		return
	}
	c, err := s.find(r.Context(), key)
	switch {
	case errors.Is(err, storage.ErrNotExist):
		answerError(w, r, http.StatusNotFound, "NoSuchCopy", "There is no such copy.")
	case err != nil:
		s.logger.Error("serve a copy", zap.String("key", key), zap.Error(err))
		answerError(w, r, http.StatusServiceUnavailable, "StorageFailed", "The copy cannot be read now.")
	default:
		defer c.Close()
		c.serve(w, r)
	}
}

func (c *stored) serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", storage.DefaultContentType)
	for name, value := range c.record.Header {
		header.Set(name, value)
	}
	header.Set("ETag", `"`+c.record.SHA256+`"`)
	modified := c.record.StoredAt
	if t, err := http.ParseTime(c.record.Header["Last-Modified"]); err == nil {
		modified = t
	}
	if c.record.Header["Content-Encoding"] != "" {
		// ServeContent leaves the length of encoded bodies out, in fear of
		// middleware that encodes; it is known here, and sendfile needs it.
		header.Set("Content-Length", strconv.FormatInt(c.record.Size, 10))
	}
	answer := &contentWriter{ResponseWriter: w, request: r, copy: c}
	http.ServeContent(answer, withRange(r, c.record.Size), "", modified.Truncate(time.Second), &section{File: c.File, size: c.record.Size})
}

// withRange returns the request with a Range header that ServeContent understands
// as readRange does.
func withRange(r *http.Request, size int64) *http.Request {
	if len(r.Header["Range"]) == 0 {
		return r
	}
	inner := *r
	inner.Header = maps.Clone(r.Header)
	switch ranges, want := readRange(r, size); want {
	case wantsAll:
		inner.Header.Del("Range")
	case wantsRanges:
		inner.Header.Set("Range", formatRanges(ranges))
	case wantsNothing:
		inner.Header.Set("Range", fmt.Sprintf("bytes=%d-", size))
	}
	return &inner
}

// A section is a copy's file without its record. It is still something that
// sendfile can read from: a syscall.Conn.
type section struct {
	*os.File
	size int64
}

// Seek implements io.Seeker.
func (s *section) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekEnd {
		offset, whence = s.size+offset, io.SeekStart
	}
	return s.File.Seek(offset, whence)
}

// A contentWriter gives the errors of ServeContent, which are bare or plain text,
// the shape of all others.
type contentWriter struct {
	http.ResponseWriter
	request *http.Request
	copy    *stored
	failed  bool
}

// WriteHeader implements http.ResponseWriter.
func (w *contentWriter) WriteHeader(status int) {
	if status < http.StatusBadRequest {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.failed = true
	for name := range w.copy.record.Header {
		w.Header().Del(name)
	}
	for _, name := range []string{"Etag", "Last-Modified", "Accept-Ranges"} {
		w.Header().Del(name)
	}
	switch status {
	case http.StatusPreconditionFailed:
		answerError(w.ResponseWriter, w.request, status, "PreconditionFailed", "The copy does not fulfil the request's If-Match or If-Unmodified-Since.")
	case http.StatusRequestedRangeNotSatisfiable:
		answerError(w.ResponseWriter, w.request, status, "RangeNotSatisfiable", fmt.Sprintf("The copy has %d bytes, and no range of the request begins within them.", w.copy.record.Size))
	default:
		answerError(w.ResponseWriter, w.request, http.StatusServiceUnavailable, "StorageFailed", "The copy cannot be read now.")
	}
}

// Write implements http.ResponseWriter.
func (w *contentWriter) Write(p []byte) (int, error) {
	if w.failed {
		return len(p), nil // of the answer that was replaced
	}
	return w.ResponseWriter.Write(p)
}

// ReadFrom implements io.ReaderFrom, by which net/http uses sendfile.
func (w *contentWriter) ReadFrom(r io.Reader) (int64, error) { return io.Copy(w.ResponseWriter, r) }

func answerError(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	body, err := json.Marshal(struct {
		Code      string `json:"code"`
		Message   string `json:"message"`
		RequestID string `json:"request_id,omitempty"`
	}{code, message, w.Header().Get("X-Request-Id")})
	if err != nil { // strings always encode
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that went away
	}
}
