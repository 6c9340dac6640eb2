package api

import "strings"

// A Ping is the answer of [PingPath].
type Ping struct {
	Alive  bool  `json:"alive"`
	Uptime int64 `json:"uptime"` // seconds
}

// A Readiness is what [ReadyPath] says, in lines of text. As JSON it is what the
// command `health --json` prints.
type Readiness struct {
	Ready        bool         `json:"ready"` // by the status of the answer
	State        string       `json:"state"` // ready, or starting or draining
	Dependencies []ReadyState `json:"dependencies"`
}

// A ReadyState is a dependency of a process, a line of [ReadyPath].
type ReadyState struct {
	Name  string `json:"name"`
	State string `json:"state"` // ok, not checked yet, or what is wrong
}

// IsDown reports whether something is wrong with the dependency.
func (d ReadyState) IsDown() bool {
	return d.State != "ok" && d.State != "not checked yet" && !strings.HasPrefix(d.State, "not known")
}

// ParseReadiness reads the text of [ReadyPath]. Ready is left to the caller, which
// knows the status.
func ParseReadiness(text string) Readiness {
	state, rest, _ := strings.Cut(strings.TrimSuffix(text, "\n"), "\n")
	r := Readiness{State: state, Dependencies: []ReadyState{}}
	for line := range strings.SplitSeq(rest, "\n") {
		if name, state, found := strings.Cut(line, ": "); found {
			r.Dependencies = append(r.Dependencies, ReadyState{Name: name, State: state})
		}
	}
	return r
}
