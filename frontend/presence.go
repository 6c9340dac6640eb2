package frontend

import (
	"cmp"
	"fmt"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/presence"
)

// counts returns the counters, by outcome.
func (t *tally) counts() map[string]uint64 {
	counts := make(map[string]uint64, outcomes)
	for o := range outcomes {
		counts[o.String()] = t[o].Load()
	}
	return counts
}

// describeProcess returns a note as operators see it.
func describeProcess(n presence.Note) api.Process {
	body := api.Process{
		Role: n.Role, Name: n.Name, Version: n.Version, Started: n.Started,
		CopiesTo: append([]string{}, n.CopiesTo...), Down: []api.Dependency{},
	}
	for _, d := range n.Dependencies {
		if d.Cause != "" {
			body.Down = append(body.Down, api.Dependency(d))
		}
	}
	return body
}

// A deployment is what a front end knows of all processes.
type deployment struct {
	isWatched bool            // by Options.Presence
	notes     []presence.Note // of this process first; empty unless isWatched
	err       error           // why other processes are not known
}

// copiers returns how many processes copy to a backend. Nil: it is not known.
func (d deployment) copiers(backend string) *int {
	if !d.isWatched || d.err != nil {
		return nil
	}
	count := presence.Copiers(d.notes, backend)
	return &count
}

// lastHour adds up what clients of a backend got from all front ends.
func (d deployment) lastHour(backend string) map[string]uint64 {
	sums := make(map[string]uint64, outcomes)
	for o := range outcomes {
		sums[o.String()] = 0
		for _, n := range d.notes {
			sums[o.String()] += n.Requests[backend][o.String()].Sum()
		}
	}
	return sums
}

// copies counts the jobs of a backend that copiers hold.
func (d deployment) copies(backend string) *api.CopyCounts {
	c := new(api.CopyCounts)
	for _, n := range d.notes {
		for _, held := range n.Copies {
			switch {
			case held.Backend != backend:
			case held.State == presence.WaitsForHost:
				c.Waiting++
			default:
				c.Running++
			}
		}
	}
	return c
}

// down returns why a dependency is down for this process, or else for how many of
// the processes that copy to a backend, and why for the first of them. "": it is up.
func (d deployment) down(backend, dependency string) string {
	if len(d.notes) > 0 {
		if own := d.notes[0].Down(dependency); own != "" {
			return own
		}
	}
	failing, copying, cause := presence.Failing(d.notes, backend, dependency)
	if failing == 0 {
		return ""
	}
	return fmt.Sprintf("for %d of %d processes that copy to it: %s", failing, copying, cause)
}

// judge returns the health of a backend, and why it is not ok.
func (d deployment) judge(b *backend, count censusResult) (health, cause string) {
	id := b.id.String()
	if !b.isReachable() {
		return api.HealthRegionUnreachable, cmp.Or(d.down(id, "copies "+id), "clients cannot fetch its copies")
	}
	if count.err != nil {
		return api.HealthQueueUnreachable, cloudmirror.Clause(count.err)
	}
	for _, part := range []struct{ dependency, health string }{
		{"queue " + id, api.HealthQueueUnreachable}, {"storage " + id, api.HealthStorageDown}, {"cache", api.HealthCacheDown},
	} {
		if cause := d.down(id, part.dependency); cause != "" {
			return part.health, cause
		}
	}
	copiers := d.copiers(id)
	switch {
	case copiers != nil && *copiers == 0:
		return api.HealthNoCopier, "no process copies to it"
	case d.err != nil:
		return api.HealthUnknown, "which processes copy to it is not known: " + cloudmirror.Clause(d.err)
	}
	return count.health, ""
}
