package main

import (
	"runtime/debug"
	"strings"

	"cloudmirror/config"
)

// frontendGCPercent is how much garbage a front end lets pile up, in percent of
// what is live, where the environment has no GOGC. What is live is little, and the
// garbage of 100,000 requests a second much: with Go's default of 100 collecting
// it takes a tenth of the processor. Copiers, and servers that copy as well, keep
// the default: the parts of copies are live, and may be hundreds of MiB.
const frontendGCPercent = 400

// tuneGC sets how often a process of that role collects its garbage.
func tuneGC(role config.Role, environ []string) {
	if percent, ok := gcPercent(role, environ); ok {
		debug.SetGCPercent(percent)
	}
}

// gcPercent returns what tuneGC sets; ok is false if it leaves that to the runtime.
func gcPercent(role config.Role, environ []string) (percent int, ok bool) {
	for _, variable := range environ {
		if value, found := strings.CutPrefix(variable, "GOGC="); found && value != "" {
			return 0, false
		}
	}
	does := role.Capabilities()
	return frontendGCPercent, does.Front && !does.Copy
}
