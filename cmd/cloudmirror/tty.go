package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// height returns the lines of the terminal that standard output is; 0 if the
// terminal does not tell. ok is false if standard output is no terminal.
func (t *terminal) height() (lines int, ok bool) {
	file, ok := t.stdout.(*os.File)
	if !ok {
		return 0, false
	}
	size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, false
	}
	return int(size.Row), true
}
