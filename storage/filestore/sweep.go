package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"go.uber.org/zap"
)

// Swept is what a sweep removed.
type Swept struct {
	Copies    int
	Bytes     int64
	TempFiles int
}

// Run sweeps at once and then every SweepInterval, until ctx ends. What goes
// wrong is logged and tried again the next time.
func (s *Store) Run(ctx context.Context) {
	tick := time.NewTicker(s.interval)
	defer tick.Stop()
	for {
		swept, err := s.Sweep(ctx)
		if err != nil && ctx.Err() == nil {
			s.logger.Error("sweep of expired copies", zap.Error(err))
		}
		if swept != (Swept{}) {
			s.logger.Info("swept expired copies", zap.Int("copies", swept.Copies),
				zap.Int64("bytes", swept.Bytes), zap.Int("temp_files", swept.TempFiles))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Sweep removes the copies whose time is over and the temporary files that nobody
// writes. It looks at one file at a time, and holds
// up nobody but who puts that very file. A copy that is being read may be read
// to its end.
func (s *Store) Sweep(ctx context.Context) (Swept, error) {
	var swept Swept
	removed, err := s.sweepTemps(ctx)
	swept.TempFiles = removed
	if err == nil {
		err = s.eachEntry(ctx, copiesDir, func(path string, entry fs.DirEntry) error {
			if !entry.IsDir() {
				return nil
			}
			return s.eachEntry(ctx, path, func(path string, _ fs.DirEntry) error {
				return s.removeExpired(path, &swept)
			})
		})
	}
	if err != nil {
		return swept, fmt.Errorf("filestore: sweep: %w", err)
	}
	return swept, nil
}

// removeExpired removes the file at path if it is an expired copy. What is no
// copy of ours is left alone: it may belong to a newer version.
func (s *Store) removeExpired(path string, swept *Swept) error {
	lock := s.lock(path)
	lock.Lock()
	defer lock.Unlock()
	c, err := s.open(path)
	if isMissing(err) || errors.Is(err, errNoCopy) {
		return nil
	}
	if err != nil {
		return err
	}
	defer c.Close()
	if !c.record.expired(s.now()) {
		return nil
	}
	if err := s.disk.remove(s.root, path); err != nil && !isMissing(err) {
		return err
	}
	swept.Copies++
	swept.Bytes += c.record.Size
	return nil
}
