package queue

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"cloudmirror"
)

// Bounds of an order. With the longest URL, and as many unknown members as a job
// keeps, a message stays below the 256 KiB that each SQS queue takes.
const (
	MaxSources     = 16  // each at most cloudmirror.MaxURLBytes long
	MaxReasonBytes = 256 // of Order.Reason
)

// An Order is what the caller that asks for a copy sets of its job. The zero value
// is the order of a waiting client that expects nothing.
type Order struct {
	Sources   Sources   // verified copies from which the object may be read
	SizeBytes int64     // that the copy must have; 0: any
	SHA256    string    // that the copy must have, lower-case hexadecimal; "": any
	ExpiresAt time.Time // until when the copy is wanted; zero: the service's ttl decides
	Priority  Priority
	Reason    string // why the copy is made, for people
}

// A Priority says which jobs a copier begins first. Numbers above Planned, which a
// later version may send, count as Planned.
type Priority int

// The priorities, the most urgent one first.
const (
	Waiting Priority = iota // a client waits for the copy
	Warm                    // an operator's warm job asks for the copy
	Planned                 // a plan asks for the copy
)

// Sources are addresses of copies. They may be signed, so they are never shown: they
// print as their number, as JSON too. An address is printable ASCII without " and \,
// each character of which takes one byte in a message.
type Sources []string

// String returns how many addresses there are.
func (s Sources) String() string { return fmt.Sprintf("%d sources", len(s)) }

// GoString is String.
func (s Sources) GoString() string { return s.String() }

// MarshalText is String.
func (s Sources) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Check returns why o may not be sent, without repeating a source, or nil.
func (o *Order) Check() error {
	if len(o.Sources) > MaxSources {
		return fmt.Errorf("the job names %d sources, at most %d are allowed", len(o.Sources), MaxSources)
	}
	for i, s := range o.Sources {
		if s == "" || len(s) > cloudmirror.MaxURLBytes || strings.ContainsFunc(s, isNoURLByte) {
			return fmt.Errorf("the job's source %d is no address", i)
		}
	}
	switch year := o.ExpiresAt.UTC().Year(); {
	case o.SizeBytes < 0:
		return fmt.Errorf("the job expects %d bytes", o.SizeBytes)
	case o.SHA256 != "" && !isSHA256(o.SHA256):
		return fmt.Errorf("the job's sha256 is not 64 lower-case hexadecimal digits")
	case year < 0 || year > 9999: // RFC 3339 has no form for it, so that Encode would fail
		return fmt.Errorf("the job's copy expires in year %d", year)
	case o.Priority < 0:
		return fmt.Errorf("the job has priority %d", o.Priority)
	case len(o.Reason) > MaxReasonBytes:
		return fmt.Errorf("the job's reason is %d bytes long, at most %d are allowed", len(o.Reason), MaxReasonBytes)
	}
	return nil
}

// isNoURLByte reports whether a character cannot be in an address.
func isNoURLByte(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' }

func isSHA256(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == 64 && s == strings.ToLower(s)
}

// Contradicts reports whether a copy of a size and a SHA-256 is not the expected one.
func (o *Order) Contradicts(sizeBytes int64, sha256 string) bool {
	return o.SizeBytes > 0 && o.SizeBytes != sizeBytes || o.SHA256 != "" && o.SHA256 != sha256
}
