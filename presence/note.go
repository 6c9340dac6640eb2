package presence

import (
	"cmp"
	"slices"
	"time"
)

// How often a process notes that it is there, and after how long a silent one is
// taken for gone.
const (
	Interval = 2 * time.Second
	Life     = 10 * time.Second
)

// MaxCopies bounds the copies that one Note tells of. A copier that holds more
// tells of those that it has held longest.
const MaxCopies = 200

// A Note is what one process says of itself.
type Note struct {
	ID      string    `json:"id"`   // random, for the life of the process
	Role    string    `json:"role"` // as config.Role has it
	Name    string    `json:"name"` // of the machine, and the process id: for people
	Version string    `json:"version"`
	Started time.Time `json:"started"`

	// CopiesTo are the backends whose jobs the process works on, such as
	// s3/eu-west-1.
	CopiesTo []string `json:"copies_to,omitempty"`
	// Dependencies are all that the process needs, by name.
	Dependencies []Dependency `json:"dependencies,omitempty"`
	// Copies are those that the process holds, the longest first; at most MaxCopies.
	Copies []Copy `json:"copies,omitempty"`
	// Requests are the redirects that the process answered in the last hour, by
	// backend and outcome.
	Requests map[string]map[string]Minutes `json:"requests,omitempty"`
}

// Minutes are the counts of up to 60 minutes, the current one first. What is behind
// the last element is 0.
type Minutes []uint64

// A Dependency is a part that a process needs: the cache, or the queue or storage
// of a backend.
type Dependency struct {
	Name  string `json:"name"`            // as /readyz shows it: cache, queue s3/eu-west-1, …
	Cause string `json:"cause,omitempty"` // why it is down; "": it is up
}

// A CopyState says what a copier does with a job that it holds.
type CopyState string

// The states of a copy.
const (
	// WaitsForHost says that MaxTurns copies of the host run, and the job waits for
	// one of them to end.
	WaitsForHost CopyState = "waits-for-host"
	// Copying says that the origin is asked, or that bytes come.
	Copying CopyState = "copying"
)

// A Copy is a job that a copier holds.
type Copy struct {
	Object  string    `json:"object"`  // the hash of its URL, as cloudmirror.Object.Hash has it
	Backend string    `json:"backend"` // such as s3/eu-west-1
	State   CopyState `json:"state"`
	Since   time.Time `json:"since"` // when the state began

	Host     string `json:"host"`                // scheme, host and port that is asked, or waited for
	Turns    int    `json:"turns,omitempty"`     // copies of the host that run in the process
	MaxTurns int    `json:"max_turns,omitempty"` // limits.copies_per_host; 0: no limit

	DoneBytes      int64 `json:"done_bytes"`
	TotalBytes     int64 `json:"total_bytes"`      // -1: the origin did not say, or not yet
	BytesPerSecond int64 `json:"bytes_per_second"` // of late
}

// CopiesToBackend reports whether the process works on the jobs of a backend.
func (n Note) CopiesToBackend(backend string) bool { return slices.Contains(n.CopiesTo, backend) }

// Failing returns for how many of the processes that copy to a backend a dependency
// is down, how many these processes are, and why for the first of them.
func Failing(notes []Note, backend, dependency string) (failing, copying int, cause string) {
	for _, n := range notes {
		if !n.CopiesToBackend(backend) {
			continue
		}
		copying++
		if why := n.Down(dependency); why != "" {
			failing++
			cause = cmp.Or(cause, why)
		}
	}
	return failing, copying, cause
}

// Down returns why a dependency is down for the process. "": it is up, or the process
// does not need it.
func (n Note) Down(dependency string) string {
	for _, d := range n.Dependencies {
		if d.Name == dependency {
			return d.Cause
		}
	}
	return ""
}

// Copiers returns how many of the processes work on the jobs of a backend.
func Copiers(notes []Note, backend string) (count int) {
	for _, n := range notes {
		if n.CopiesToBackend(backend) {
			count++
		}
	}
	return count
}
