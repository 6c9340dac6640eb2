package cache

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"cloudmirror"
)

// codecVersion is the version of the stored form. A reader ignores fields that
// it does not know; a value of another version reads as absent.
const codecVersion = 1

// KeepAfterLapse is how much longer than its lease a pending entry is
// stored, so that the claim or attempt that takes it over finds its job and tries.
const KeepAfterLapse = time.Hour

// wire is an entry as drivers store it, unless it is one for which a line will do
// (line.go): JSON, which an operator can read with redis-cli. Times are
// milliseconds since 1970.
type wire struct {
	Version    int          `json:"v"`
	State      State        `json:"state"`
	Generation string       `json:"gen,omitempty"`
	Until      int64        `json:"until,omitempty"`
	Purged     int64        `json:"purged,omitempty"`
	Job        string       `json:"job,omitempty"`
	Nonce      string       `json:"nonce,omitempty"`
	Attempt    string       `json:"attempt,omitempty"`
	Tries      int          `json:"tries,omitempty"`
	Since      int64        `json:"since,omitempty"`
	DelayedTo  int64        `json:"delayed,omitempty"`
	SizeBytes  int64        `json:"size,omitempty"`
	SHA256     string       `json:"sha256,omitempty"`
	StoredAt   int64        `json:"stored,omitempty"`
	DoneBytes  int64        `json:"done,omitempty"`
	TotalBytes int64        `json:"total,omitempty"`
	Failure    *wireFailure `json:"error,omitempty"`
}

type wireFailure struct {
	Code      cloudmirror.Code `json:"code"`
	Message   string           `json:"message,omitempty"`
	Cause     string           `json:"cause,omitempty"`
	Status    int              `json:"status,omitempty"`
	Permanent bool             `json:"permanent,omitempty"`
	RetryAt   int64            `json:"retry,omitempty"`
}

// Encode returns the stored form of e. Times lose what is below a millisecond.
func (e Entry) Encode() string {
	var stack [128]byte
	if line, ok := e.appendLine(stack[:0]); ok {
		return string(line)
	}
	return e.encodeJSON()
}

func (e Entry) encodeJSON() string {
	w := wire{
		Version: codecVersion, State: e.wireState(), Generation: string(e.Generation), Until: milliseconds(e.Until),
		Purged: milliseconds(e.PurgedUntil), Job: e.Job, Nonce: e.Nonce, Attempt: e.Attempt, Tries: e.Tries,
		SizeBytes: e.Copy.SizeBytes, SHA256: e.Copy.SHA256, StoredAt: milliseconds(e.Copy.StoredAt),
		DoneBytes: e.Progress.DoneBytes, TotalBytes: e.Progress.TotalBytes,
	}
	if q := e.Queueing; q != nil {
		w.Since, w.DelayedTo = milliseconds(q.Since), milliseconds(q.DelayedTo)
	}
	if f := e.Failure; f != nil {
		w.Failure = &wireFailure{
			Code: f.Code, Message: f.Message, Cause: f.Cause, Status: f.Status,
			Permanent: f.Permanent, RetryAt: milliseconds(f.RetryAt),
		}
	}
	encoded, err := json.Marshal(w)
	if err != nil { // a struct of strings and numbers always encodes
		panic(fmt.Sprintf("cache: encode an entry: %v", err))
	}
	return string(encoded)
}

// Decode reads what Encode wrote. The error says what is wrong with the value.
func Decode(stored string) (Entry, error) {
	if strings.HasPrefix(stored, linePrefix) {
		return decodeLine(stored)
	}
	var w wire
	if err := json.Unmarshal([]byte(stored), &w); err != nil {
		return Entry{State: Absent}, fmt.Errorf("cache: decode an entry: %w", err)
	}
	if w.Version != codecVersion {
		return Entry{State: Absent}, fmt.Errorf("cache: decode an entry: version %d, want %d", w.Version, codecVersion)
	}
	switch w.State {
	case Queued, Copying, Present, Failed, Tombstone, Evicting:
	default:
		return Entry{State: Absent}, fmt.Errorf("cache: decode an entry: unknown state %q", w.State)
	}
	g, err := cloudmirror.ParseGeneration(w.Generation)
	if err != nil {
		return Entry{State: Absent}, fmt.Errorf("cache: decode an entry: %w", err)
	}
	if w.State == Failed && w.Failure == nil {
		return Entry{State: Absent}, fmt.Errorf("cache: decode an entry: state %s without its reason", Failed)
	}
	e := Entry{
		State: w.entryState(), Generation: g, Until: fromMilliseconds(w.Until),
		PurgedUntil: fromMilliseconds(w.Purged), Job: w.Job, Nonce: w.Nonce, Attempt: w.Attempt, Tries: w.Tries,
		Copy:     Copy{SizeBytes: w.SizeBytes, SHA256: w.SHA256, StoredAt: fromMilliseconds(w.StoredAt)},
		Progress: Progress{DoneBytes: w.DoneBytes, TotalBytes: w.TotalBytes},
	}
	if w.Since != 0 {
		e.Queueing = &Queueing{Since: fromMilliseconds(w.Since), DelayedTo: fromMilliseconds(w.DelayedTo)}
	}
	if f := w.Failure; f != nil {
		e.Failure = &FailedTry{
			Code: f.Code, Message: f.Message, Cause: f.Cause, Status: f.Status,
			Permanent: f.Permanent, RetryAt: fromMilliseconds(f.RetryAt),
		}
	}
	return e, nil
}

// wireState returns what the state is called in the stored form. Releases before the
// states Reserved and Fenced had names tell them by a field: a reservation is queued
// and has a nonce, a fence is a tombstone and has an id. They and this one read each
// other's entries.
func (e Entry) wireState() State {
	switch e.State {
	case Reserved:
		return Queued
	case Fenced:
		return Tombstone
	case Absent, Queued, Copying, Present, Failed, Tombstone, Evicting:
	}
	return e.State
}

// entryState is the reverse of wireState.
func (w *wire) entryState() State {
	switch {
	case w.State == Queued && w.Nonce != "":
		return Reserved
	case w.State == Tombstone && w.Job != "":
		return Fenced
	}
	return w.State
}

// KeepFor returns how long a store must keep the entry from now on: until it
// says nothing any more. Drivers use it as the time to live of the stored value.
func (e Entry) KeepFor(now time.Time) time.Duration {
	keep := e.Until.Sub(now)
	if e.Pending() {
		keep += KeepAfterLapse
	}
	return max(keep, e.PurgedUntil.Sub(now))
}

func milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMilliseconds(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
