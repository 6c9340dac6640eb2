package kv

import (
	"context"
	"errors"
	"time"
)

// Bounds that every driver holds.
const (
	// MaxValueBytes is the most that one record holds.
	MaxValueBytes = 1 << 20
	// MaxRecords is the most that one table holds. A Put beyond it removes the
	// records that would vanish first.
	MaxRecords = 1_000
)

// Errors of a Store that callers tell apart.
var (
	// ErrNotFound says that a table has no record with the id.
	ErrNotFound = errors.New("kv: no such record")
	// ErrTooLarge says that a value is longer than MaxValueBytes.
	ErrTooLarge = errors.New("kv: the value is too large")
)

// A Table names the records of one kind: lower-case letters.
type Table string

// A Record is one value of a table.
type Record struct {
	ID    string
	Value []byte
}

// A Store keeps records. It is safe for concurrent use. Other errors than those
// above mean that the store cannot be reached, or refused.
type Store interface {
	// Put stores a value under an id, in place of what was there. It vanishes after
	// life, which is at least a millisecond, on the store's clock. The store does not
	// keep the slice. The error is ErrTooLarge for more than MaxValueBytes.
	Put(ctx context.Context, t Table, id string, value []byte, life time.Duration) error

	// Get returns a value, which is the caller's. The error is ErrNotFound if there
	// is none, or not any more.
	Get(ctx context.Context, t Table, id string) ([]byte, error)

	// List returns all records of a table that have not vanished, ordered by id.
	List(ctx context.Context, t Table) ([]Record, error)

	// Delete removes a record. One that is not there is no error.
	Delete(ctx context.Context, t Table, id string) error
}
