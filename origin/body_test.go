package origin_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"cloudmirror"
	"cloudmirror/origin"
	"cloudmirror/origin/origintest"
)

func TestBodiesThatAreNotWhole(t *testing.T) {
	truncated := cloudmirror.Failure{Code: cloudmirror.CodeOriginTruncated}
	tests := map[string]struct {
		query string
		want  cloudmirror.Failure
	}{
		"cut off":                          {"?size=100000&cut-after=5000&no-etag=true&no-date=true", truncated},
		"cut off before the first byte":    {"?size=100000&cut-after=-1&no-etag=true&no-date=true", truncated},
		"cut off without length":           {"?size=100000&cut-after=5000&no-etag=true&no-date=true&chunked=true", truncated},
		"shorter than announced":           {"?size=100000&length-off=1&no-etag=true&no-date=true", truncated},
		"longer than announced, digest":    {"?size=100000&length-off=-1&digests=digest", cloudmirror.Failure{Code: cloudmirror.CodeDigestMismatch}},
		"by connection without digest":     {"?size=100&close-delimited=true", cloudmirror.Failure{Code: cloudmirror.CodeOriginTruncated, Permanent: true}},
		"by connection, cut off":           {"?size=100000&close-delimited=true&digests=content-md5&cut-after=500", cloudmirror.Failure{Code: cloudmirror.CodeDigestMismatch}},
		"cut off, ETag but no ranges":      {"?size=100000&cut-after=5000&no-ranges=true", truncated},
		"cut off, ranges but weak ETag":    {"?size=100000&cut-after=5000&weak-etag=true", truncated},
		"an error page instead of a GET":   {"?size=100&head-status=200&status=500", cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 500}},
		"wrong digest of an empty object":  {"?size=0&digests=digest&wrong-digest=true", cloudmirror.Failure{Code: cloudmirror.CodeDigestMismatch}},
		"wrong digest of an empty, unlist": {"?size=0&chunked=true&digests=digest&wrong-digest=true", cloudmirror.Failure{Code: cloudmirror.CodeDigestMismatch}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := origintest.Start(t)
			_, _, err := fetch(t, newClient(t, origin.Options{}), anywhere(t), server.Object(t, "/a"+test.query+"&key=secret"))
			wantFailure(t, err, test.want)
			wantNoSecret(t, err, "secret")
			if n := server.Count("GET", "/a"); n != 1 {
				t.Errorf("%d requests: what cannot be continued was", n)
			}
		})
	}
}

func TestSizeLimit(t *testing.T) {
	server := origintest.Start(t)
	c := newClient(t, origin.Options{})
	rules := anywhere(t)
	rules.MaxObjectBytes = 1000
	tooLarge := cloudmirror.Failure{Code: cloudmirror.CodeObjectTooLarge, Permanent: true}
	for _, path := range []string{"/a?size=1000", "/a?size=1000&chunked=true"} {
		if body, _, err := fetch(t, c, rules, server.Object(t, path)); err != nil || len(body) != 1000 {
			t.Errorf("%s: %d bytes, %v", path, len(body), err)
		}
	}
	if _, err := c.Get(t.Context(), rules, server.Object(t, "/a?size=1001")); err == nil {
		t.Error("a length over the limit was not refused before the body")
	} else {
		wantFailure(t, err, tooLarge)
	}
	body, _, err := fetch(t, c, rules, server.Object(t, "/a?size=1001&chunked=true"))
	wantFailure(t, err, tooLarge)
	if len(body) > 1000 {
		t.Errorf("%d bytes were delivered", len(body))
	}
}

// A consumer that knows the length and stops there must not have got a body
// that fails.
func TestLastBytesAreDeliveredAfterTheVerdict(t *testing.T) {
	plain, encrypted := origintest.Start(t), origintest.StartTLS(t)
	for name, server := range map[string]*origintest.Server{"HTTP/1.1": plain, "HTTP/2": encrypted} {
		t.Run(name, func(t *testing.T) {
			response, err := newClient(t, origin.Options{RootCAs: pool(encrypted)}).Get(t.Context(), anywhere(t),
				server.Object(t, "/a?size=100000&digests=digest&wrong-digest=true"))
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			n, err := io.ReadFull(response.Body, make([]byte, response.SizeBytes))
			wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeDigestMismatch})
			if int64(n) == response.SizeBytes {
				t.Error("the last bytes came without the verdict")
			}
		})
	}
}

func TestFailureOfABodyStays(t *testing.T) {
	server := origintest.Start(t)
	response, err := newClient(t, origin.Options{}).Get(t.Context(), anywhere(t), server.Object(t, "/a?size=10&digests=digest&wrong-digest=true"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	_, first := io.ReadAll(response.Body)
	for range 3 {
		if n, err := response.Body.Read(make([]byte, 10)); n != 0 || !errors.Is(err, first) {
			t.Errorf("later: %d bytes, %v, want %v", n, err, first)
		}
	}
}

func TestEndOfABodyStays(t *testing.T) {
	server := origintest.Start(t)
	response, err := newClient(t, origin.Options{}).Get(t.Context(), anywhere(t), server.Object(t, "/a?size=10"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	if n, err := response.Body.Read(make([]byte, 10)); n != 0 || err != io.EOF {
		t.Errorf("later: %d bytes, %v", n, err)
	}
}

func TestBodyBehindOneByteReads(t *testing.T) {
	server := origintest.Start(t)
	response, err := newClient(t, origin.Options{}).Get(t.Context(), anywhere(t), server.Object(t, "/a?size=3000&digests=digest"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var got bytes.Buffer
	if _, err := io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{response.Body}, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), origintest.Bytes("/a", 3000)) {
		t.Error("other bytes")
	}
}

func TestConnectionIsReusedAfterAWholeBody(t *testing.T) {
	server := origintest.Start(t)
	c := newClient(t, origin.Options{})
	for range 3 {
		if _, _, err := fetch(t, c, anywhere(t), server.Object(t, "/a?size=100000")); err != nil {
			t.Fatal(err)
		}
	}
	remotes := map[string]bool{}
	for _, r := range server.Requests() {
		remotes[r.RemoteAddr] = true
	}
	if len(remotes) != 1 {
		t.Errorf("%d connections for three requests", len(remotes))
	}
}

func TestFailureNamesTheHopWithoutItsQuery(t *testing.T) {
	server := origintest.Start(t)
	server.Set("/a", origintest.Behaviour{Redirect: "/b?token=hunter2"})
	server.Set("/b", origintest.Behaviour{Status: 404})
	_, _, err := fetch(t, newClient(t, origin.Options{}), anywhere(t), server.Object(t, "/a?key=secret"))
	wantNoSecret(t, err, "secret")
	wantNoSecret(t, err, "hunter2")
	if !strings.Contains(err.Error(), server.URL+"/b?…") {
		t.Errorf("the error does not say which hop failed: %v", err)
	}
}
