package s3store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"cloudmirror/storage"
)

// maxSidecarBytes is more than a URL and headers can need.
const maxSidecarBytes = 1 << 20

// A sidecar is what is known of a copy and must not be, or does not fit, in its
// public metadata.
type sidecar struct {
	SHA256    string            `json:"sha256"`
	SizeBytes int64             `json:"size"`
	URL       string            `json:"url"`
	Key       string            `json:"key"`
	StoredAt  time.Time         `json:"stored_at"`
	ExpiresAt time.Time         `json:"expires_at,omitzero"`
	Header    map[string]string `json:"header"`
}

// sidecarKey returns the full key of a sidecar: `private/<hash>/<generation>.<id>.json`.
func (s *Store) sidecarKey(key, id string) string {
	return s.prefix + "private/" + path.Dir(key) + "." + id + ".json"
}

func (s *Store) writeSidecar(ctx context.Context, u *upload) error {
	header := make(map[string]string, len(u.header))
	for name := range u.header {
		header[name] = u.header.Get(name)
	}
	body, err := json.Marshal(sidecar{
		SHA256: u.sha256, SizeBytes: u.size, URL: u.options.Source, Key: u.key,
		StoredAt: u.storedAt.UTC(), ExpiresAt: u.options.ExpiresAt.UTC(), Header: header,
	})
	if err != nil {
		return fmt.Errorf("encode the sidecar: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	fullKey := s.sidecarKey(u.key, u.id)
	u.sidecarWritten = true // if only perhaps
	for range maxWrites {
		_, err = s.client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &s.bucket, Key: &fullKey, Body: bytes.NewReader(body), ContentType: new("application/json"),
		})
		if !isStatus(err, statusConflict) { // which says to try again
			break
		}
	}
	if err != nil {
		return fmt.Errorf("write the sidecar: %w", explain(err))
	}
	return nil
}

// readSidecar returns a copy's sidecar. The error is storage.ErrNotExist if it is
// gone.
func (s *Store) readSidecar(ctx context.Context, key, id string) (sidecar, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	fullKey := s.sidecarKey(key, id)
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &fullKey})
	if isCode(err, "NoSuchKey") {
		return sidecar{}, storage.ErrNotExist
	}
	if err != nil {
		return sidecar{}, fmt.Errorf("read the sidecar: %w", explain(err))
	}
	defer out.Body.Close()
	body, err := io.ReadAll(io.LimitReader(out.Body, maxSidecarBytes))
	if err != nil {
		return sidecar{}, fmt.Errorf("read the sidecar: %w", err)
	}
	return parseSidecar(body)
}

func parseSidecar(body []byte) (c sidecar, err error) {
	if err := json.Unmarshal(body, &c); err != nil {
		return sidecar{}, fmt.Errorf("read the sidecar: %w", err)
	}
	return c, nil
}

// header returns the headers of a copy. Others than a copy has are left out, as
// are those that HTTP does not allow: somebody else wrote them.
func (c sidecar) header() http.Header {
	header := make(http.Header, len(c.Header))
	for name, value := range c.Header {
		header.Set(name, value)
	}
	return storage.KeptHeader(header)
}
