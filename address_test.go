package cloudmirror_test

import (
	"strings"
	"testing"

	"cloudmirror"
)

func TestParseRedirectURL(t *testing.T) {
	const origin = "https://origin.test/a/b.gz?x=1"
	target := parse(t, origin).Target()
	for raw, server := range map[string]string{
		"https://mirror.test/v1/redirect/s3/eu-west-1/" + target:                               "https://mirror.test",
		"HTTPS://Mirror.Test:443/base/v1/redirect/s3/eu-west-1/" + target + "/b.gz?wait=0#x":   "https://mirror.test/base",
		"http://mirror.test:8080/v1/redirect/s3/eu-west-1/" + origin:                           "http://mirror.test:8080",
		"http://mirror.test/v1/redirect/s3/eu-west-1/https:/origin.test/a/b.gz?x=1":            "http://mirror.test",
		"http://mirror.test/v1/redirect/s3/eu-west-1/https%3A%2F%2Forigin.test%2Fa%2Fb.gz?x=1": "http://mirror.test",
	} {
		m, found := cloudmirror.ParseRedirectURL(raw)
		if !found || m.Server != server || m.Backend.String() != "s3/eu-west-1" || m.Object != parse(t, origin) {
			t.Errorf("%s: %+v, %v", raw, m, found)
		}
	}
	for _, raw := range []string{
		"", origin, "mirror.test/v1/redirect/s3/eu-west-1/" + target, "https://mirror.test/v1/redirect/s3/eu-west-1", "https://mirror.test/v1/redirect/S3/eu-west-1/" + target,
		"https://mirror.test/v1/redirect/s3/eu-west-1/", "https://mirror.test/v1/redirect/s3/eu-west-1/x", "https://mirror.test/v1/purge/s3/eu-west-1/" + target,
		"https://origin.test/?to=/v1/redirect/s3/eu-west-1/" + target,
	} {
		if m, found := cloudmirror.ParseRedirectURL(raw); found {
			t.Errorf("%q is read as %+v", raw, m)
		}
	}
}

func TestParseCopyURL(t *testing.T) {
	o := parse(t, "https://origin.test/a%20b/t%C3%A4st+1.gz?x=1")
	for _, address := range []string{
		"https://bucket.s3.amazonaws.com/" + o.Hash() + "/g1/t%C3%A4st+1.gz", "http://h/bucket/prefix/" + o.Hash() + "/g1/t%C3%A4st%2B1.gz?X-Amz-Signature=a/b#x",
		"s3://bucket/" + o.Hash() + "/g1/täst+1.gz", o.StorageKey("g1"),
	} {
		found, g, ok := cloudmirror.ParseCopyURL(address)
		if !ok || found.StorageKey(g) != o.StorageKey("g1") || found.MarkerKey() != o.MarkerKey() || found.Hash() != o.Hash() || found.URL() != "" || found.IsZero() {
			t.Errorf("%s: %v of generation %s, %v", address, found, g, ok)
		}
		if text := found.String(); text != "the copy with hash "+o.Hash() {
			t.Errorf("it is shown as %q", text)
		}
	}
	for _, address := range []string{
		"", o.URL(), o.Hash(), o.Hash() + "/g1", o.MarkerKey(), o.Hash() + "/g1/", o.Hash() + "/G1/x", o.Hash()[1:] + "/g1/x", strings.ToUpper(o.Hash()) + "/g1/x",
		o.Hash() + "/g1/x/y", o.Hash() + "/g1/%2Fx", o.Hash() + "/g1/..", o.Hash() + "/g1/%zz", o.Hash() + "/g1/" + strings.Repeat("x", 201), "https://h/?" + o.Hash() + "/g1/x",
	} {
		if found, g, ok := cloudmirror.ParseCopyURL(address); ok {
			t.Errorf("%q is read as %v of generation %s", address, found, g)
		}
	}
}
