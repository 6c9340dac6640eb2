package filestore

import (
	"encoding/json"
	"errors"
	"io"
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
	header.Set("Content-Type", "application/octet-stream") // no sniffing here either
	for name, value := range c.record.Header {
		header.Set(name, value)
	}
	header.Set("ETag", `"`+c.record.SHA256+`"`)
	modified := c.record.StoredAt
	if t, err := http.ParseTime(c.record.Header["Last-Modified"]); err == nil {
		modified = t
	}
	// ServeContent leaves the length of encoded bodies out, in fear of
	// middleware that encodes; it is known here, and sendfile needs it. A 412
	// is the one answer that it would not take the length away from.
	if c.record.Header["Content-Encoding"] != "" && r.Header.Get("If-Match") == "" && r.Header.Get("If-Unmodified-Since") == "" {
		header.Set("Content-Length", strconv.FormatInt(c.record.Size, 10))
	}
	http.ServeContent(w, r, "", modified.Truncate(time.Second), &section{File: c.File, size: c.record.Size})
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
