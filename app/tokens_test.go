package app

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"cloudmirror"
	"cloudmirror/config"
)

// A fileWorld is a watched file of tokens, in a bubble.
type fileWorld struct {
	t     *testing.T
	file  string
	names []string // of the tokens in use
	uses  int      // how often others were taken
	logs  *observer.ObservedLogs
	watch *tokensWatch
}

// inFileWorld runs do beside a watch of a file with the token of "old".
func inFileWorld(t *testing.T, do func(w *fileWorld)) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		w := &fileWorld{t: t, file: filepath.Join(t.TempDir(), "tokens"), names: []string{"old"}, logs: logs}
		w.write("old:0123456789abcdef\n")
		current, err := config.ReadTokens(w.file)
		if err != nil {
			t.Fatal(err)
		}
		w.watch = &tokensWatch{file: w.file, current: current, logger: zap.New(core), use: func(tokens []cloudmirror.Token) {
			w.names, w.uses = nil, w.uses+1
			for _, t := range tokens {
				w.names = append(w.names, t.Name)
			}
		}}
		go w.watch.run(t.Context())
		w.pass(10) // with a file that does not change
		do(w)
	})
}

func (w *fileWorld) write(text string) {
	if err := os.WriteFile(w.file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// pass lets the watch poll a number of times.
func (w *fileWorld) pass(polls int) {
	time.Sleep(time.Duration(polls) * pollEvery) // the bubble's
	synctest.Wait()
}

func (w *fileWorld) want(uses int, names ...string) {
	w.t.Helper()
	if w.uses != uses || !slices.Equal(w.names, names) {
		w.t.Errorf("tokens of %q after %d changes, want %q after %d", w.names, w.uses, names, uses)
	}
}

const otherTokens = "new:fedcba9876543210\nold:0123456789abcdef\n"

func TestAChangedFileOfTokensIsReadAgain(t *testing.T) {
	inFileWorld(t, func(w *fileWorld) {
		w.want(0, "old")
		w.write(otherTokens)
		w.pass(2)
		w.want(1, "new", "old")
		// As Kubernetes and careful administrators do it, with a file of one size.
		other := w.file + ".new"
		if err := os.WriteFile(other, []byte(strings.Replace(otherTokens, "new", "two", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(other, w.file); err != nil {
			t.Fatal(err)
		}
		w.pass(2)
		w.want(2, "two", "old")
		if n := w.logs.FilterMessage("admin tokens were read again").Len(); n != 2 || w.logs.Len() != 2 {
			t.Errorf("%d lines of success: %v", n, w.logs.All())
		}
		w.write(strings.Replace(otherTokens, "new", "two", 1) + "# the same tokens\n")
		w.pass(2)
		w.want(2, "two", "old")
	})
}

// A writer that is not done is waited for.
func TestAFileOfTokensThatIsBeingWritten(t *testing.T) {
	inFileWorld(t, func(w *fileWorld) {
		for end := range otherTokens {
			w.write(otherTokens[:end])
			w.pass(1)
		}
		w.want(0, "old")
		w.write(otherTokens)
		w.pass(2)
		w.want(1, "new", "old")
		if w.logs.Len() != 1 {
			t.Errorf("the log has %v", w.logs.All())
		}
	})
}

func TestABadFileOfTokensChangesNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(file string) error
		want  string
	}{
		"a bad line": {
			func(file string) error {
				return os.WriteFile(file, []byte("new:fedcba9876543210\nshort-secret\n"), 0o600)
			},
			`tokens:2: admin_tokens_file: *** must be at least 16 visible ASCII characters`,
		},
		"no file": {os.Remove, "no such file or directory"},
		"a directory": {
			func(file string) error { _ = os.Remove(file); return os.Mkdir(file, 0o700) },
			"is a directory",
		},
		"no token": {
			func(file string) error { return os.WriteFile(file, []byte("# none\n"), 0o600) },
			"admin_tokens_file: has no tokens any more; restart to do without",
		},
		"too much": {
			func(file string) error {
				return os.WriteFile(file, []byte(strings.Repeat("fedcba9876543210\n", 1<<20/17+1)), 0o600)
			},
			"is larger than 1MiB",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inFileWorld(t, func(w *fileWorld) {
				if err := tt.spoil(w.file); err != nil {
					t.Fatal(err)
				}
				w.pass(10)
				w.want(0, "old")
				err := w.watch.check(t.Context())
				if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "stay valid") || strings.Contains(err.Error(), "short-secret") {
					t.Errorf("shown is %v, want %s", err, tt.want)
				}
				if lines := w.logs.All(); len(lines) != 1 || lines[0].Level != zap.WarnLevel || !strings.Contains(lines[0].ContextMap()["error"].(string), tt.want) {
					t.Errorf("the log has %v, want one warning", lines)
				}
				if err := os.RemoveAll(w.file); err != nil {
					t.Fatal(err)
				}
				w.write(otherTokens)
				w.pass(2)
				w.want(1, "new", "old")
				if err := w.watch.check(t.Context()); err != nil {
					t.Errorf("shown is %v, and the file is mended", err)
				}
			})
		})
	}
}
