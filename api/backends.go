package api

import "time"

// An Overview is the answer of [BackendsPath]: the state of a deployment.
type Overview struct {
	Version   string    `json:"version"`
	Backends  []Backend `json:"backends"`
	Processes []Process `json:"processes,omitempty"` // for operators
	// Presence is PresenceOK, or why other processes are not known. Releases without
	// it tell of no copiers, processes and last hour either.
	Presence string `json:"presence"`
}

// Values of [Overview.Presence]. For operators a colon, a space and the cause follow
// PresenceUnknown.
const (
	PresenceOK      = "ok"
	PresenceUnknown = "not known"
)

// A Backend is the state of a service in a region.
type Backend struct {
	Service  string            `json:"service"`
	Region   string            `json:"region"`
	Provider string            `json:"provider"`
	Health   string            `json:"health"`
	Cause    string            `json:"cause,omitempty"` // why it is not ok, for operators
	Copiers  *int              `json:"copiers"`         // processes that copy to it; null: not known
	Queue    *QueueCounts      `json:"queue"`           // null: not known
	Requests map[string]uint64 `json:"requests"`        // to this process since its start, by outcome
	LastHour map[string]uint64 `json:"last_hour"`       // to all processes that are known, by outcome
	Copies   *CopyCounts       `json:"copies"`          // absent only in the answers of older releases
}

// Health of a backend, as far as a front end knows it. A newer release may have more.
const (
	HealthOK                = "ok"
	HealthQueueUnreachable  = "queue-unreachable"
	HealthRegionUnreachable = "region-unreachable" // clients cannot fetch its copies, whatever the state of the queue
	HealthStorageDown       = "storage-down"
	HealthCacheDown         = "cache-down"
	HealthNoCopier          = "no-copier"
	HealthUnknown           = "unknown"
)

// Outcomes of redirect requests, by which they are counted.
const (
	OutcomeHit      = "hit"      // to the copy, which the cache knew
	OutcomeBackfill = "backfill" // to the copy, which storage had
	OutcomeMiss     = "miss"     // to the copy, which was made meanwhile
	OutcomeFallback = "fallback" // to the origin
	OutcomeDenied   = "denied"   // refused: not a URL, not allowed, a loop
	OutcomeError    = "error"    // an error
	OutcomeGone     = "gone"     // the client left before it was answered
	OutcomeDirect   = "direct"   // to the origin of an object that is never copied
)

// QueueCounts are numbers of messages in the queue of a backend.
type QueueCounts struct {
	Ready       int `json:"ready"`
	Delayed     int `json:"delayed"`
	InFlight    int `json:"in_flight"`
	DeadLetters int `json:"dead_letters"`
}

// CopyCounts count the jobs that copiers hold.
type CopyCounts struct {
	Running int `json:"running"`
	Waiting int `json:"waiting"` // for the turn of their origin host
}

// A Process is a process of a deployment.
type Process struct {
	Role     string       `json:"role"`
	Name     string       `json:"name"`
	Version  string       `json:"version"`
	Started  time.Time    `json:"started"`
	CopiesTo []string     `json:"copies_to"` // names of backends
	Down     []Dependency `json:"down"`
}

// A Dependency is one that is down for a process.
type Dependency struct {
	Name  string `json:"name"`
	Cause string `json:"cause"`
}
