package storage_test

import (
	"bytes"
	"fmt"
	"testing"

	"cloudmirror/storage"
)

func TestDigesterKeepsTheOrderAndGivesBack(t *testing.T) {
	var one, other, want bytes.Buffer
	free := make(chan []byte, 2)
	for range cap(free) {
		free <- make([]byte, 0, 16)
	}
	d := storage.NewDigester(&one, &other)
	for i := range 1000 {
		data := fmt.Appendf((<-free)[:0], "%d,", i)
		want.Write(data)
		d.Add(func() { free <- data }, data[:1], data[1:])
	}
	d.Close()
	if one.String() != want.String() || other.String() != want.String() {
		t.Errorf("got %d and %d bytes, want %d, in another order or changed", one.Len(), other.Len(), want.Len())
	}
	if len(free) != cap(free) {
		t.Errorf("%d of %d buffers came back", len(free), cap(free))
	}
}
