package origin_test

import (
	"bytes"
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
		"a wish":                              {"Want-Repr-Digest": {"sha-256=1"}},
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
