package origintest

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
)

// Content returns the bytes of the object of a path: always the same, different
// for each path, and generated as they are read.
func Content(path string, sizeBytes int64) *io.SectionReader {
	return io.NewSectionReader(newWords(path), 0, sizeBytes)
}

// Bytes returns all of Content, for small objects.
func Bytes(path string, sizeBytes int64) []byte {
	b := make([]byte, sizeBytes)
	_, _ = newWords(path).ReadAt(b, 0) // generated: cannot fail
	return b
}

// GzipBytes returns the bytes that an object with Gzip has: a gzip file of
// Content, made in memory.
func GzipBytes(path string, sizeBytes int64) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(Bytes(path, sizeBytes)) // a buffer takes everything
	_ = w.Close()
	return b.Bytes()
}

// words is an endless sequence of pseudo-random 64-bit words, the n-th of which
// can be had without the others (SplitMix64).
type words struct{ seed uint64 }

func newWords(path string) words {
	h := fnv.New64a()
	_, _ = io.WriteString(h, path) // a hash takes everything
	return words{seed: h.Sum64()}
}

func (w words) word(n uint64) uint64 {
	z := w.seed + (n+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// ReadAt implements io.ReaderAt. It never ends.
func (w words) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 {
		return 0, errors.New("origintest: negative offset")
	}
	var block [8]byte
	n := uint64(offset) / 8
	written := 0
	if skip := offset % 8; skip != 0 {
		binary.LittleEndian.PutUint64(block[:], w.word(n))
		written = copy(p, block[skip:])
		n++
	}
	for ; len(p)-written >= 8; n++ {
		binary.LittleEndian.PutUint64(p[written:], w.word(n))
		written += 8
	}
	binary.LittleEndian.PutUint64(block[:], w.word(n))
	written += copy(p[written:], block[:])
	return written, nil
}
