package origin

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strings"
)

// crc64NVME is the polynomial of CRC-64/NVME in Go's reversed form.
const crc64NVME = 0x9a6c9329ac4bc9b5

// newHash returns the function of an algorithm, or nil if it is not known.
func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case "md5":
		return md5.New()
	case "sha1":
		return sha1.New()
	case "sha256":
		return sha256.New()
	case "sha512":
		return sha512.New()
	case "crc32":
		return crc32.NewIEEE()
	case "crc32c":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "crc64nvme":
		return crc64.New(crc64.MakeTable(crc64NVME))
	}
	return nil
}

// registered returns the algorithm of a name in the registries of RFC 3230 and
// RFC 9530, or "" for those that are not verified. CRC-32C is not: how its bytes
// are ordered there is open to doubt.
func registered(name string) string {
	switch strings.ToLower(name) {
	case "sha-512":
		return "sha512"
	case "sha-256":
		return "sha256"
	case "sha":
		return "sha1"
	case "md5":
		return "md5"
	}
	return ""
}

// A statement is one digest of the whole body, as an origin stated it.
type statement struct {
	header    string // where it stood
	algorithm string
	want      []byte
}

// statements returns every digest of the whole body that a header of a 200
// answer states. What cannot be read is no statement. ETags are none either,
// whatever they look like.
func statements(h http.Header) []statement {
	var all []statement
	add := func(header, algorithm, encoded string) {
		want, err := base64.StdEncoding.DecodeString(encoded)
		if function := newHash(algorithm); err == nil && function != nil && len(want) == function.Size() {
			all = append(all, statement{header: header, algorithm: algorithm, want: want})
		}
	}
	for _, value := range h.Values("Content-MD5") { // RFC 1864
		add("Content-MD5", "md5", strings.TrimSpace(value))
	}
	for _, name := range []string{"Repr-Digest", "Content-Digest"} { // RFC 9530
		for key, value := range members(h.Values(name)) {
			value, _, _ = strings.Cut(value, ";")
			if inner, ok := byteSequence(value); ok {
				add(name, registered(key), inner)
			}
		}
	}
	for name, value := range members(h.Values("Digest")) { // RFC 3230
		add("Digest", registered(name), value)
	}
	addAmazon(h, add)
	addGoogle(h, add)
	addRepositories(h, add)
	return all
}

// addAmazon adds the checksums of S3 that are of the whole object. Those of
// multipart uploads may be composites, checksums of the parts' checksums:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
func addAmazon(h http.Header, add func(header, algorithm, encoded string)) {
	if strings.EqualFold(h.Get("X-Amz-Checksum-Type"), "COMPOSITE") {
		return
	}
	for _, algorithm := range []string{"sha512", "sha256", "sha1", "md5", "crc32", "crc32c", "crc64nvme"} {
		name := "x-amz-checksum-" + algorithm
		for _, value := range h.Values(name) {
			add(name, algorithm, value) // "…-3", a composite, is no base64
		}
	}
}

// addGoogle adds the hashes of Google Cloud Storage. They are of the stored
// bytes, which are not the served ones if an encoding was taken off on the way:
// https://cloud.google.com/storage/docs/transcoding
func addGoogle(h http.Header, add func(header, algorithm, encoded string)) {
	if !strings.EqualFold(encoding(h.Get("X-Goog-Stored-Content-Encoding")), encoding(h.Get("Content-Encoding"))) {
		return
	}
	for algorithm, value := range members(h.Values("X-Goog-Hash")) {
		if algorithm == "crc32c" || algorithm == "md5" {
			add("x-goog-hash", algorithm, value)
		}
	}
}

// addRepositories adds the hexadecimal digests of the files that repositories
// keep: Artifactory's, and servers' like it; Backblaze B2's; those of container
// registries. They are of what is kept, without an encoding that was put on.
func addRepositories(h http.Header, add func(header, algorithm, encoded string)) {
	if encoding(h.Get("Content-Encoding")) != "identity" {
		return
	}
	addHex := func(header, algorithm, value string) {
		if sum, err := hex.DecodeString(strings.TrimSpace(value)); err == nil {
			add(header, algorithm, encode(sum))
		}
	}
	for _, algorithm := range []string{"sha512", "sha256", "sha1", "md5"} {
		name := "X-Checksum-" + algorithm
		for _, value := range h.Values(name) {
			addHex(name, algorithm, value)
		}
	}
	for _, value := range h.Values("X-Bz-Content-Sha1") {
		addHex("X-Bz-Content-Sha1", "sha1", value) // "none" and "unverified:…" are not hexadecimal
	}
	for _, value := range h.Values("Docker-Content-Digest") {
		algorithm, sum, _ := strings.Cut(value, ":")
		addHex("Docker-Content-Digest", algorithm, sum)
	}
}

func encoding(value string) string {
	if value == "" {
		return "identity"
	}
	return value
}

// members yields the `name=value` members of comma-separated lists.
func members(values []string) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for _, list := range values {
			for member := range strings.SplitSeq(list, ",") {
				name, value, found := strings.Cut(strings.TrimSpace(member), "=")
				if found && !yield(name, value) {
					return
				}
			}
		}
	}
}

// byteSequence returns what is between the colons of a byte sequence (RFC 9651,
// section 3.3.5).
func byteSequence(value string) (string, bool) {
	inner, ok := strings.CutPrefix(strings.TrimSpace(value), ":")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(inner, ":")
}

// A verifier computes what the statements speak of.
type verifier struct {
	statements []statement
	functions  map[string]hash.Hash // one for each algorithm
}

func newVerifier(stated []statement) verifier {
	v := verifier{statements: stated, functions: make(map[string]hash.Hash)}
	for _, s := range stated {
		if v.functions[s.algorithm] == nil {
			v.functions[s.algorithm] = newHash(s.algorithm)
		}
	}
	return v
}

func (v verifier) write(p []byte) {
	for _, function := range v.functions {
		_, _ = function.Write(p) // never returns an error
	}
}

// check returns an error that names the first digest that does not hold.
func (v verifier) check() error {
	for _, s := range v.statements {
		if got := v.functions[s.algorithm].Sum(nil); !bytes.Equal(got, s.want) {
			return fmt.Errorf("%s states the %s %s, the body has %s", s.header, s.algorithm, encode(s.want), encode(got))
		}
	}
	return nil
}

func encode(sum []byte) string { return base64.StdEncoding.EncodeToString(sum) }
