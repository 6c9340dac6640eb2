package rediscache_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudmirror/cache"
	"cloudmirror/cache/rediscache"
	"cloudmirror/test/servers"
)

// statsOf returns how often the server has read from its connections, and how
// many commands it has run.
func statsOf(t *testing.T, server *servers.Redis) (reads, commands int) {
	t.Helper()
	info, err := raw(t, server).Info(t.Context(), "stats").Result()
	if err != nil {
		t.Fatal(err)
	}
	value := func(name string) int {
		_, rest, _ := strings.Cut(info, name+":")
		text, _, _ := strings.Cut(rest, "\r\n")
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return value("total_reads_processed"), value("total_commands_processed")
}

func TestReadsAtTheSameTimeGoTogether(t *testing.T) {
	server := servers.StartRedis(t)
	store := open(t, rediscache.Options{URL: singleURL(server), Timeout: time.Minute}) // longer than any load lasts
	await(t, "the store watches", store.Watching)
	store.StayNear(t.Context(), newKey(t))
	const readers, times = 100, 20
	keys, want := make([]cache.Key, readers), make([]cache.Entry, readers)
	for i := range keys {
		keys[i] = newKey(t)
		if i == 0 {
			want[0] = cache.Entry{State: cache.Absent} // one of them is not there
			continue
		}
		if err := change(t.Context(), store, keys[i]); err != nil {
			t.Fatal(err)
		}
		at, err := store.Get(t.Context(), keys[i])
		if err != nil {
			t.Fatal(err)
		}
		want[i] = at.Entry
	}
	readsBefore, commandsBefore := statsOf(t, server)
	var running sync.WaitGroup
	for i := range readers {
		running.Go(func() {
			for range times {
				at, err := store.Get(t.Context(), keys[i])
				if err != nil || at.Entry != want[i] {
					t.Errorf("read %+v, error %v, want %+v", at.Entry, err, want[i])
				}
			}
		})
	}
	running.Wait()
	reads, commands := statsOf(t, server)
	reads, commands = reads-readsBefore, commands-commandsBefore
	t.Logf("%d commands in %d reads of the server", commands, reads)
	if commands < readers*times || reads > commands/3 {
		t.Errorf("%d commands came in %d reads of the server", commands, reads)
	}
}

// The deadlines of callers hold whatever the pipeline does that their reads are
// in.
func TestDeadlinesHoldForReadsThatGoTogether(t *testing.T) {
	server := servers.StartRedis(t)
	store, key := openWatching(t, singleURL(server)), newKey(t)
	server.Stop()
	defer server.Continue()
	var running sync.WaitGroup
	for range 300 {
		running.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			asked := time.Now()
			_, err := store.Get(ctx, key)
			if took := time.Since(asked); err == nil || took > 1500*time.Millisecond {
				t.Errorf("error %v after %v, want one after 100 ms", err, took)
			}
		})
	}
	running.Wait()
	server.Continue()
	if _, err := store.Get(t.Context(), key); err != nil {
		t.Errorf("after the server went on: %v", err)
	}
}
