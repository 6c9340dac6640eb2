package s3store

import (
	"bytes"
	"runtime"
	"testing"
)

func newTestBuffers(t *testing.T, parts int64) *Buffers {
	t.Helper()
	b, err := NewBuffers(minPartBytes, parts*minPartBytes)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBuffersAreUsedAgainAndMakeNoGarbage(t *testing.T) {
	b := newTestBuffers(t, 3)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	seen := make(map[*byte]bool)
	for range 100 {
		one, err := b.get(t.Context(), minPartBytes)
		if err != nil {
			t.Fatal(err)
		}
		two, ok := b.try(minPartBytes)
		if !ok || &one[0] == &two[0] {
			t.Fatal("the second buffer is none, or the first one")
		}
		seen[&one[0]], seen[&two[0]] = true, true
		b.put(one)
		b.put(two[:10]) // whatever the caller made of it
	}
	runtime.ReadMemStats(&after)
	if len(seen) != 2 {
		t.Errorf("%d buffers were made for 2 at a time", len(seen))
	}
	if got := after.TotalAlloc - before.TotalAlloc; runtime.GOOS == "linux" && got > minPartBytes {
		t.Errorf("%d bytes were allocated on the heap", got)
	}
}

func TestIdleBuffersGoBackToTheSystem(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("memory lies on the heap but on Linux")
	}
	b := newTestBuffers(t, 3)
	one, err := b.get(t.Context(), minPartBytes)
	two, ok := b.try(minPartBytes)
	if err != nil || !ok {
		t.Fatal("there are no two buffers")
	}
	one[0], two[0] = 1, 1
	b.put(one)
	if one[0] != 1 {
		t.Error("memory went back while a buffer was in use")
	}
	b.put(two)
	if !bytes.Equal([]byte{one[0], two[0]}, []byte{0, 0}) { // what is mapped anew is empty
		t.Error("idle memory did not go back")
	}
}

func TestSmallBodiesDoNotTakeWholeParts(t *testing.T) {
	b := newTestBuffers(t, 2)
	for range 20 {
		if _, ok := b.try(minPartBytes / 10); !ok {
			t.Fatal("twenty bodies of a tenth of a part do not fit into two parts")
		}
	}
	if _, ok := b.try(1); ok {
		t.Error("more memory is given out than there is")
	}
}
