package storage

import "io"

// digestedAhead is how many pieces may wait to be digested: one more than a pair
// of buffers needs.
const digestedAhead = 2

// A Digester writes bytes to hashes in a goroutine of its own, in the order in
// which it gets them, so that hashing keeps nobody from reading on. It is used
// by one goroutine at a time.
type Digester struct {
	pieces chan piece
	ended  chan struct{}
}

type piece struct {
	data [][]byte
	done func()
}

// NewDigester starts a digester, which runs until Close. The hashes must never
// fail.
func NewDigester(hashes ...io.Writer) *Digester {
	d := &Digester{pieces: make(chan piece, digestedAhead), ended: make(chan struct{})}
	go func() {
		defer close(d.ended)
		for p := range d.pieces {
			for _, data := range p.data {
				for _, h := range hashes {
					_, _ = h.Write(data) // hashes never fail
				}
			}
			p.done()
		}
	}()
	return d
}

// Add hands data over, which must not change until done is called. It waits while
// the digester is far behind.
func (d *Digester) Add(done func(), data ...[]byte) { d.pieces <- piece{data, done} }

// Close waits until everything is digested, and ends the digester.
func (d *Digester) Close() {
	close(d.pieces)
	<-d.ended
}
