package storage

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"time"
)

// ProbeKey is the key that probes read and write, which no object has. It has the
// form of a purge's marker, which every role may write and remove.
const ProbeKey = "0000000000000000000000000000000000000000000000000000000000000000/generation"

// What ProbeWriting writes.
const (
	probeBytes = 64 << 10 // a disk that has fewer left is full
	probeLife  = time.Hour
)

// Probe reports whether a storage can be asked, by opening ProbeKey: S3's answer to a
// Stat would not tell a bucket that is gone from a key that is missing.
func Probe(ctx context.Context, p Provider) error {
	body, _, err := p.Open(ctx, ProbeKey)
	if errors.Is(err, ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_ = body.Close() // nothing was read of it
	return nil
}

// ProbeWriting reports whether a storage takes copies, by writing 64 KiB under
// ProbeKey and removing them. If they cannot be removed, they expire after an hour.
// Several processes may do it at once.
func ProbeWriting(ctx context.Context, p Provider) error {
	body := make([]byte, probeBytes)
	_, _ = rand.Read(body) // it never fails; a file system would compress zeros
	_, err := p.Put(ctx, ProbeKey, bytes.NewReader(body), PutOptions{
		SizeBytes: probeBytes, ExpiresAt: time.Now().Add(probeLife), Replace: true,
	})
	if err != nil {
		return err
	}
	return p.Delete(ctx, ProbeKey)
}
