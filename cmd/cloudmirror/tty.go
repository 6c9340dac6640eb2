package main

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// height returns the lines of the terminal that standard output is; 0 if the
// terminal does not tell. ok is false if standard output is no terminal.
func (t *terminal) height() (lines int, ok bool) {
	lines, _, ok = screen(t.stdout)
	return lines, ok
}

// canRedraw reports whether standard error is a terminal on which a line can change.
func (t *terminal) canRedraw() bool {
	_, _, ok := screen(t.stderr)
	return ok && !slices.Contains(t.environ, "TERM=dumb")
}

// screen returns the size of the terminal that a stream is; 0 if the terminal does
// not tell. ok is false if it is no terminal.
func screen(stream any) (lines, columns int, ok bool) {
	file, ok := stream.(*os.File)
	if !ok {
		return 0, 0, false
	}
	size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0, false
	}
	return int(size.Row), int(size.Col), true
}
