package cloudmirror_test

import (
	"strings"
	"testing"

	"cloudmirror"
)

func TestParseBackendID(t *testing.T) {
	for _, valid := range []string{"s3/us-east-1", "a/0", "0/a-", strings.Repeat("a", 20) + "/" + strings.Repeat("a", 63)} {
		b, err := cloudmirror.ParseBackendID(valid)
		if err != nil || b.String() != valid {
			t.Errorf("%q: %q, %v", valid, b, err)
		}
	}
	for name, invalid := range map[string]string{
		"nothing": "", "no region": "s3", "empty region": "s3/", "empty service": "/us-east-1",
		"capitals in the service": "S3/us-east-1", "capitals in the region": "s3/US",
		"long service": strings.Repeat("a", 21) + "/a", "long region": "a/" + strings.Repeat("a", 64),
		"hyphen in the service": "s-3/a", "hyphen first in the region": "s3/-a", "slash in the region": "s3/a/b",
		"dead letters": "s3/a-dead", "auto": "s3/auto", "all": "s3/all", "origin": "s3/origin", "star": "s3/*",
		"dots": "s3/..", "percent": "s%33/a", "beyond ASCII": "s3/ü", "underscore": "s3/a_b", "space": "s3/a ",
	} {
		if b, err := cloudmirror.ParseBackendID(invalid); err == nil {
			t.Errorf("%s: %q was accepted as %v", name, invalid, b)
		}
	}
}

func TestNewIDIsValidAsAGenerationAndNeverTheSame(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := cloudmirror.NewID()
		if _, err := cloudmirror.ParseGeneration(id); err != nil || len(id) != 26 || seen[id] {
			t.Fatalf("%q: %v, seen %t", id, err, seen[id])
		}
		seen[id] = true
	}
}
