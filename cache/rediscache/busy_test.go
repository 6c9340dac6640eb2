package rediscache_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"cloudmirror/cache"
	"cloudmirror/cache/rediscache"
	"cloudmirror/test/servers"
)

// What is read to be kept in memory shares requests and connections.
func TestReadsForTheMemoryGoTogether(t *testing.T) {
	server := servers.StartRedis(t)
	other := openWatching(t, singleURL(server))
	// Both times are longer than any load lasts: reads neither give up nor go without memory.
	store := open(t, rediscache.Options{
		URL: singleURL(server), NearBytes: 1 << 20, NearDelta: time.Minute, CanaryInterval: delta / 4, Timeout: time.Minute,
	})
	await(t, "the store watches", store.Watching)
	proven, _ := remembered(t, store, other) // its connections are
	store.StayNear(t.Context(), proven)
	const readers, times = 100, 10
	var keys []cache.Key
	for range readers {
		keys = append(keys, newKey(t))
	}
	readsBefore, commandsBefore := statsOf(t, server)
	clientsBefore := clientsOf(t, server)
	var running sync.WaitGroup
	for _, key := range keys {
		running.Go(func() {
			for range times {
				if at, err := store.Get(t.Context(), key); err != nil || at.Entry.State != cache.Absent {
					t.Errorf("read %s, error %v", at.Entry.State, err)
				}
			}
		})
	}
	running.Wait()
	reads, commands := statsOf(t, server)
	reads, commands = reads-readsBefore, commands-commandsBefore
	clients := clientsOf(t, server) - clientsBefore
	t.Logf("%d commands in %d reads of the server, %d connections more", commands, reads, clients)
	if commands < readers*times || reads > commands/3 {
		t.Errorf("%d commands came in %d reads of the server", commands, reads)
	}
	if clients > 4 { // two lanes of pipelines, one canary, one INFO
		t.Errorf("%d connections were made", clients)
	}
}

func clientsOf(t *testing.T, server *servers.Redis) int {
	t.Helper()
	clients, err := raw(t, server).ClientList(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(clients, "\n")
}
