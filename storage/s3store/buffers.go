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
//
// Buffers of a part lie outside of the garbage collector's heap, where the system
// allows it: it would let as much garbage pile up as there is in use.
type Buffers struct {
	partBytes  int64
	totalBytes int64
	left       *semaphore.Weighted

	mu   sync.Mutex
	free [][]byte // of partBytes each, the one that was used last at the end
	used int      // of partBytes, handed out
}

// NewBuffers returns buffers of partBytes each, of together at most totalBytes.
func NewBuffers(partBytes, totalBytes int64) (*Buffers, error) {
	if partBytes < minPartBytes {
		return nil, fmt.Errorf("s3store: parts of %d bytes: S3 demands at least %d", partBytes, minPartBytes)
	}
	if totalBytes < partBytes {
		return nil, fmt.Errorf("s3store: %d bytes of memory do not hold one part of %d", totalBytes, partBytes)
	}
	return &Buffers{partBytes: partBytes, totalBytes: totalBytes, left: semaphore.NewWeighted(totalBytes)}, nil
}

// get waits for at least size bytes of memory. It must be called by who holds
// none.
func (b *Buffers) get(ctx context.Context, size int64) ([]byte, error) {
	size = b.rounded(size)
	if size > b.totalBytes {
		return nil, fmt.Errorf("a part of %d bytes is more than the memory of %d for all uploads", size, b.totalBytes)
	}
	if err := b.left.Acquire(ctx, size); err != nil {
		return nil, fmt.Errorf("wait for memory: %w", err)
	}
	return b.take(size), nil
}

// try is get for who holds memory already: it does not wait.
func (b *Buffers) try(size int64) ([]byte, bool) {
	size = b.rounded(size)
	if !b.left.TryAcquire(size) {
		return nil, false
	}
	return b.take(size), true
}

// rounded returns a size that is worth an allocation of its own: what is more than
// half of a part gets a whole one, which is there already.
func (b *Buffers) rounded(size int64) int64 {
	if size > b.partBytes/2 && size < b.partBytes {
		return b.partBytes
	}
	return size
}

func (b *Buffers) take(size int64) []byte {
	if size != b.partBytes {
		return make([]byte, size)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used++
	if last := len(b.free) - 1; last >= 0 {
		buffer := b.free[last]
		b.free = b.free[:last]
		return buffer
	}
	return mapMemory(int(size))
}

// put gives memory back. While nobody uses any, the system gets it.
func (b *Buffers) put(buffer []byte) {
	buffer = buffer[:cap(buffer)]
	size := int64(len(buffer))
	if size == b.partBytes {
		b.putPart(buffer)
	}
	b.left.Release(size)
}

func (b *Buffers) putPart(buffer []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free = append(b.free, buffer)
	if b.used--; b.used > 0 {
		return
	}
	for _, idle := range b.free {
		releaseMemory(idle)
	}
}
