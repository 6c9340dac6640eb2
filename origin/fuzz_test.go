package origin

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

func FuzzStatements(f *testing.F) {
	f.Add("Repr-Digest", "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:;a=1, md5=:AAAAAAAAAAAAAAAAAAAAAA==:")
	f.Add("Content-Digest", "sha-512=:zzz:,=::,sha-256=:")
	f.Add("Digest", "SHA-256=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,unixsum=1")
	f.Add("Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA==")
	f.Add("X-Goog-Hash", "crc32c=AAAAAA==, md5=AAAAAAAAAAAAAAAAAAAAAA==")
	f.Add("X-Amz-Checksum-Crc64nvme", "AAAAAAAAAAA=")
	f.Fuzz(func(t *testing.T, name, value string) {
		h := http.Header{}
		h.Add(name, value)
		stated := statements(h)
		for _, s := range stated {
			if size := newHash(s.algorithm).Size(); len(s.want) != size {
				t.Errorf("a %s of %d bytes", s.algorithm, len(s.want))
			}
		}
		v := newVerifier(stated)
		v.write([]byte("x"))
		_ = v.check() // must not panic; it may or may not hold
	})
}

func FuzzContentRange(f *testing.F) {
	for _, seed := range []string{"bytes 0-9/10", "bytes 5-9/*", "BYTES 0-0/1", "bytes */10", "bytes 9-0/10", "bytes 0-10/10", "bytes -1-2/3", "bytes 0-9223372036854775807/*", "bytes 0-99999999999999999999/*", "bytes 1 - 2/3", "bytes +1-2/3"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		r, ok := parseContentRange(value)
		if !ok {
			return
		}
		if r.first < 0 || r.last < r.first || r.total >= 0 && r.total <= r.last {
			t.Errorf("%q: %+v makes no sense", value, r)
		}
		again, ok := parseContentRange(fmt.Sprintf("bytes %d-%d/%s", r.first, r.last, totalText(r.total)))
		if !ok || again != r {
			t.Errorf("%q: written out and read again it is %+v, was %+v", value, again, r)
		}
	})
}

func totalText(total int64) string {
	if total < 0 {
		return "*"
	}
	return fmt.Sprint(total)
}

func TestParseContentRange(t *testing.T) {
	for value, want := range map[string]contentRange{
		"bytes 0-9/10":  {0, 9, 10},
		"bytes 5-9/*":   {5, 9, -1},
		"Bytes 42-42/9": {},
		"bytes 0-9/9":   {}, "bytes 9-5/10": {}, "bytes */10": {}, "items 0-9/10": {}, "bytes=0-9/10": {}, "bytes 0-9": {},
		"bytes 0-9/": {}, "bytes  0-9/10": {}, "bytes -9/10": {}, "bytes 0x1-9/10": {}, "": {},
	} {
		got, ok := parseContentRange(value)
		if got != want && ok || ok != (want != contentRange{}) {
			t.Errorf("%q: got %+v, %t", value, got, ok)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"120", "-1", "Tue, 01 Jul 2025 12:00:30 GMT", "99999999999999999999", "1e9", "٣"} {
		f.Add(seed)
	}
	now := time.Date(2025, 7, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		if got := parseRetryAfter(value, now); got < 0 || got > maxRetryAfter {
			t.Errorf("%q: %v", value, got)
		}
	})
}
