package storage

import (
	"context"
	"errors"
)

// ProbeKey is the key that Probe asks for, which no object has.
const ProbeKey = "0000000000000000000000000000000000000000000000000000000000000000/generation"

// Probe reports whether a storage can be asked, by asking for ProbeKey.
func Probe(ctx context.Context, p Provider) error {
	if _, err := p.Stat(ctx, ProbeKey); err != nil && !errors.Is(err, ErrNotExist) {
		return err
	}
	return nil
}
