package rediscache_test

import (
	"sync"
	"testing"

	"cloudmirror/cache/rediscache"
	"cloudmirror/test/servers"
)

// A connection that is refused says nothing of an entry, also to reads that go
// together.
func TestARefusedConnectionIsNoAbsence(t *testing.T) {
	server := servers.StartRedis(t, "--requirepass", "right")
	store, key := open(t, rediscache.Options{URL: "redis://:wrong@" + server.Addr()}), newKey(t)
	var running sync.WaitGroup
	for range 20 {
		running.Go(func() {
			if at, err := store.Get(t.Context(), key); err == nil {
				t.Errorf("the entry is %s", at.Entry.State)
			}
		})
	}
	running.Wait()
}
