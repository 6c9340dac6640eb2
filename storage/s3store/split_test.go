package s3store

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cloudmirror/storage"
)

func TestSplitLeavesToTheSidecar(t *testing.T) {
	long := strings.Repeat("v", metadataBytes)
	cases := map[string]struct {
		header http.Header
		all    bool
	}{
		"nothing":                           {http.Header{}, true},
		"what fits":                         {http.Header{"Content-Type": {"a/b"}, "X-Amz-Meta-A": {"b"}, "Last-Modified": {"Wed, 21 Oct 2015 07:28:00 GMT"}}, true},
		"an overlong value":                 {http.Header{"X-Amz-Meta-A": {long}}, false},
		"letters outside of ASCII":          {http.Header{"X-Amz-Meta-A": {"größe"}}, false},
		"spaces around a value":             {http.Header{"X-Amz-Meta-A": {" a "}}, false},
		"an empty value":                    {http.Header{"X-Amz-Meta-A": {""}}, false},
		"a tab, which signatures normalize": {http.Header{"X-Amz-Meta-A": {"a\tb"}}, false},
		"metadata without a name":           {http.Header{"X-Amz-Meta-": {"a"}}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if _, _, all := split(c.header); all != c.all {
				t.Errorf("all is %t", all)
			}
		})
	}
}

// Whatever an origin says, our metadata and what we keep of its own stay below
// S3's limits, and what is kept is found again.
func TestSplitProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		header := make(http.Header)
		for i := range rapid.IntRange(0, 40).Draw(t, "count") {
			value := rapid.OneOf(rapid.StringN(0, 100, 400), rapid.StringMatching(`[ -~]{0,300}`)).Draw(t, "value")
			header.Set(fmt.Sprintf("X-Amz-Meta-%s-%d", rapid.StringMatching(`[a-zA-Z0-9_-]{0,30}`).Draw(t, "name"), i), value)
		}
		for _, name := range []string{"Content-Type", "Cache-Control", "Content-Encoding", "Content-Language", "Content-Disposition", "Last-Modified"} {
			header.Set(name, rapid.StringMatching(`[ -~]{0,700}`).Draw(t, name))
		}
		kept := storage.KeptHeader(header)
		n, metadata, all := split(kept)
		u := &upload{id: strings.Repeat("i", 26), sha256: strings.Repeat("0", 64), needsSidecar: true}
		size := 0
		for name, value := range metadata {
			if name != metaLastModified {
				size += len("x-amz-meta-") + len(name) + len(value)
			}
		}
		own := len("x-amz-meta-") + len(metaLastModified) + len(metadata[metaLastModified])
		own += len("x-amz-meta-") + len(metaExpiresAt) + 40
		for name, value := range u.own() {
			own += len("x-amz-meta-") + len(name) + len(value)
		}
		if own > ownBytes || size+own > 2<<10 {
			t.Fatalf("metadata of %d bytes and %d of our own", size, own)
		}
		joined := join(n, metadata)
		if kept.Get("Content-Type") == "" {
			joined.Del("Content-Type")
		}
		for name := range joined {
			if joined.Get(name) != kept.Get(name) && name != "Content-Type" {
				t.Fatalf("%s is %q, was %q", name, joined.Get(name), kept.Get(name))
			}
		}
		if all {
			if diff := cmp.Diff(kept, joined); diff != "" {
				t.Fatalf("all fits, but (-kept +joined):\n%s", diff)
			}
		}
	})
}
