package rediscache_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"cloudmirror/cache"
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

// A requestCount counts what a client sends: commands alone, and pipelines.
type requestCount struct{ atomic.Int64 }

func (n *requestCount) DialHook(next redis.DialHook) redis.DialHook { return next }

func (n *requestCount) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, c redis.Cmder) error { n.Add(1); return next(ctx, c) }
}

func (n *requestCount) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, c []redis.Cmder) error { n.Add(1); return next(ctx, c) }
}

// The server reads each pipeline at once, and each reader gets its own entry. How many
// pipelines there are depends on the machine: TestReadsOfManyCallersNeedFewRequests.
func TestReadsAtTheSameTimeGoTogether(t *testing.T) {
	server := servers.StartRedis(t)
	store := openWatching(t, singleURL(server))
	var requests requestCount
	store.Client().AddHook(&requests)
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
	requests.Store(0)
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
	const opening = 100 // reads of what connections begin with
	if sent := int(requests.Load()); commands < readers*times || reads > 2*sent+opening {
		t.Errorf("%d commands in %d requests came in %d reads of the server", commands, sent, reads)
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
