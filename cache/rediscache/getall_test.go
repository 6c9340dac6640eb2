package rediscache_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/cache/rediscache"
	"cloudmirror/test/servers"
)

// newKeys returns keys of one object.
func newKeys(t testing.TB, n int) []cache.Key {
	t.Helper()
	object, err := cloudmirror.ParseObject("https://origin.example/" + cloudmirror.NewID())
	if err != nil {
		t.Fatal(err)
	}
	keys := make([]cache.Key, n)
	for i := range keys {
		keys[i] = cache.KeyOf(object, cloudmirror.BackendID{Service: "s3", Region: fmt.Sprint("region-", i)})
	}
	return keys
}

func TestManyKeysOfAnObjectCostOneRoundTrip(t *testing.T) {
	one, cluster := servers.StartRedis(t), servers.StartRedisCluster(t)
	for _, deployment := range []struct {
		phrase, url string
		servers     []*servers.Redis
	}{
		{"on one server", singleURL(one), []*servers.Redis{one}},
		{"in a Cluster", clusterURL(cluster), cluster.Masters},
	} {
		for memory, nearBytes := range map[string]int64{"without memory": 0, "for the memory": 1 << 20} {
			t.Run(deployment.phrase+" "+memory, func(t *testing.T) {
				store := open(t, rediscache.Options{
					URL: deployment.url, CanaryInterval: 2 * time.Second, NearBytes: nearBytes, NearDelta: time.Minute,
				})
				await(t, "the store watches", store.Watching)
				keys := newKeys(t, 10)
				if err := change(t.Context(), store, keys[3]); err != nil {
					t.Fatal(err)
				}
				if nearBytes > 0 {
					remember(t, store, keys[3])
				}
				stats := func() (reads, commands int) {
					for _, server := range deployment.servers {
						r, c := statsOf(t, server)
						reads, commands = reads+r, commands+c
					}
					return reads, commands
				}
				const times = 100
				readsBefore, commandsBefore := stats()
				for range times {
					all, err := store.GetAll(t.Context(), keys)
					if err != nil || all[3].Entry.State != cache.Present || all[9].Entry.State != cache.Absent {
						t.Fatalf("the snapshots are %+v, error %v", all, err)
					}
				}
				reads, commands := stats()
				reads, commands = reads-readsBefore, commands-commandsBefore
				t.Logf("%d commands in %d reads of the servers", commands, reads)
				if reads > times*3/2 || commands < times {
					t.Errorf("%d commands came in %d reads of the servers, want a read for each of %d calls, and few for canaries and this test", commands, reads, times)
				}
			})
		}
	}
}

func TestForeignKindOfValueAmongManyReadsAsAlone(t *testing.T) {
	server := servers.StartRedis(t)
	client := raw(t, server)
	for phrase, open := range map[string]func(testing.TB, string) *rediscache.Store{"without memory": openWatching, "for the memory": openNear} {
		t.Run(phrase, func(t *testing.T) {
			store, keys := open(t, singleURL(server)), newKeys(t, 3)
			if err := client.RPush(t.Context(), rediscache.DefaultPrefix+string(keys[1]), "a", "b").Err(); err != nil {
				t.Fatal(err)
			}
			alone, err := store.Get(t.Context(), keys[1])
			if err != nil {
				t.Fatal(err)
			}
			all, err := store.GetAll(t.Context(), keys)
			if err != nil || all[1].Entry.State != cache.Absent || all[1].Version() != alone.Version() {
				t.Fatalf("the list reads as %s, version %q, error %v, want absent and the version %q", all[1].Entry.State, all[1].Version(), err, alone.Version())
			}
			next, _ := all[1].Entry.Claim(all[1].Now(), cloudmirror.NewID(), cloudmirror.FirstGeneration, time.Minute)
			if after, swapped, err := store.Swap(t.Context(), keys[1], all[1], next); err != nil || !swapped {
				t.Errorf("the swap of the list: swapped is %t, error %v; stored is %s", swapped, err, after.Entry.State)
			}
		})
	}
}

func TestWhatManyKeysReadAsIsKeptInMemory(t *testing.T) {
	server := servers.StartRedis(t)
	store, other, keys := openNear(t, singleURL(server)), openWatching(t, singleURL(server)), newKeys(t, 3)
	for _, key := range keys[1:] {
		if err := change(t.Context(), other, key); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "what was read is in memory", func() error {
		all, err := store.GetAll(t.Context(), keys)
		if err != nil {
			return err
		}
		for i, key := range keys[1:] {
			at, ok := store.Recall(key)
			if !ok {
				return errors.New("it is not in memory")
			}
			if at.Entry.Generation != all[i+1].Entry.Generation {
				t.Errorf("memory shows the generation %s, read was %s", at.Entry.Generation, all[i+1].Entry.Generation)
			}
		}
		return nil
	})
	if _, ok := store.Recall(keys[0]); ok {
		t.Error("memory shows an entry that is not there")
	}
}

func TestManyKeysOfADeadServerAreAnError(t *testing.T) {
	server := servers.StartRedis(t)
	store := openNear(t, singleURL(server))
	server.Kill()
	if all, err := store.GetAll(t.Context(), newKeys(t, 2)); err == nil {
		t.Errorf("they read as %+v", all)
	}
}
