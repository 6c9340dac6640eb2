package rediscache_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/test/servers"
)

// maxEntryBytes is what Redis may take for a present entry: key, value and
// expiry, with their places in its tables.
const maxEntryBytes = 350

func TestMemoryOfRedisForAnEntry(t *testing.T) {
	const entries = 5000
	server := servers.StartRedis(t)
	store, client := openWatching(t, singleURL(server)), raw(t, server)
	key := func(i int) cache.Key {
		object, err := cloudmirror.ParseObject("https://origin.test/" + strconv.Itoa(i))
		if err != nil {
			t.Fatal(err)
		}
		return cache.KeyOf(object, cloudmirror.BackendID{Service: "releases", Region: "ap-southeast-1"})
	}
	before := usedMemory(t, client)
	for i := range entries {
		empty, err := store.Get(t.Context(), key(i))
		if err != nil {
			t.Fatal(err)
		}
		_, swapped, err := store.Swap(t.Context(), key(i), empty, cache.Entry{
			State: cache.Present, Generation: cloudmirror.FirstGeneration, Until: empty.Now().Add(24 * time.Hour),
			Copy: cache.Copy{SizeBytes: 50 << 30, SHA256: strings.Repeat("ab", 32), StoredAt: empty.Now()},
		})
		if err != nil || !swapped {
			t.Fatalf("swapped %v, error %v", swapped, err)
		}
	}
	each := float64(usedMemory(t, client)-before) / entries
	value, err := client.MemoryUsage(t.Context(), "cloudmirror:"+string(key(0))).Result()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.0f bytes for each of %d entries; MEMORY USAGE says %d", each, entries, value)
	if each > maxEntryBytes {
		t.Errorf("an entry takes %.0f bytes, of at most %d", each, maxEntryBytes)
	}
}

// usedMemory returns what a server has allocated, in bytes.
func usedMemory(t *testing.T, client *redis.Client) int64 {
	t.Helper()
	info, err := client.Info(t.Context(), "memory").Result()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(info) {
		if value, found := strings.CutPrefix(line, "used_memory:"); found {
			n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("INFO says nothing of used_memory")
	return 0
}
