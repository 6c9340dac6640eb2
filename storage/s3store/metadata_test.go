package s3store

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloudmirror/storage"
)

// FuzzMetadata holds that headers survive the way into S3's metadata and back, and
// that what did not fit there is known to be missing.
func FuzzMetadata(f *testing.F) {
	f.Add("Content-Type", "text/plain", "X-Amz-Meta-A", "b")
	f.Add("Cache-Control", "", "Last-Modified", "Tue, 01 Jul 2025 00:00:00 GMT")
	f.Add("x-amz-meta-ü", "ü", "X-Amz-Meta-", "x")
	f.Add("X-Amz-Meta-Cloudmirror-Id", "evil", "X-Amz-Meta-Long", strings.Repeat("a", 3000))
	f.Add("Content-Disposition", " a ", "Content-Language", "a\tb")
	f.Add("X-Amz-Meta-Last-Modified", "1", "X-Amz-Meta-last_modified", "2")
	f.Fuzz(func(t *testing.T, name, value, otherName, otherValue string) {
		kept := storage.KeptHeader(http.Header{name: {value}, otherName: {otherValue}})
		n, metadata, all := split(kept)
		size := 0
		for name, value := range metadata {
			size += len(originPrefix) + len(name) + len(value)
			if strings.HasPrefix(name, "cloudmirror-") && name != metaLastModified || !isPlain(value) {
				t.Errorf("metadata %q: %q", name, value)
			}
		}
		if size > metadataBytes {
			t.Errorf("%d bytes of metadata", size)
		}
		u := upload{id: "id", sha256: strings.Repeat("a", 64), storedAt: time.Unix(1, 5), needsSidecar: !all}
		for name, value := range u.own() {
			if _, taken := metadata[name]; taken {
				t.Errorf("the origin writes %s", name)
			}
			metadata[name] = value
		}
		o := newObject("key", nil, new(int64), nil, metadata, n)
		if o.id != u.id || o.sidecar != !all || o.info.SHA256 != u.sha256 || !o.info.StoredAt.Equal(u.storedAt) {
			t.Errorf("our own metadata is read as %+v", o)
		}
		back := o.info.Header
		for name := range back {
			if want, found := kept[name]; found && back.Get(name) != want[0] || !found && name != "Content-Type" {
				t.Errorf("%s came back as %q, was %q", name, back.Get(name), want)
			}
		}
		for name := range kept {
			if all && back.Get(name) != kept.Get(name) {
				t.Errorf("%s: %q is lost, and nobody knows", name, kept.Get(name))
			}
		}
	})
}

// FuzzForeignMetadata holds that metadata by others makes no copy of ours unless
// it has all that a copy has.
func FuzzForeignMetadata(f *testing.F) {
	f.Add("id", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "abc", "", `expiry-date="Sun, 23 Dec 2012 00:00:00 GMT", rule-id="x"`)
	f.Add("id", "2026-01-01T00:00:00Z", "", "", "", "")
	f.Add("id", "yesterday", "", "abc", "1", "")
	f.Add("", "", "never", "", "", `expiry-date=""`)
	f.Fuzz(func(t *testing.T, id, storedAt, expiresAt, sha256, sidecar, expiration string) {
		metadata := map[string]string{metaID: id, metaStoredAt: storedAt, metaSHA256: sha256, metaSidecar: sidecar}
		if expiresAt != "" {
			metadata[metaExpiresAt] = expiresAt
		}
		o := newObject("key", nil, nil, &expiration, metadata, natives{})
		if o.id == "" {
			return
		}
		stored, err := time.Parse(time.RFC3339Nano, storedAt)
		if err != nil || !o.info.StoredAt.Equal(stored) || sha256 == "" && sidecar == "" {
			t.Errorf("%q is taken for a copy of ours: %+v", metadata, o.info)
		}
		if expiresAt != "" {
			expires, err := time.Parse(time.RFC3339Nano, expiresAt)
			if err != nil || !expires.IsZero() && (o.info.ExpiresAt.IsZero() || o.info.ExpiresAt.After(expires)) {
				t.Errorf("%q: expires at %v", metadata, o.info.ExpiresAt)
			}
		}
	})
}

// FuzzSidecar holds that a sidecar survives another round, and that no header of
// one breaks an answer.
func FuzzSidecar(f *testing.F) {
	f.Add([]byte(`{"sha256":"ab","size":1,"url":"https://a.test/","key":"k","stored_at":"2026-01-01T00:00:00Z","header":{"Content-Type":"text/plain"}}`))
	f.Add([]byte(`{"header":{"Content-Type":"b\r\nc","":"","X-Amz-Meta-A":"c\u0000","Set-Cookie":"a"}}`))
	f.Add([]byte(`{"expires_at":"0001-01-01T00:00:00Z","size":-1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseSidecar(data)
		if err != nil {
			return
		}
		for name, values := range c.header() {
			if len(values) != 1 || strings.ContainsAny(name+values[0], "\r\n\x00") {
				t.Errorf("header %q: %q", name, values)
			}
		}
		encoded, err := json.Marshal(c)
		if err != nil {
			return // a time that JSON has no form for, which we never write
		}
		again, err := parseSidecar(encoded)
		if err != nil || again.SHA256 != c.SHA256 || again.SizeBytes != c.SizeBytes || !again.ExpiresAt.Equal(c.ExpiresAt) || len(again.Header) != len(c.Header) {
			t.Errorf("%+v became %+v, %v", c, again, err)
		}
	})
}
