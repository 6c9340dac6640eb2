package e2e_test

import (
	"os"
	"testing"

	"cloudmirror/test/servers"
)

// binary is the path of the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	var flags []string
	if raceEnabled {
		flags = append(flags, "-race")
	}
	os.Exit(servers.RunWithProgram(m, &binary, flags...))
}
