package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"cloudmirror"
)

// The exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitAbsent = 3 // nothing failed, and there was nothing to purge
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], &terminal{
		environ: os.Environ(), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
	}))
}

// A terminal is what a command has of the world around it, but for files and the
// network.
type terminal struct {
	environ        []string // as os.Environ returns it
	stdin          io.Reader
	stdout, stderr io.Writer
}

// run runs the command that args (without the program's name) asks for, and
// returns the exit status.
func run(ctx context.Context, args []string, t *terminal) int {
	c := &cli{terminal: t}
	root := c.root()                          //nolint:contextcheck // cobra hands the context to the commands
	root.SetArgs(append([]string{}, args...)) // nil would be os.Args
	root.SetIn(t.stdin)
	root.SetOut(t.stdout)
	root.SetErr(t.stderr)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if _, ok := errors.AsType[configError](err); ok {
		fmt.Fprintln(t.stderr, err)
		return exitUsage
	}
	if errors.Is(err, errReported) {
		return exitFailed
	}
	if errors.Is(err, errNothingThere) {
		return exitAbsent
	}
	if _, ok := errors.AsType[usageError](err); ok || !c.started {
		fmt.Fprintf(t.stderr, "cloudmirror: %v\n", err)
		fmt.Fprintf(t.stderr, "Run %q for help.\n", command.CommandPath()+" --help")
		return exitUsage
	}
	fmt.Fprintf(t.stderr, "cloudmirror: %s\n", errorText(err))
	return exitFailed
}

// errorText returns an error as a command tells it on standard error: one line, with
// what a library says as one clause.
func errorText(err error) string { return cloudmirror.Brief(err) }

// A usageError says what is wrong with the command line.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// A configError is what is wrong with the configuration, each on a line.
type configError struct{ error }

// errReported says that something failed of which people were told already.
var errReported = errors.New("failed")
