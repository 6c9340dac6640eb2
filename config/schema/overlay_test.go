package schema_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudmirror/config/schema"
)

func TestVariablesAreThoseOfSingleValues(t *testing.T) {
	want := []string{"A_CACHE_BUCKET", "A_CACHE_CREATE", "A_CACHE_TYPE", "A_COPIER_CONCURRENCY", "A_DATA_DIR", "A_LISTEN", "A_LOG_LEVEL"}
	if diff := cmp.Diff(want, newSample().keys().Variables("A_")); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
}

func TestTheEnvironmentWinsOverTheFile(t *testing.T) {
	s, sources := read(t, "listen: :1\ncopier: {concurrency: 2}\ndata_dir: d\n")
	unknown, problems := s.keys().ReadEnvironment("A_", []string{
		"A_ZZ=1", "A_LISTEN=:2", "LISTEN=:3", "A_DATA_DIR=", "A_COPIER_CONCURRENCY=0", "A_TOKENS=abc", "A_a b=1",
	}, sources)
	if diff := cmp.Diff([]string{"A_TOKENS", "A_ZZ", `"A_a b"`}, unknown); diff != "" {
		t.Errorf("unknown (-want +got):\n%s", diff)
	}
	want := `environment variable A_COPIER_CONCURRENCY: copier.concurrency: "0" must be a whole number from 1 to 1000`
	if diff := cmp.Diff(want, errors.Join(problems...).Error()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if s.Listen != ":2" || s.DataDir != "d" || s.Concurrency != 2 {
		t.Errorf("%+v", s)
	}
	if got := sources["listen"]; got != "environment variable A_LISTEN" {
		t.Errorf("listen was set at %q", got)
	}
}

func TestSet(t *testing.T) {
	s := newSample()
	if err := s.keys().Set("log.level", "debug"); err != nil || s.LogLevel != "debug" {
		t.Errorf("level %q, error %v", s.LogLevel, err)
	}
	for path, want := range map[string]string{
		"log.level": `"" must be info or debug`,
		"log":       "log is not a key of one value",
		"tokens":    "tokens is not a key of one value",
	} {
		if err := s.keys().Set(path, ""); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}

func TestAProblemIsWhereTheNearestSectionWasSet(t *testing.T) {
	_, sources := read(t, "\nservices:\n  a:\n    ports:\n    - 1\n    - 2\n")
	for path, want := range map[string]string{
		"services.a.ports[1]": "a.yaml:6: services.a.ports[1]: is 7",
		"services.a.ports[9]": "a.yaml:4: services.a.ports[9]: is 7",
		"services.a.wait":     "a.yaml:3: services.a.wait: is 7",
		"services.b.wait":     "a.yaml:2: services.b.wait: is 7",
		"log.level":           "a.yaml:2: log.level: is 7", // the mapping of the file begins there
		"":                    "a.yaml:2: is 7",
	} {
		if got := sources.Problem(path, "is %d", 7).Error(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if !sources.IsSet("services.a.ports") || sources.IsSet("services.a.wait") {
		t.Errorf("sources %v", sources)
	}
	if got := make(schema.Sources).Problem("a", "is bad").Error(); got != ": a: is bad" {
		t.Errorf("without any source: %s", got)
	}
}
