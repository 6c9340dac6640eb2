package presence

import (
	"encoding/json"
	"strings"

	"cloudmirror/kv"
)

// Bounds of a note. Another process may be of any version, and anything can write to
// a store.
const (
	maxNoteBytes    = 512 << 10 // of the process's own, which leaves something out to fit
	maxNameBytes    = 128
	maxHostBytes    = 300 // scheme, a name of 253 bytes, port
	maxCauseBytes   = 240
	maxBackends     = 1_000
	maxDependencies = 3*maxBackends + 1 // queue, storage and copies of each, and the cache
	maxOutcomes     = 16
	maxCount        = 1 << 40 // of a minute, so that no sum overflows
)

// encode returns a note as the store keeps it. From one that is larger than
// maxNoteBytes it leaves out first which minute counts belong to, then the copies,
// then all counts, and at last the causes.
func encode(n Note) ([]byte, error) {
	value, err := json.Marshal(n)
	for _, shorten := range []func(*Note){
		(*Note).foldMinutes,
		func(n *Note) { n.Copies = nil },
		func(n *Note) { n.Requests = nil },
		func(n *Note) { n.Dependencies = nil },
	} {
		if err != nil || len(value) <= maxNoteBytes {
			break
		}
		shorten(&n)
		value, err = json.Marshal(n)
	}
	return value, err
}

// foldMinutes counts the hour as one minute.
func (n *Note) foldMinutes() {
	folded := make(map[string]map[string]Minutes, len(n.Requests))
	for backend, outcomes := range n.Requests {
		folded[backend] = make(map[string]Minutes, len(outcomes))
		for outcome, counts := range outcomes {
			folded[backend][outcome] = Minutes{counts.Sum()}
		}
	}
	n.Requests = folded
}

// decode returns the note in a record. It is not ok if it is none: not JSON of that
// form, under another id than its own, or without a role.
func decode(r kv.Record) (n Note, ok bool) {
	if len(r.Value) > kv.MaxValueBytes || json.Unmarshal(r.Value, &n) != nil {
		return Note{}, false
	}
	if n.ID == "" || n.ID != r.ID || n.Role == "" {
		return Note{}, false
	}
	n.bound()
	return n, true
}

// bound cuts what is longer than a note may be.
func (n *Note) bound() {
	cutAll(maxNameBytes, &n.Role, &n.Name, &n.Version)
	n.CopiesTo = n.CopiesTo[:min(len(n.CopiesTo), maxBackends)]
	for i := range n.CopiesTo {
		cutAll(maxNameBytes, &n.CopiesTo[i])
	}
	n.Dependencies = n.Dependencies[:min(len(n.Dependencies), maxDependencies)]
	for i := range n.Dependencies {
		cutAll(maxNameBytes, &n.Dependencies[i].Name)
		cutAll(maxCauseBytes, &n.Dependencies[i].Cause)
	}
	n.Copies = n.Copies[:min(len(n.Copies), MaxCopies)]
	for i := range n.Copies {
		c := &n.Copies[i]
		cutAll(maxNameBytes, &c.Object, &c.Backend, (*string)(&c.State))
		cutAll(maxHostBytes, &c.Host)
	}
	if len(n.Requests) > maxBackends {
		n.Requests = nil
	}
	for backend, outcomes := range n.Requests {
		if len(outcomes) > maxOutcomes {
			delete(n.Requests, backend)
		}
		for outcome, counts := range outcomes {
			counts = counts[:min(len(counts), minutesKept)]
			for i := range counts {
				counts[i] = min(counts[i], maxCount)
			}
			outcomes[outcome] = counts
		}
	}
}

// cutAll cuts texts to a number of bytes, between two characters.
func cutAll(most int, texts ...*string) {
	for _, text := range texts {
		if len(*text) > most {
			*text = strings.ToValidUTF8((*text)[:most], "")
		}
	}
}
