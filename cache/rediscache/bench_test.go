package rediscache_test

import (
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/test/servers"
)

func BenchmarkGet(b *testing.B) {
	store, key := openWatching(b, singleURL(servers.StartRedis(b))), newKey(b)
	if err := change(b.Context(), store, key); err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	b.ReportAllocs()
	b.SetParallelism(32) // clients of a busy front end
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := store.Get(ctx, key); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkSwap(b *testing.B) {
	store, key := openWatching(b, singleURL(servers.StartRedis(b))), newKey(b)
	ctx := b.Context()
	old, err := store.Get(ctx, key)
	if err != nil {
		b.Fatal(err)
	}
	next := cache.Entry{State: cache.Present, Generation: cloudmirror.FirstGeneration}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		next.Until = old.Now().Add(time.Hour)
		if old, _, err = store.Swap(ctx, key, old, next); err != nil {
			b.Fatal(err)
		}
	}
}
