package storagetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math/rand/v2"
)

// content returns size bytes that depend on seed and do not repeat.
func content(seed uint64, size int64) []byte {
	data := make([]byte, size)
	fill(seed, data)
	return data
}

func fill(seed uint64, data []byte) {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	_, _ = rand.NewChaCha8(key).Read(data) // never fails
}

// stream hides everything of a reader but Read, as the body of an HTTP answer
// does, and gives its bytes in pieces of odd sizes.
func stream(data []byte) io.Reader {
	return &pieces{rest: bytes.NewReader(data)}
}

type pieces struct {
	rest *bytes.Reader
	n    int
}

func (p *pieces) Read(b []byte) (int, error) {
	p.n++
	limit := min(len(b), []int{1, 70_001, 509, 8 << 10, 300_007}[p.n%5])
	return p.rest.Read(b[:limit])
}

// then gives the bytes of data and calls after with each further Read.
func then(data []byte, after func() (int, error)) io.Reader {
	return io.MultiReader(stream(data), readerFunc(func([]byte) (int, error) { return after() }))
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// generated is a body of any size that costs no memory.
type generated struct{ left int64 }

func (g *generated) Read(b []byte) (int, error) {
	if g.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(b)), g.left))
	g.left -= int64(n)
	return n, nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
