package storagetest

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"cloudmirror/storage"
)

// A Harness is how a driver's own test runs the suite.
type Harness struct {
	// New returns an empty storage of its own for one test.
	New func(t *testing.T) Storage

	// Broken returns providers whose storage refuses or cannot be reached, by
	// what is wrong with them.
	Broken map[string]func(t *testing.T) storage.Provider

	// Client fetches public URLs, as a stranger would. It must not decode
	// bodies (http.Transport.DisableCompression).
	Client *http.Client

	// PartBytes is the size at which the driver begins to split bodies, and that
	// of the sections for which it asks.
	PartBytes int64

	// Skip gives, for each test that the driver cannot pass, the reason.
	Skip map[string]string
}

// A Storage is one empty storage under test.
type Storage struct {
	Provider storage.Provider

	// Contents lists everything that the storage holds: copies, metadata,
	// temporary files, unfinished uploads. Order does not matter.
	Contents func(t *testing.T) []string

	// Advance moves the provider's clock on.
	Advance func(time.Duration)
}

// A fixture is what each test gets.
type fixture struct {
	Storage
	client    *http.Client
	partBytes int64
	broken    map[string]func(t *testing.T) storage.Provider
}

type namedTest struct {
	name string
	run  func(t *testing.T, f *fixture)
}

// Run runs the suite, each test in a subtest named by what is promised.
func Run(t *testing.T, h Harness) {
	tests := slices.Concat(readTests(), writeTests(), failureTests(), sectionTests(), urlTests(), concurrencyTests())
	for name := range h.Skip {
		if !slices.ContainsFunc(tests, func(test namedTest) bool { return test.name == name }) {
			t.Errorf("Skip names %q, which is no test of the suite", name)
		}
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if reason, skipped := h.Skip[test.name]; skipped {
				t.Skipf("not asked of this driver: %s", reason)
			}
			test.run(t, &fixture{Storage: h.New(t), client: h.Client, partBytes: h.PartBytes, broken: h.Broken})
		})
	}
}
