package main

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.uber.org/goleak"
)

// asProgram makes this test binary the program itself, for the tests that send
// signals to it.
const asProgram = "BE_CLOUDMIRROR"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// A result is what a run of the program came to.
type result struct {
	status         int
	stdout, stderr string
}

// A world is a terminal for runs of the program in a directory of their own.
type world struct {
	stdin   string
	environ []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Chdir(t.TempDir())
	return &world{}
}

func (w *world) run(ctx context.Context, args ...string) result {
	var stdout, stderr strings.Builder
	status := run(ctx, args, &terminal{
		environ: w.environ, stdin: strings.NewReader(w.stdin), stdout: &stdout, stderr: &stderr,
	})
	return result{status: status, stdout: stdout.String(), stderr: stderr.String()}
}

// write stores a file in the working directory.
func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestExitStatus(t *testing.T) {
	w := newWorld(t)
	write(t, "bad.yaml", "listen: 8080\nservices: {}\n")
	tests := map[string]struct {
		args   []string
		status int
		stderr string
	}{
		"no arguments show the help": {nil, 0, ""},
		"an unknown command":         {[]string{"bogus"}, 2, "unknown command \"bogus\""},
		"a command misspelled":       {[]string{"purgee"}, 2, "Did you mean this?\n\tpurge"},
		"an unknown flag":            {[]string{"rewrite", "--bogus", "x"}, 2, "unknown flag: --bogus\nRun \"cloudmirror rewrite --help\" for help.\n"},
		"a missing argument":         {[]string{"purge"}, 2, "requires at least 1 arg"},
		"an argument too many":       {[]string{"version", "x"}, 2, "unknown command \"x\""},
		"config alone":               {[]string{"config"}, 2, "one of check, print and example"},
		"an unknown config command":  {[]string{"config", "chekc"}, 2, "unknown command \"chekc\""},
		"a configuration that is not there": {
			args: []string{"config", "check", "--config", "nowhere.yaml"}, status: 2,
			stderr: "the configuration cannot be read: open nowhere.yaml: no such file or directory\n",
		},
		"a bad configuration": {
			[]string{"status", "--config", "bad.yaml", "https://example.com/"},
			2,
			"bad.yaml:1: listen: \"8080\" must be host:port, such as 127.0.0.1:8080 or :8080\n",
		},
		"a bad flag of serve": {[]string{"serve", "--allow", "^ftp://"}, 2, "--allow: \"^ftp://\" must begin with ^https://, ^http:// or ^https?://\n"},
		"a front end on memory": {
			[]string{"frontend"}, 2, "the defaults: cache.type: \"memory\" works within one process only: frontend needs redis",
		},
		"a copier on memory": {[]string{"copier"}, 2, "copier needs sqs"},
		"a copier for a backend that is none": {
			[]string{"copier", "--backend", "s3/nowhere-1"},
			2,
			"--backend: copier.backends[0]: \"s3/nowhere-1\" must be a backend",
		},
		"a URL that is none": {[]string{"rewrite", "ftp://example.com/"}, 1, "cloudmirror: ftp://example.com/: the URL must begin with http:// or https://\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := w.run(t.Context(), test.args...)
			if got.status != test.status || !strings.Contains(got.stderr, test.stderr) {
				t.Errorf("status %d, not %d; standard error:\n%s\nis not:\n%s", got.status, test.status, got.stderr, test.stderr)
			}
			if (got.stdout == "") != (test.status != 0) {
				t.Errorf("standard output %q", got.stdout)
			}
		})
	}
}

func TestEveryCommandIsDocumented(t *testing.T) {
	eachCommand(newTestRoot(), func(command *cobra.Command) {
		for what, text := range map[string]string{"Short": command.Short, "Long": command.Long, "Example": command.Example} {
			if text == "" && (what != "Example" || command.HasParent()) {
				t.Errorf("%s has no %s", command.CommandPath(), what)
			}
		}
		command.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s is not explained", command.CommandPath(), f.Name)
			}
		})
	})
}

// TestEveryExampleIsUnderstood runs the command lines of all examples up to
// where the command itself would begin.
func TestEveryExampleIsUnderstood(t *testing.T) {
	eachCommand(newTestRoot(), func(command *cobra.Command) {
		for line := range strings.SplitSeq(strings.ReplaceAll(command.Example, " \\\n", " "), "\n") {
			if line == "" {
				continue
			}
			args := shellWords(line)
			for len(args) > 0 && strings.HasPrefix(args[0], "CLOUDMIRROR_") {
				args = args[1:]
			}
			if len(args) == 0 || args[0] != "cloudmirror" {
				t.Errorf("%q does not run cloudmirror", line)
				continue
			}
			found, rest, err := newTestRoot().Find(args[1:])
			if err == nil {
				err = found.ParseFlags(rest)
			}
			if err == nil {
				err = found.ValidateArgs(found.Flags().Args())
			}
			if err != nil {
				t.Errorf("%q: %v", line, err)
			}
			if found.CommandPath() != command.CommandPath() && found.Parent().CommandPath() != command.CommandPath() {
				t.Errorf("%q is an example of another command than %s", line, command.CommandPath())
			}
		}
	})
}

func newTestRoot() *cobra.Command {
	return (&cli{terminal: &terminal{}}).root()
}

func eachCommand(command *cobra.Command, do func(*cobra.Command)) {
	do(command)
	for _, child := range command.Commands() {
		eachCommand(child, do)
	}
}

// shellWords splits a line as a shell does that knows single quotes, and leaves
// redirections out.
func shellWords(line string) []string {
	line, _, _ = strings.Cut(line, " < ")
	line, _, _ = strings.Cut(line, " > ")
	var words []string
	for _, word := range regexp.MustCompile(`(?:'[^']*'|[^\s'])+`).FindAllString(line, -1) {
		words = append(words, strings.ReplaceAll(word, "'", ""))
	}
	return words
}
