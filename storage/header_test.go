package storage_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudmirror/storage"
)

func TestKeptHeader(t *testing.T) {
	cases := map[string]struct{ origin, want http.Header }{
		"what describes the object is kept": {
			http.Header{
				"Content-Type": {"text/plain"}, "Content-Encoding": {"gzip"}, "Content-Disposition": {"attachment"},
				"Content-Language": {"de"}, "Cache-Control": {"no-cache"}, "Last-Modified": {"Wed, 21 Oct 2015 07:28:00 GMT"},
			},
			http.Header{
				"Content-Type": {"text/plain"}, "Content-Encoding": {"gzip"}, "Content-Disposition": {"attachment"},
				"Content-Language": {"de"}, "Cache-Control": {"no-cache"}, "Last-Modified": {"Wed, 21 Oct 2015 07:28:00 GMT"},
			},
		},
		"what speaks of the answer or the origin is not": {
			http.Header{
				"Set-Cookie": {"a=b"}, "Etag": {`"x"`}, "Content-Length": {"5"}, "Date": {"now"}, "Server": {"x"},
				"Content-Security-Policy": {"x"}, "Location": {"/"}, "Expires": {"0"}, "Transfer-Encoding": {"chunked"}, "X-Amz-Meta": {"x"},
			},
			http.Header{},
		},
		"the origin's own metadata is kept": {
			http.Header{"X-Amz-Meta-Build": {"7"}}, http.Header{"X-Amz-Meta-Build": {"7"}},
		},
		"metadata in any case is kept under its canonical name": {
			http.Header{"x-amz-meta-BUILD": {"7"}, "content-type": {"a/b"}},
			http.Header{"X-Amz-Meta-Build": {"7"}, "Content-Type": {"a/b"}},
		},
		"metadata under our prefix is not": {
			http.Header{"X-Amz-Meta-Cloudmirror-Sha256": {"forged"}, "x-amz-meta-cloudmirror-expires": {"forged"}}, http.Header{},
		},
		"the first of several values counts": {
			http.Header{"Content-Type": {"a/b", "c/d"}}, http.Header{"Content-Type": {"a/b"}},
		},
		"a name without values is not kept": {http.Header{"Content-Type": nil}, http.Header{}},
		"what HTTP does not allow is left out": {
			http.Header{
				"X-Amz-Meta-Lines": {"a\r\nb: c"}, "X-Amz-Meta-A B": {"x"}, "X-Amz-Meta-Größe": {"x"},
				"X-Amz-Meta-Bytes": {"\xff"}, "Content-Type": {"a/b\x00"}, "X-Amz-Meta-Tab": {"a\tb"}, "X-Amz-Meta-Name": {"größe"},
			},
			http.Header{"X-Amz-Meta-Tab": {"a\tb"}, "X-Amz-Meta-Name": {"größe"}},
		},
		"metadata that is too large is left out, the rest is not": {
			http.Header{
				"Content-Type": {"a/b"}, "X-Amz-Meta-A": {strings.Repeat("a", storage.MaxHeaderBytes)}, "X-Amz-Meta-B": {"b"},
				"X-Amz-Meta-C": {strings.Repeat("c", storage.MaxHeaderBytes-len("Content-Typea/bX-Amz-Meta-BbX-Amz-Meta-C"))}, "X-Amz-Meta-D": {""},
			},
			http.Header{
				"Content-Type": {"a/b"}, "X-Amz-Meta-B": {"b"},
				"X-Amz-Meta-C": {strings.Repeat("c", storage.MaxHeaderBytes-len("Content-Typea/bX-Amz-Meta-BbX-Amz-Meta-C"))},
			},
		},
		"a standard header that is too large is left out, the rest is not": {
			http.Header{
				"Content-Type":  {"a/b;c=" + strings.Repeat("d", storage.MaxStandardValueBytes-len("a/b;c=")+1)},
				"Cache-Control": {strings.Repeat("a", storage.MaxStandardValueBytes)}, "X-Amz-Meta-A": {strings.Repeat("a", storage.MaxStandardValueBytes+1)},
			},
			http.Header{
				"Cache-Control": {strings.Repeat("a", storage.MaxStandardValueBytes)}, "X-Amz-Meta-A": {strings.Repeat("a", storage.MaxStandardValueBytes+1)},
			},
		},
		"of standard headers that are too large together, those without which bytes mean nothing stay": {
			http.Header{
				"Cache-Control": {strings.Repeat("a", 800)}, "Content-Disposition": {strings.Repeat("b", 800)}, "Content-Encoding": {"gzip"}, "Content-Type": {"a/b"},
			},
			http.Header{"Content-Disposition": {strings.Repeat("b", 800)}, "Content-Encoding": {"gzip"}, "Content-Type": {"a/b"}},
		},
		"tabs and spaces around are no part of a standard header": {
			http.Header{"Cache-Control": {" public,\tno-cache "}}, http.Header{"Cache-Control": {"public, no-cache"}},
		},
		"a standard header that is empty or no ASCII is left out": {
			http.Header{"Content-Type": {""}, "Content-Language": {"größe"}, "Cache-Control": {"größe"}, "Last-Modified": {"heute früh"}, "Content-Encoding": {" "}}, http.Header{},
		},
		"a content type loses parameters that are no ASCII": {
			http.Header{"Content-Type": {`text/plain; charset=utf-8; name="größe"`}}, http.Header{"Content-Type": {"text/plain; charset=utf-8"}},
		},
		"a content type with parameters that are none loses them": {
			http.Header{"Content-Type": {`text/plain; name=größe`}}, http.Header{"Content-Type": {"text/plain"}},
		},
		"a content type that is none is left out": {http.Header{"Content-Type": {"größe"}}, http.Header{}},
		"no headers at all":                       {nil, http.Header{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			kept := storage.KeptHeader(c.origin)
			if diff := cmp.Diff(c.want, kept); diff != "" {
				t.Errorf("KeptHeader (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(kept, storage.KeptHeader(kept)); diff != "" {
				t.Errorf("KeptHeader of what it returned (-first +second):\n%s", diff)
			}
		})
	}
}

func TestKeptHeaderIsACopy(t *testing.T) {
	origin := http.Header{"Content-Type": {"a/b", "c/d"}}
	kept := storage.KeptHeader(origin)
	kept.Set("Content-Type", "changed")
	kept.Add("Content-Type", "more")
	if diff := cmp.Diff(http.Header{"Content-Type": {"a/b", "c/d"}}, origin); diff != "" {
		t.Errorf("the origin's headers changed (-want +got):\n%s", diff)
	}
}
