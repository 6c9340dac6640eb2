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

const (
	// chunkBytes is the unit of memory. A body of up to a chunk takes one.
	chunkBytes = 64 << 10
	// slabBytes is mapped at a time.
	slabBytes = 256 * chunkBytes
	// minBeginnings is the least number of chunks that are set aside for
	// beginnings: with fewer, copies would wait for each other's.
	minBeginnings = 64
	// warmChunks stay resident while no upload runs: small copies that come one
	// after the other use them again.
	warmChunks = 16
)

// Buffers are the memory of all bodies that a process uploads: no byte of a body
// is held elsewhere. An upload reserves memory in two steps.
//
//  1. A chunk for the beginning of its body. Chunks for beginnings are set aside,
//     so an upload waits only for other beginnings.
//  2. A whole part, or the length of a shorter body, once the body turns out to
//     have more than a chunk. An upload that waits for it holds its chunk.
//
// Uploads that hold a whole part wait for no more: further buffers are reserved
// only while no upload waits for its second step. So no two uploads ever wait for
// each other, and a body that drips holds one chunk until it has filled it.
//
// From eight parts on, the chunks for beginnings are one part and what is left
// over beside whole parts; below that only what is left over, if that is 4 MiB.
// Where none are set aside, uploads begin with the second step.
//
// Memory lies outside of the garbage collector's heap, where the system allows it:
// it would let as much garbage pile up as there is in use. Buffers are safe for
// concurrent use.
type Buffers struct {
	partBytes int64
	restBytes int64               // of the second step
	first     *semaphore.Weighted // nil: no chunks are set aside
	rest      *semaphore.Weighted

	mu    sync.Mutex
	slabs [][]byte
	free  [][]byte // chunks, the one that was used last at the end
	used  int      // chunks that hold bytes
	most  int      // of used since memory last went back to the system
}

// NewBuffers returns buffers for parts of partBytes each, of together at most
// totalBytes.
func NewBuffers(partBytes, totalBytes int64) (*Buffers, error) {
	if partBytes < minPartBytes {
		return nil, fmt.Errorf("s3store: parts of %d bytes: S3 demands at least %d", partBytes, minPartBytes)
	}
	if totalBytes < partBytes {
		return nil, fmt.Errorf("s3store: %d bytes of memory do not hold one part of %d", totalBytes, partBytes)
	}
	b := &Buffers{partBytes: partBytes, restBytes: totalBytes}
	if part := rounded(partBytes); totalBytes >= part {
		setAside := totalBytes % part / chunkBytes * chunkBytes
		if totalBytes >= 8*part {
			setAside += part
		}
		if setAside >= minBeginnings*chunkBytes {
			b.first = semaphore.NewWeighted(setAside)
			b.restBytes -= setAside
		}
	}
	b.restBytes = max(b.restBytes/chunkBytes*chunkBytes, rounded(partBytes))
	b.rest = semaphore.NewWeighted(b.restBytes)
	return b, nil
}

// rounded returns a size in whole chunks, and at least one.
func rounded(size int64) int64 {
	return max((size+chunkBytes-1)/chunkBytes, 1) * chunkBytes
}

// begin waits for memory for the beginning of a body, which will need size bytes
// if it has more. The caller must not hold a buffer.
func (b *Buffers) begin(ctx context.Context, size int64) (*buffer, error) {
	held := &buffer{from: b}
	if b.first == nil {
		return held, b.grow(ctx, held, max(size, chunkBytes))
	}
	if err := b.first.Acquire(ctx, chunkBytes); err != nil {
		return nil, fmt.Errorf("wait for memory: %w", err)
	}
	held.size, held.counted, held.pool = chunkBytes, chunkBytes, b.first
	return held, nil
}

// grow waits for memory for a buffer to hold size bytes. It keeps the bytes that
// it has. A buffer grows once.
func (b *Buffers) grow(ctx context.Context, held *buffer, size int64) error {
	counted := rounded(size)
	if counted > b.restBytes {
		return fmt.Errorf("a part of %d bytes is more than the memory of %d for all parts", size, b.restBytes)
	}
	if err := b.rest.Acquire(ctx, counted); err != nil {
		return fmt.Errorf("wait for memory: %w", err)
	}
	if held.pool != nil {
		held.pool.Release(held.counted)
	}
	held.size, held.counted, held.pool = size, counted, b.rest
	return nil
}

// try returns a further buffer for an upload that holds one that has grown. It
// does not wait.
func (b *Buffers) try(size int64) (*buffer, bool) {
	counted := rounded(size)
	if !b.rest.TryAcquire(counted) {
		return nil, false
	}
	return &buffer{from: b, size: size, counted: counted, pool: b.rest}, true
}

// put gives a buffer back.
func (b *Buffers) put(held *buffer) {
	held.empty()
	held.pool.Release(held.counted)
}

// take returns an empty chunk, for which memory is reserved.
func (b *Buffers) take() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.free) == 0 {
		slab := mapMemory(slabBytes)
		b.slabs = append(b.slabs, slab)
		for at := len(slab); at > 0; at -= chunkBytes {
			b.free = append(b.free, slab[at-chunkBytes:at:at])
		}
	}
	last := len(b.free) - 1
	chunk := b.free[last]
	b.free = b.free[:last]
	b.used++
	b.most = max(b.most, b.used)
	return chunk[:0]
}

// giveBack takes chunks back. While none is in use, the system gets the memory.
func (b *Buffers) giveBack(chunks [][]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, chunk := range chunks {
		b.free = append(b.free, chunk[:chunkBytes])
	}
	b.used -= len(chunks)
	if b.used > 0 || b.most <= warmChunks {
		return
	}
	for _, slab := range b.slabs {
		releaseMemory(slab)
	}
	b.most = 0
}
