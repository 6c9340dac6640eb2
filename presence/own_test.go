package presence_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror/kv/memkv"
	"cloudmirror/presence"
)

// A crowd of readers has the note of the process made once in 100 ms: strangers who ask
// for the status of a copy are readers, too.
func TestACrowdHasTheOwnNoteMadeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var made atomic.Int64
		b := presence.New(presence.Options{Store: new(memkv.Store), Copies: func() []presence.Copy {
			return []presence.Copy{{Object: "o", DoneBytes: made.Add(1)}}
		}})
		for tenth := range int64(3) {
			for range 100 {
				notes, err := b.Notes(t.Context())
				if err != nil || len(notes) != 1 || notes[0].Copies[0].DoneBytes != tenth+1 {
					t.Fatalf("after %d tenths: %+v, error %v", tenth, notes, err)
				}
			}
			time.Sleep(time.Second / 10)
		}
	})
}
