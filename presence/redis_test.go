package presence_test

import (
	"testing"
	"time"

	"cloudmirror/cache/rediscache"
	"cloudmirror/kv/rediskv"
	"cloudmirror/presence"
	"cloudmirror/test/servers"
)

// patience is how long what must come is waited for.
const patience = 30 * time.Second

// TestOnEachRedis holds that processes know each other by each kind of Redis, and
// that their notes wake no near cache.
func TestOnEachRedis(t *testing.T) {
	for name, start := range map[string]func(*testing.T) string{
		"single": func(t *testing.T) string { return "redis://" + servers.StartRedis(t).Addr() },
		"Sentinel": func(t *testing.T) string {
			return "redis+sentinel://" + servers.StartRedisSentinel(t).Addr() + "?master_name=" + servers.RedisMasterName
		},
		"Cluster": func(t *testing.T) string { return "redis+cluster://" + servers.StartRedisCluster(t).Addrs()[0] },
	} {
		t.Run(name, func(t *testing.T) {
			const prefix = "cloudmirror:"
			store, err := rediscache.New(rediscache.Options{URL: start(t), Prefix: prefix, NearBytes: 1 << 20, NearDelta: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { store.Close() })
			eventually(t, "the near cache hears of changes", func() bool { return store.Watching() == nil })
			index, stopIndex := store.Watch("kv:{presence}")
			defer stopIndex()
			other, stopOther := store.Watch("{presence}") // in the same slot
			defer stopOther()

			records := rediskv.New(store.Client(), prefix)
			watcher := presence.New(presence.Options{Store: records, Self: presence.Note{Role: "frontend"}})
			stop := run(t, copierOn(records))
			eventually(t, "the copier is known", func() bool { return copiers(t, watcher) == 1 })
			life, err := store.Client().PTTL(t.Context(), prefix+"kv:{presence}").Result()
			if err != nil || life <= 0 || life > presence.Life {
				t.Errorf("the index of notes lives for %v, error %v, want at most %v", life, err, presence.Life)
			}
			stop()
			eventually(t, "the copier is gone", func() bool { return copiers(t, watcher) == 0 })

			if err := store.Client().Set(t.Context(), prefix+"{presence}", "x", time.Minute).Err(); err != nil {
				t.Fatal(err)
			}
			select {
			case <-other:
			case <-time.After(patience):
				t.Fatal("the near cache hears of nothing")
			}
			select {
			case <-index:
				t.Error("near caches hear of notes")
			default:
			}
		})
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("in %v it did not happen that %s", patience, what)
		}
	}
}
