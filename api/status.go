package api

import (
	"time"

	"cloudmirror"
)

// A Status is the answer of [StatusPrefix]: what is known of a copy.
type Status struct {
	State    string `json:"state"`         // StateAbsent, StatePresent, StatePending or StateError
	URL      string `json:"url,omitempty"` // the canonical origin URL; unknown by a copy's address
	Service  string `json:"service"`
	Region   string `json:"region"`
	Location string `json:"location,omitempty"` // of the copy
	Direct   bool   `json:"direct,omitempty"`   // clients are sent to the origin, whatever the state is

	SizeBytes *int64     `json:"size,omitempty"`
	SHA256    string     `json:"sha256,omitempty"`
	StoredAt  *time.Time `json:"stored_at,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`

	Tries int `json:"tries,omitempty"`
	Progress

	Error *CopyError `json:"error,omitempty"` // why the last try failed
}

// States of a copy in a [Status].
const (
	StateAbsent  = "absent"
	StatePresent = "present"
	StatePending = "pending"
	StateError   = "error"
)

// A CopyError is why the last try to make a copy failed.
type CopyError struct {
	Code      cloudmirror.Code `json:"code"`
	Message   string           `json:"message"`
	Status    int              `json:"status,omitempty"` // the origin's
	Permanent bool             `json:"permanent"`
	RetryAt   *time.Time       `json:"retry_at,omitempty"`
	Cause     string           `json:"cause,omitempty"` // for operators
}

// A Progress is what is known of a copy that is being made. Members that are not
// known are left out.
type Progress struct {
	WaitsFor     string     `json:"waits_for,omitempty"`
	QueuedSince  *time.Time `json:"queued_since,omitempty"`
	DelayedUntil *time.Time `json:"delayed_until,omitempty"`
	WaitsForHost *HostTurns `json:"waits_for_host,omitempty"`
	CopiedBy     string     `json:"copied_by,omitempty"` // the process that has the job; for operators

	DoneBytes      *int64 `json:"done_bytes,omitempty"`
	TotalBytes     *int64 `json:"total_bytes,omitempty"` // only if the origin said
	Percent        *int64 `json:"percent,omitempty"`
	BytesPerSecond *int64 `json:"bytes_per_second,omitempty"`
}

// What a client of a copy that is being made waits for.
const (
	WaitsForCopier  = "copier"  // the job is in its queue, and no copier works on it
	WaitsForDelay   = "delay"   // a copier put the job back, and none gets it before delayed_until
	WaitsForHost    = "host"    // a copier has the job; as many copies of its host run as may
	WaitsForCopy    = "copy"    // a copier asks the origin, or gets bytes
	WaitsForRequest = "request" // its copier is gone, or the job is lost: the next client that asks has it sent again
)

// HostTurns are how many copies of a host run, of which as many run as may.
type HostTurns struct {
	Host     string `json:"host,omitempty"` // scheme, host and port; left out for strangers if it is not the URL's own
	Turns    int    `json:"turns"`          // copies of it that run in the process
	MaxTurns int    `json:"max_turns"`
}
