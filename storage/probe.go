package storage

import (
	"context"
	"errors"
	"strings"
)

// Probe reports whether a storage can be asked, by asking for a key that no
// object has.
func Probe(ctx context.Context, p Provider) error {
	key := strings.Repeat("0", 64) + "/generation"
	if _, err := p.Stat(ctx, key); err != nil && !errors.Is(err, ErrNotExist) {
		return err
	}
	return nil
}
