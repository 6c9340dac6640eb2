package storage

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// A Provider keeps the copies of one backend. It is the contract that each
// driver fulfils and that storagetest checks, sentence by sentence. It is safe
// for concurrent use.
//
// ErrNotExist is returned only if the storage surely does not hold the key: a
// storage that refuses or cannot be reached is another error, never a miss. A
// copy whose time is over (Info.ExpiresAt) counts as not there, whether or not
// the storage still has its bytes: Put takes its place, with or without Replace.
type Provider interface {
	// Stat describes the copy under key. The errors are ErrNotExist, and
	// whatever keeps the storage from telling.
	Stat(ctx context.Context, key string) (Info, error)

	// Open returns the bytes under key, with the same Info and errors as Stat.
	// The caller closes the body.
	Open(ctx context.Context, key string) (io.ReadCloser, Info, error)

	// Put reads body to its end and stores it under key. Any error of body, and
	// the end of ctx, leaves key as it was, and what was uploaded so far is
	// removed; errors of body are returned wrapped. Unless Replace is set, and
	// where the storage can tell, a key that exists is left alone and
	// ErrExist returned. Memory is bounded whatever the size. Body is not used
	// after Put returns.
	Put(ctx context.Context, key string, body io.Reader, o PutOptions) (Info, error)

	// Delete removes key. A key that does not exist is no error. A copy that a
	// client is reading already may be read to its end.
	Delete(ctx context.Context, key string) error

	// URL returns the address from which clients fetch key with an HTTP method
	// (GET or HEAD), whether or not the key exists. It does not go to the
	// network. Unless it is private, a key's address is the same for every
	// method and as long as the process runs.
	URL(ctx context.Context, key, method string) (Link, error)
}

// PutOptions say how to store a copy.
type PutOptions struct {
	// SizeBytes is the length of the body, or -1 if it is not known. A body of
	// another length is an error.
	SizeBytes int64
	// Header holds the origin's headers to be served with the copy. Only those
	// of KeptHeader count.
	Header http.Header
	// Source is the canonical origin URL. It may hold secrets: drivers keep it
	// only where clients cannot read it.
	Source string
	// ExpiresAt is when the copy need not be kept any longer. Zero: it is kept.
	ExpiresAt time.Time
	// Replace overwrites what is under key.
	Replace bool
}

// Info describes a stored copy.
type Info struct {
	SizeBytes int64
	SHA256    string // of the bytes, lower-case hexadecimal
	StoredAt  time.Time
	// ExpiresAt is when the copy may be gone: the earlier of what Put was told
	// and what the storage itself announces. Zero: it is kept.
	ExpiresAt time.Time
	// Header holds the stored headers of the origin.
	Header http.Header
}

// A Link is an address to which a client can be redirected.
type Link struct {
	URL string
	// Private says that the URL carries a signature, which no cache may keep.
	Private bool
}

// Errors of a Provider that callers tell apart.
var (
	ErrNotExist = errors.New("storage: no such key")
	ErrExist    = errors.New("storage: the key exists")
)
