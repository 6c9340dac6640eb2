package main

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"cloudmirror/api"
	"cloudmirror/doctor"
)

// TestEveryHelpFitsATerminal measures the help of every command as it is printed.
func TestEveryHelpFitsATerminal(t *testing.T) {
	w := newWorld(t)
	eachCommand(newTestRoot(), func(command *cobra.Command) {
		args := strings.Fields(command.CommandPath() + " --help")[1:]
		got := w.run(t.Context(), args...)
		if got.status != exitOK || got.stdout == "" {
			t.Errorf("%v: %+v", args, got)
		}
		for line := range strings.Lines(got.stdout) {
			if line = strings.TrimSuffix(line, "\n"); columns(line) > helpColumns {
				t.Errorf("%v: %d columns: %s", args, columns(line), line)
			}
		}
	})
}

func TestHelpIsReflowed(t *testing.T) {
	long := "The first words of a paragraph that has lines which are a bit longer than a terminal is wide.\n" +
		"And more.\n\n  an indented line that is far too long stays as it is, for nothing tells where to break it\n" +
		"- an item of a list that is longer than a line of the help, so that it goes on below itself\n- another"
	want := "The first words of a paragraph that has lines which are a bit longer than a\nterminal is wide. And more.\n\n" +
		"  an indented line that is far too long stays as it is, for nothing tells where to break it\n" +
		"- an item of a list that is longer than a line of the help, so that it goes on\n  below itself\n- another"
	if got := reflowed(long); got != want {
		t.Errorf("%s\nis not\n%s", got, want)
	}
}

func TestExamplesAreBrokenAsShellsReadThem(t *testing.T) {
	example := "  short\n  cloudmirror rewrite --server https://mirror.example.com --header 'a b c d e f g h i j k l m' https://example.com/file.tar.gz"
	want := "  short\n  cloudmirror rewrite --server https://mirror.example.com --header \\\n      'a b c d e f g h i j k l m' https://example.com/file.tar.gz"
	got := fittedExample(example)
	if got != want {
		t.Errorf("%s\nis not\n%s", got, want)
	}
	if joined := strings.ReplaceAll(got, " \\\n", " "); !slices.Equal(shellWords(joined), shellWords(example)) {
		t.Errorf("%s is not the same command", joined)
	}
}

// withoutJSON returns the commands that have no --json, with the reason.
func withoutJSON() map[string]string {
	return map[string]string{
		"cloudmirror":                       "it has commands, and does nothing itself",
		"cloudmirror config":                "it has commands, and does nothing itself",
		"cloudmirror dlq":                   "it has commands, and does nothing itself",
		"cloudmirror serve":                 "a server: its log is JSON by log.format",
		"cloudmirror frontend":              "a server: its log is JSON by log.format",
		"cloudmirror copier":                "a server: its log is JSON by log.format",
		"cloudmirror config example":        "comments are what it is for; config print --json has the values",
		"cloudmirror help":                  "cobra's: text for people",
		"cloudmirror completion":            "cobra's: it has commands",
		"cloudmirror completion bash":       "cobra's: a script",
		"cloudmirror completion fish":       "cobra's: a script",
		"cloudmirror completion powershell": "cobra's: a script",
		"cloudmirror completion zsh":        "cobra's: a script",
	}
}

func TestEveryCommandHasJSON(t *testing.T) {
	root, exempt := newTestRoot(), withoutJSON()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	documented := jsonRows(t)
	eachCommand(root, func(command *cobra.Command) {
		path := command.CommandPath()
		hasFlag := command.Flags().Lookup("json") != nil
		_, isExempt := exempt[path]
		if hasFlag == isExempt {
			t.Errorf("%s: --json %v, and among the commands without it %v", path, hasFlag, isExempt)
		}
		delete(exempt, path)
		name := strings.TrimPrefix(path, "cloudmirror ")
		if _, ok := documented[name]; hasFlag && !ok {
			t.Errorf("docs/operations.md has no row for the JSON of %s", name)
		}
	})
	for path := range exempt {
		t.Errorf("there is no command %s", path)
	}
}

// TestJSONHasTheDocumentedMembers compares the rows of docs/operations.md with what
// is printed. The answers of servers are documented in docs/http.md.
func TestJSONHasTheDocumentedMembers(t *testing.T) {
	lines := map[string][]any{
		"rewrite": {rewriting{}}, "purge": {purging{}}, "verify": {verified{}},
		"provision": {outcomeLine{}}, "doctor": {doctor.Finding{}}, "health": {api.Readiness{}},
		"config check": {checked{}}, "version": {version{}}, "warm": {warmFailure{}, warmResult{}},
	}
	rows := jsonRows(t)
	for name, kinds := range lines {
		var want []string
		for _, line := range kinds {
			want = append(want, members(reflect.TypeOf(line))...)
		}
		slices.Sort(want)
		want = slices.Compact(want)
		for _, member := range want {
			if !strings.Contains(rows[name], "`"+member+"`") {
				t.Errorf("the row of %s has no %s: %s", name, member, rows[name])
			}
		}
		if n := strings.Count(rows[name], "`") / 2; n != len(want) {
			t.Errorf("the row of %s has %d words of code, not the %d members %v: %s", name, n, len(want), want, rows[name])
		}
	}
}

// members returns the names of the members that a struct has as JSON.
func members(s reflect.Type) []string {
	var names []string
	for i := range s.NumField() {
		field := s.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous:
			names = append(names, members(field.Type)...)
		case name != "" && name != "-":
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// jsonRows returns the rows of docs/operations.md on the output for scripts, by
// command.
func jsonRows(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Output for scripts\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := make(map[string]string)
	for line := range strings.Lines(section) {
		if rest, ok := strings.CutPrefix(line, "| `"); ok {
			name, row, _ := strings.Cut(rest, "` | ")
			rows[name] = row
		}
	}
	return rows
}
