package origin_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"testing"

	"cloudmirror"
	"cloudmirror/origin"
	"cloudmirror/origin/origintest"
)

func TestEveryStatedDigestIsVerified(t *testing.T) {
	server := origintest.Start(t)
	c := newClient(t, origin.Options{})
	for _, kind := range origintest.DigestKinds() {
		t.Run(kind, func(t *testing.T) {
			path := "/" + kind
			right := origintest.Behaviour{SizeBytes: 100_000, Digests: []string{kind}}
			server.Set(path, right)
			body, _, err := fetch(t, c, anywhere(t), server.Object(t, path))
			if err != nil || !bytes.Equal(body, origintest.Bytes(path, right.SizeBytes)) {
				t.Errorf("the right digest: %d bytes, %v", len(body), err)
			}
			wrong := right
			wrong.WrongDigest = true
			server.Set(path, wrong)
			body, _, err = fetch(t, c, anywhere(t), server.Object(t, path))
			wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeDigestMismatch})
			if int64(len(body)) == wrong.SizeBytes {
				t.Error("all bytes were delivered before the digest was judged")
			}
			wrong.Chunked = true
			server.Set(path, wrong)
			_, _, err = fetch(t, c, anywhere(t), server.Object(t, path))
			wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeDigestMismatch})
		})
	}
}

func TestOneWrongDigestOfManyIsEnough(t *testing.T) {
	server := origintest.Start(t)
	server.Set("/a", origintest.Behaviour{
		SizeBytes: 10, Digests: origintest.DigestKinds(),
		Header: http.Header{"Digest": {"SHA-256=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}},
	})
	_, _, err := fetch(t, newClient(t, origin.Options{}), anywhere(t), server.Object(t, "/a"))
	wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeDigestMismatch})
}

// Digests that contradict each other cannot all hold, wherever they stand.
func TestContradictoryDigests(t *testing.T) {
	const path, size = "/a", 1000
	body := origintest.Bytes(path, size)
	sha, md := sha256.Sum256(body), md5.Sum(body)
	right, rightMD5 := base64.StdEncoding.EncodeToString(sha[:]), base64.StdEncoding.EncodeToString(md[:])
	const wrong, wrongMD5 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAAAAA=="
	tests := map[string]struct {
		header http.Header
		holds  bool
	}{
		"the same twice":                       {http.Header{"Digest": {"SHA-256=" + right + ",SHA-256=" + right}}, true},
		"the same in several headers":          {http.Header{"Digest": {"SHA-256=" + right}, "Repr-Digest": {"sha-256=:" + right + ":"}, "Content-Md5": {rightMD5}}, true},
		"two of one algorithm in one list":     {http.Header{"Digest": {"SHA-256=" + right + ",SHA-256=" + wrong}}, false},
		"the wrong one first":                  {http.Header{"Digest": {"SHA-256=" + wrong + ",SHA-256=" + right}}, false},
		"two lines of one header":              {http.Header{"Content-Md5": {rightMD5, wrongMD5}}, false},
		"two algorithms in one list":           {http.Header{"Repr-Digest": {"sha-256=:" + right + ":, md5=:" + wrongMD5 + ":"}}, false},
		"two headers of one algorithm":         {http.Header{"Repr-Digest": {"sha-256=:" + right + ":"}, "Content-Digest": {"sha-256=:" + wrong + ":"}}, false},
		"a standard one and a vendor's":        {http.Header{"Digest": {"SHA-256=" + right}, "X-Goog-Hash": {"md5=" + wrongMD5}}, false},
		"two lines of a vendor's":              {http.Header{"X-Goog-Hash": {"md5=" + rightMD5, "md5=" + wrongMD5}}, false},
		"a wrong one beside an unreadable one": {http.Header{"Digest": {"SHA-256=?"}, "X-Amz-Checksum-Sha256": {wrong}}, false},
		"a right one beside an unreadable one": {http.Header{"Digest": {"SHA-256=?"}, "X-Amz-Checksum-Sha256": {right}}, true},
		"a right one beside a composite":       {http.Header{"Digest": {"SHA-256=" + right}, "X-Amz-Checksum-Sha256": {wrong + "-2"}}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := origintest.Start(t)
			server.Set(path, origintest.Behaviour{SizeBytes: size, Header: test.header})
			_, _, err := fetch(t, newClient(t, origin.Options{}), anywhere(t), server.Object(t, path))
			if !test.holds {
				wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeDigestMismatch})
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhatIsNoDigestOfTheBody(t *testing.T) {
	const wrongSHA, wrongMD5, wrongCRC = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAAAAA==", "AAAAAA=="
	tests := map[string]http.Header{
		"an ETag like an MD5":                 {"Etag": {`"d41d8cd98f00b204e9800998ecf8427e"`}},
		"a composite checksum":                {"X-Amz-Checksum-Sha256": {wrongSHA + "-3"}},
		"a checksum of type composite":        {"X-Amz-Checksum-Crc32c": {wrongCRC}, "X-Amz-Checksum-Type": {"COMPOSITE"}},
		"the hash of what was stored zipped":  {"X-Goog-Hash": {"crc32c=" + wrongCRC + ",md5=" + wrongMD5}, "X-Goog-Stored-Content-Encoding": {"gzip"}},
		"the hash of what is served zipped":   {"X-Goog-Hash": {"crc32c=" + wrongCRC}, "X-Goog-Stored-Content-Encoding": {"identity"}, "Content-Encoding": {"gzip"}},
		"an unknown algorithm":                {"Repr-Digest": {"blake9=:" + wrongSHA + ":"}, "Digest": {"blake9=" + wrongSHA}},
		"an algorithm of unclear byte order":  {"Repr-Digest": {"crc32c=:" + wrongCRC + ":"}},
		"a string instead of a byte sequence": {"Repr-Digest": {`sha-256="` + wrongSHA + `"`}},
		"a digest of the wrong length":        {"Repr-Digest": {"sha-256=:" + wrongMD5 + ":"}},
		"an MD5 in hexadecimal":               {"Content-Md5": {"d41d8cd98f00b204e9800998ecf8427e"}},
		"a checksum that was not verified":    {"X-Bz-Content-Sha1": {"unverified:da39a3ee5e6b4b0d3255bfef95601890afd80709"}},
		"no checksum of a large file":         {"X-Bz-Content-Sha1": {"none"}},
		"a digest of a kept, unzipped file":   {"X-Checksum-Md5": {"d41d8cd98f00b204e9800998ecf8427e"}, "Content-Encoding": {"gzip"}},
		"a manifest's unknown algorithm":      {"Docker-Content-Digest": {"sha3:d41d8cd98f00b204e9800998ecf8427e"}},
		"a composite of every kind": {
			"X-Amz-Checksum-Sha256": {wrongSHA + "-3"}, "X-Amz-Checksum-Crc32": {wrongCRC + "-3"}, "X-Amz-Checksum-Crc32c": {wrongCRC + "-3"},
			"X-Amz-Checksum-Sha1": {"AAAAAAAAAAAAAAAAAAAAAAAAAAA=-3"}, "X-Amz-Checksum-Crc64nvme": {"AAAAAAAAAAA=-10000"},
		},
		"a wish": {"Want-Repr-Digest": {"sha-256=1"}},
	}
	for name, header := range tests {
		t.Run(name, func(t *testing.T) {
			server := origintest.Start(t)
			server.Set("/a", origintest.Behaviour{SizeBytes: 10, Header: header})
			if _, _, err := fetch(t, newClient(t, origin.Options{}), anywhere(t), server.Object(t, "/a")); err != nil {
				t.Error(err)
			}
			// It does not make up for a missing length either.
			server.Set("/a", origintest.Behaviour{SizeBytes: 10, Header: header, CloseDelimited: true})
			_, _, err := fetch(t, newClient(t, origin.Options{}), anywhere(t), server.Object(t, "/a"))
			wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeOriginTruncated, Permanent: true})
		})
	}
}

func TestGoogleHashOfWhatIsStoredAndServedZipped(t *testing.T) {
	server := origintest.Start(t)
	server.Set("/a", origintest.Behaviour{
		SizeBytes: 1000, Gzip: true, Digests: []string{"x-goog-hash-md5"}, WrongDigest: true,
		Header: http.Header{"X-Goog-Stored-Content-Encoding": {"gzip"}},
	})
	_, _, err := fetch(t, newClient(t, origin.Options{}), anywhere(t), server.Object(t, "/a"))
	wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeDigestMismatch})
}
