package s3store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
	"testing/iotest"
	"testing/synctest"
)

func newTestBuffers(t *testing.T, parts int64) *Buffers {
	t.Helper()
	b, err := NewBuffers(minPartBytes, parts*minPartBytes)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// filled returns a full buffer of that number of bytes.
func (b *Buffers) filled(t *testing.T, size int64) *buffer {
	t.Helper()
	held, err := b.begin(t.Context(), size)
	if err == nil && held.size < size {
		err = b.grow(t.Context(), held, size)
	}
	if err != nil {
		t.Fatal(err)
	}
	fill(held)
	return held
}

func fill(held *buffer) {
	for space := held.space(); len(space) > 0; space = held.space() {
		for i := range space {
			space[i] = byte(held.length>>16) + 1
		}
		held.add(len(space))
	}
}

func TestBuffersAreUsedAgainAndMakeNoGarbage(t *testing.T) {
	for name, size := range map[string]int64{"parts": minPartBytes, "bodies of less than a part": minPartBytes / 5, "small bodies": 1000} {
		t.Run(name, func(t *testing.T) {
			b := newTestBuffers(t, 9)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range 100 {
				one, two := b.filled(t, size), b.filled(t, size)
				b.put(one)
				b.put(two)
			}
			runtime.ReadMemStats(&after)
			if want := int((2*rounded(size) + slabBytes - 1) / slabBytes); len(b.slabs) != want {
				t.Errorf("%d slabs are mapped, want %d", len(b.slabs), want)
			}
			if got := after.TotalAlloc - before.TotalAlloc; runtime.GOOS == "linux" && got > minPartBytes {
				t.Errorf("%d bytes were allocated on the heap", got)
			}
		})
	}
}

func TestIdleBuffersGoBackToTheSystem(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("memory lies on the heap but on Linux")
	}
	b := newTestBuffers(t, 3)
	one, two := b.filled(t, minPartBytes), b.filled(t, minPartBytes)
	first, last := one.pieces[0], two.pieces[len(two.pieces)-1]
	b.put(one)
	if first[0] == 0 {
		t.Error("memory went back while a buffer was in use")
	}
	b.put(two)
	if !bytes.Equal([]byte{first[0], last[0]}, []byte{0, 0}) { // what is mapped anew is empty
		t.Error("idle memory did not go back")
	}
	small := b.filled(t, 1000)
	first = small.pieces[0]
	b.put(small)
	if first[0] == 0 {
		t.Error("the memory of a single small body went back: the next one would wait for the system")
	}
}

func TestABufferTakesMemoryOnlyForWhatItHolds(t *testing.T) {
	b := newTestBuffers(t, 9)
	held, err := b.begin(t.Context(), minPartBytes)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.grow(t.Context(), held, minPartBytes); err != nil {
		t.Fatal(err)
	}
	for held.length < 3*chunkBytes {
		held.add(min(len(held.space()), 1000))
	}
	if b.used > 4 {
		t.Errorf("%d chunks are in use for %d bytes", b.used, held.length)
	}
	b.put(held)
	if b.used != 0 {
		t.Errorf("%d chunks are in use after all was given back", b.used)
	}
}

// Beginnings and parts are counted apart: what waits for a part keeps no small
// body waiting.
func TestSmallBodiesDoNotWaitForLargeOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTestBuffers(t, 8) // seven parts, and one for beginnings
		var parts []*buffer
		for range 7 {
			parts = append(parts, b.filled(t, minPartBytes))
		}
		waiting, err := b.begin(t.Context(), minPartBytes)
		if err != nil {
			t.Fatal(err)
		}
		grown := make(chan error, 1)
		go func() { grown <- b.grow(t.Context(), waiting, minPartBytes) }()
		synctest.Wait()
		if _, ok := b.try(minPartBytes); ok {
			t.Error("more memory is given out than there is")
		}
		var small []*buffer
		for range minPartBytes/chunkBytes - 1 {
			small = append(small, b.filled(t, 1000))
		}
		ended, end := context.WithCancel(t.Context())
		end()
		if _, err := b.begin(ended, 1000); !errors.Is(err, context.Canceled) {
			t.Errorf("begin gave %v where all beginnings are taken", err)
		}
		b.put(parts[0])
		if err := <-grown; err != nil {
			t.Errorf("the upload that waited: %v", err)
		}
		small = append(small, b.filled(t, 1000)) // the chunk of the beginning that grew
		for _, held := range append(append(parts[1:], small...), waiting) {
			b.put(held)
		}
		if b.used != 0 {
			t.Errorf("%d chunks are in use after all was given back", b.used)
		}
	})
}

// No memory is set aside where that would leave few parts, or few beginnings.
func TestMemoryIsDividedIntoWholeParts(t *testing.T) {
	const mebibyte = 1 << 20
	for name, c := range map[string]struct{ part, total, first, rest int64 }{
		"the defaults":             {16 * mebibyte, 192 * mebibyte, 16 * mebibyte, 176 * mebibyte},
		"one part":                 {16 * mebibyte, 16 * mebibyte, 0, 16 * mebibyte},
		"four parts":               {16 * mebibyte, 64 * mebibyte, 0, 64 * mebibyte},
		"four parts and a rest":    {16 * mebibyte, 72 * mebibyte, 8 * mebibyte, 64 * mebibyte},
		"a rest that is too small": {16 * mebibyte, 67 * mebibyte, 0, 67 * mebibyte},
		"no whole chunks":          {minPartBytes + 1, minPartBytes + 1, 0, minPartBytes + chunkBytes},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := NewBuffers(c.part, c.total)
			if err != nil {
				t.Fatal(err)
			}
			var first int64
			for b.first != nil && b.first.TryAcquire(chunkBytes) {
				first += chunkBytes
			}
			if first != c.first || !b.rest.TryAcquire(c.rest) || b.rest.TryAcquire(1) {
				t.Errorf("%d bytes are for beginnings and %d for the rest, want %d and %d", first, b.restBytes, c.first, c.rest)
			}
		})
	}
}

func TestBufferGivesBackWhatItGot(t *testing.T) {
	b := newTestBuffers(t, 1)
	for _, size := range []int64{0, 1, chunkBytes - 1, chunkBytes, chunkBytes + 1, 3*chunkBytes + 7} {
		data := make([]byte, size)
		random := rand.NewChaCha8([32]byte{1})
		_, _ = random.Read(data) // it never fails
		held, err := b.begin(t.Context(), 4*chunkBytes)
		if err == nil {
			err = held.readFull(bytes.NewReader(data), size)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := iotest.TestReader(held.reader(), data); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
		for _, from := range []int64{0, size / 2, size} {
			r, copied := held.reader(), new(bytes.Buffer)
			if _, err := r.Seek(from, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(copied, r); err != nil || n != size-from || !bytes.Equal(copied.Bytes(), data[from:]) {
				t.Errorf("%d bytes from %d on: copied %d, %v", size, from, n, err)
			}
			if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF { //nolint:errorlint // io.Reader promises io.EOF itself, unwrapped
				t.Errorf("%d bytes from %d on: after their end came %d, %v", size, from, n, err)
			}
		}
		if err := held.readFull(bytes.NewReader(nil), 1); !errors.Is(err, io.EOF) {
			t.Errorf("reading on gave %v, want io.EOF", err)
		}
		b.put(held)
	}
}
