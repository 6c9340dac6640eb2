package s3store

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/semaphore"
)

// defaultPartBytes is the size of parts if nothing else is configured.
const defaultPartBytes = 16 << 20

// minPartBytes is what S3 demands of all parts but the last.
const minPartBytes = 5 << 20

// Buffers are the memory of all uploads of a process. Each upload holds at least
// one buffer and gets more only while nobody waits for a first one: so uploads
// never wait for each other's, and small objects not for large ones to end. It
// is safe for concurrent use.
type Buffers struct {
	partBytes  int64
	totalBytes int64
	left       *semaphore.Weighted
	pool       sync.Pool // of *[]byte, partBytes long
}

// NewBuffers returns buffers of partBytes each, of together at most totalBytes.
func NewBuffers(partBytes, totalBytes int64) (*Buffers, error) {
	if partBytes < minPartBytes {
		return nil, fmt.Errorf("s3store: parts of %d bytes: S3 demands at least %d", partBytes, minPartBytes)
	}
	if totalBytes < partBytes {
		return nil, fmt.Errorf("s3store: %d bytes of memory do not hold one part of %d", totalBytes, partBytes)
	}
	b := &Buffers{partBytes: partBytes, totalBytes: totalBytes, left: semaphore.NewWeighted(totalBytes)}
	b.pool.New = func() any { return new(make([]byte, partBytes)) }
	return b, nil
}

// get waits for size bytes of memory. It must be called by who holds none.
func (b *Buffers) get(ctx context.Context, size int64) ([]byte, error) {
	if size > b.totalBytes {
		return nil, fmt.Errorf("a part of %d bytes is more than the memory of %d for all uploads", size, b.totalBytes)
	}
	if err := b.left.Acquire(ctx, size); err != nil {
		return nil, fmt.Errorf("wait for memory: %w", err)
	}
	return b.make(size), nil
}

// try is get for who holds memory already: it does not wait.
func (b *Buffers) try(size int64) ([]byte, bool) {
	if !b.left.TryAcquire(size) {
		return nil, false
	}
	return b.make(size), true
}

func (b *Buffers) make(size int64) []byte {
	if size == b.partBytes {
		return *b.pool.Get().(*[]byte)
	}
	return make([]byte, size)
}

// put gives memory back.
func (b *Buffers) put(buffer []byte) {
	buffer = buffer[:cap(buffer)]
	size := int64(len(buffer))
	if size == b.partBytes {
		b.pool.Put(&buffer)
	}
	b.left.Release(size)
}
