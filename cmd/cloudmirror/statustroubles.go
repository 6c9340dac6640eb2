package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"cloudmirror"
	"cloudmirror/api"
)

// A troubleKind is a kind of what can be wrong with a deployment, the worst first.
type troubleKind int

const (
	cacheDown troubleKind = iota
	regionDown
	storageDown
	noCopier
	queueDown
	dependencyDown
	notReady
	healthOther
	processesUnknown
	deadLetters
)

// A trouble is something that is wrong.
type trouble struct {
	kind  troubleKind
	of    []string // the names of backends, dependencies or, of notReady and the like, of states
	cause string   // "": not known
	next  string   // the command to run; "": none
}

// String says what is wrong, as a clause.
func (t *trouble) String() string {
	const shown = 3
	names := make([]string, min(shown, len(t.of)))
	copy(names, t.of)
	of := strings.Join(names, ", ")
	if more := len(t.of) - shown; more > 0 {
		of = fmt.Sprintf("%s and %d more", of, more)
	}
	return strings.ReplaceAll([...]string{
		cacheDown:        "the cache is down",
		regionDown:       "clients cannot fetch copies from %",
		storageDown:      "the storage of % is down",
		noCopier:         "no copier serves %",
		queueDown:        "the queue of % is unreachable",
		dependencyDown:   "something is wrong with %",
		notReady:         "the front end is %",
		healthOther:      "the health of % is not known",
		processesUnknown: "the other processes are not known",
		deadLetters:      "dead letters wait in %",
	}[t.kind], "%", of)
}

// troubles returns what is wrong, the worst first. What several parts tell of the
// same dependency is one trouble.
func (r *report) troubles() []trouble {
	found := make(map[string]*trouble) // by the name of the dependency
	var all []*trouble
	add := func(name string, t trouble) {
		if before := found[name]; before != nil && name != "" {
			before.cause = cmp.Or(before.cause, t.cause)
			return
		}
		found[name] = &t
		all = append(all, &t)
	}
	for i := range r.Backends {
		if name, t, isWrong := r.troubleOf(&r.Backends[i]); isWrong {
			add(name, t)
		}
	}
	for _, d := range r.ready.Dependencies {
		if d.IsDown() {
			add(d.Name, r.dependencyTrouble(d.Name, d.State))
		}
	}
	for _, p := range r.Processes {
		for _, d := range p.Down {
			add(d.Name, r.dependencyTrouble(d.Name, d.Cause))
		}
	}
	for _, t := range append(r.troublesOfServer(), r.deadLetterTroubles()...) {
		add("", t)
	}
	return merged(all)
}

// troubleOf returns what is wrong with a backend, and the name that /readyz gives the
// dependency.
func (r *report) troubleOf(b *api.Backend) (name string, t trouble, isWrong bool) {
	t = trouble{of: []string{backendName(b)}, cause: b.Cause, next: "cloudmirror doctor" + r.configFlag()}
	switch b.Health {
	case api.HealthOK:
		return "", t, false
	case api.HealthCacheDown:
		t.kind = cacheDown
		return "cache", t, true
	case api.HealthRegionUnreachable:
		t.kind, name = regionDown, "copies "
	case api.HealthStorageDown:
		t.kind, name = storageDown, "storage "
	case api.HealthNoCopier:
		t.kind, name = noCopier, "copiers "
	case api.HealthQueueUnreachable:
		t.kind, name = queueDown, "queue "
	default:
		t.kind, name = healthOther, "backend "
		if b.Health != api.HealthUnknown {
			t.cause = cmp.Or(t.cause, b.Health)
		}
	}
	return name + b.Service + "/" + b.Region, t, true
}

// dependencyTrouble returns the trouble of a dependency by its name.
func (r *report) dependencyTrouble(name, cause string) trouble {
	t := trouble{kind: dependencyDown, of: []string{cloudmirror.Plain(name)}, cause: cause, next: "cloudmirror doctor" + r.configFlag()}
	kind, backend, found := strings.Cut(name, " ")
	kinds := map[string]troubleKind{"copies": regionDown, "storage": storageDown, "copiers": noCopier, "queue": queueDown}
	if k, ok := kinds[kind]; ok && found {
		t.kind, t.of = k, []string{cloudmirror.Plain(backend)}
	}
	if name == "cache" {
		t.kind = cacheDown
	}
	return t
}

// troublesOfServer returns what is wrong with the front end that answered.
func (r *report) troublesOfServer() []trouble {
	var all []trouble
	if r.notReady == nil && !r.ready.Ready {
		all = append(all, trouble{kind: notReady, of: []string{cloudmirror.Plain(r.ready.State)}, next: "cloudmirror status " + r.flags + "--watch"})
	}
	if r.Presence != api.PresenceOK && !r.isOlder() {
		_, cause, _ := strings.Cut(r.Presence, api.PresenceUnknown+": ")
		all = append(all, trouble{kind: processesUnknown, cause: cause, next: "cloudmirror doctor" + r.configFlag()})
	}
	return all
}

// deadLetterTroubles returns the dead letters of each backend.
func (r *report) deadLetterTroubles() []trouble {
	var all []trouble
	for i := range r.Backends {
		if b := &r.Backends[i]; b.Queue != nil && b.Queue.DeadLetters > 0 {
			cause := fmt.Sprintf("%d of them", b.Queue.DeadLetters)
			next := "cloudmirror dlq ls " + r.flags + "--service " + quoted(b.Service) + " --region " + quoted(b.Region)
			all = append(all, trouble{kind: deadLetters, of: []string{backendName(b)}, cause: cause, next: next})
		}
	}
	return all
}

// configFlag returns the flag that names the configuration, with a space before it.
func (r *report) configFlag() string {
	if r.config == "" {
		return ""
	}
	return " --config " + quoted(r.config)
}

// merged returns the troubles, the worst first. Those that differ only in the backend
// are one.
func merged(all []*trouble) []trouble {
	var some []trouble
	for _, t := range all {
		i := slices.IndexFunc(some, func(s trouble) bool { return s.kind == t.kind && s.cause == t.cause && s.next == t.next })
		if i < 0 {
			some = append(some, *t)
		} else {
			some[i].of = append(some[i].of, t.of...)
		}
	}
	slices.SortStableFunc(some, func(a, b trouble) int { return cmp.Compare(a.kind, b.kind) })
	return some
}
