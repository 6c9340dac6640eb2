package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"cloudmirror"
	"cloudmirror/storage"
)

// A Verdict says what reading a copy again came to.
type Verdict string

// The verdicts.
const (
	Good    Verdict = "good"    // its bytes are those that were stored
	Absent  Verdict = "absent"  // there is no copy, or its time is over
	Damaged Verdict = "damaged" // it has other bytes, or another number of them
)

// A Verification is what reading a copy again found.
type Verification struct {
	Verdict    Verdict
	Generation cloudmirror.Generation
	Info       storage.Info // what storage says of the copy; zero if it is absent
	SizeBytes  int64        // that were read
	SHA256     string       // of what was read
}

// Verify reads the current copy of an object from a storage and compares it with
// the digest that was stored with it. It asks nothing but the storage, and needs
// no memory for the copy. An error says that it could not be read, which says
// nothing about the copy.
func Verify(ctx context.Context, s storage.Provider, o cloudmirror.Object) (Verification, error) {
	v := Verification{Verdict: Absent}
	var err error
	if v.Generation, err = readMarker(ctx, s, o); err != nil {
		return v, fmt.Errorf("engine: verify: %w", err)
	}
	body, info, err := s.Open(ctx, o.StorageKey(v.Generation))
	if errors.Is(err, storage.ErrNotExist) {
		return v, nil
	}
	if err != nil {
		return v, fmt.Errorf("engine: verify: %w", err)
	}
	defer body.Close()
	if info.SHA256 == "" {
		return v, errors.New("engine: verify: no digest is kept with the copy")
	}
	sum := sha256.New()
	v.SizeBytes, err = io.Copy(sum, body)
	v.Info, v.SHA256 = info, hex.EncodeToString(sum.Sum(nil))
	switch {
	case v.SizeBytes == info.SizeBytes && v.SHA256 != info.SHA256, v.SizeBytes > info.SizeBytes:
		v.Verdict = Damaged // a client of S3 that compares checksums itself says so by an error
	case err != nil:
		return v, fmt.Errorf("engine: verify: read the copy after %d of %d bytes: %w", v.SizeBytes, info.SizeBytes, err)
	case v.SizeBytes < info.SizeBytes:
		v.Verdict = Damaged
	default:
		v.Verdict = Good
	}
	return v, nil
}
