package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/cache/rediscache"
	"cloudmirror/test/lab"
)

const (
	fewEntries     = 1_000 // all of them hot
	goalGrowth     = 0.90  // of the hits per CPU second with few entries
	goalEntryBytes = 350
	goalStartMore  = 10 // milliseconds
)

// A fullRedis is a Redis with entries of objects, and front ends on it.
type fullRedis struct {
	entries     int
	redis       *process
	bytes       float64 // of Redis' memory, each entry
	near, plain *candidate
	starts      []float64 // milliseconds until a front end answers
}

func measureGrowth(ctx context.Context, l *laboratory) (result, error) {
	few, many := &fullRedis{entries: fewEntries}, &fullRedis{entries: l.entries}
	defer few.stop()
	defer many.stop()
	all := []*fullRedis{few, many}
	var candidates []*candidate
	for _, f := range all {
		if err := f.start(ctx, l); err != nil {
			return result{}, err
		}
		candidates = append(candidates, f.near, f.plain)
	}
	paths := make([]string, fewEntries)
	for i := range paths {
		paths[i] = redirectPath(entryURL(i))
	}
	for range l.starts {
		for _, f := range all {
			took, err := l.timeStart(ctx, l.configured("frontend", cacheOn(f.redis)+nowhere, nowhereStorage))
			if err != nil {
				return result{}, err
			}
			f.starts = append(f.starts, milliseconds(took))
		}
	}
	if err := l.takeTurns(ctx, l.rounds, candidates, paths); err != nil {
		return result{}, err
	}
	return reportGrowth(few, many), nil
}

func (f *fullRedis) start(ctx context.Context, l *laboratory) (err error) {
	if f.redis, err = l.startRedis(ctx); err != nil {
		return err
	}
	client := redis.NewClient(&redis.Options{Addr: f.redis.address, ContextTimeoutEnabled: true, ReadTimeout: time.Minute})
	defer client.Close()
	before, err := usedMemory(ctx, client)
	if err != nil {
		return err
	}
	if err := writeEntries(ctx, client, f.entries); err != nil {
		return err
	}
	after, err := usedMemory(ctx, client)
	if err != nil {
		return err
	}
	f.bytes = (after - before) / float64(f.entries)
	of := fmt.Sprintf(", %d entries", f.entries)
	f.near, f.plain = &candidate{name: "near cache" + of}, &candidate{name: "a read of Redis each" + of}
	if f.near.process, err = l.startConfigured(ctx, "frontend", cacheOn(f.redis)+nowhere, nowhereStorage); err != nil {
		return err
	}
	f.plain.process, err = l.startConfigured(ctx, "frontend", cacheOn(f.redis, withoutNear)+nowhere, nowhereStorage)
	return err
}

func (f *fullRedis) stop() {
	for _, c := range []*candidate{f.near, f.plain} {
		if c != nil && c.process != nil {
			c.process.stop()
		}
	}
	if f.redis != nil {
		f.redis.stop()
	}
}

func entryURL(i int) string { return fmt.Sprintf("http://127.0.0.1:9/releases/%d/tool.tar.gz", i) }

// writeEntries writes entries of copies as cloudmirror writes them.
func writeEntries(ctx context.Context, client *redis.Client, entries int) error {
	const batch, life = 1_000, 24 * time.Hour
	now := time.Now()
	for first := 0; first < entries; first += batch {
		pipeline := client.Pipeline()
		for i := first; i < min(first+batch, entries); i++ {
			object, err := cloudmirror.ParseObject(entryURL(i))
			if err != nil {
				return err
			}
			entry := cache.Entry{
				State: cache.Present, Generation: cloudmirror.FirstGeneration, Until: now.Add(life),
				Copy: cache.Copy{SizeBytes: 12_345_678 + int64(i), SHA256: object.Hash(), StoredAt: now}, // any 64 digits
			}
			key := rediscache.DefaultPrefix + string(cache.KeyOf(object, cloudmirror.BackendID{Service: "s3", Region: "us-east-1"}))
			pipeline.Set(ctx, key, entry.Encode(), life)
		}
		if _, err := pipeline.Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

func usedMemory(ctx context.Context, client *redis.Client) (float64, error) {
	info, err := client.Info(ctx, "memory").Result()
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(info) {
		if value, found := strings.CutPrefix(line, "used_memory:"); found {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("no used_memory in %q", info)
}

func reportGrowth(few, many *fullRedis) result {
	var rows [][]string
	for _, pair := range [][2]*candidate{{few.near, many.near}, {few.plain, many.plain}} {
		for _, c := range pair {
			rows = append(rows, []string{c.name, spread(c.rates, 0), spread(ratios(c.rates, pair[0].rates), 2)})
		}
	}
	return result{
		goals: []goal{
			atLeast(fmt.Sprintf("growth to %d entries: hits per CPU second, near cache", many.entries), asRatio, goalGrowth, ratios(many.near.rates, few.near.rates)...),
			atLeast(fmt.Sprintf("growth to %d entries: hits per CPU second, a read of Redis each", many.entries), asRatio, goalGrowth, ratios(many.plain.rates, few.plain.rates)...),
			atMost("Redis' memory for each entry", unit{0, " bytes"}, goalEntryBytes, many.bytes),
			atMost("growth: start of a front end takes longer by", asMilliseconds, goalStartMore, median(many.starts)-median(few.starts)),
		},
		text: fmt.Sprintf(`Front ends answer for the same %d objects, in turn, while their Redis holds %d entries, or %d. Entries are written as cloudmirror writes them.

%s
Memory of Redis (used_memory, less what it was when empty) for each entry: %.0f bytes of %d, %.0f bytes of %d. A front end answers after %s ms with few entries, %s ms with many.`,
			fewEntries, few.entries, many.entries, lab.Table([]string{"front end", "hits per CPU second", "ratio"}, rows),
			few.bytes, few.entries, many.bytes, many.entries, spread(few.starts, 1), spread(many.starts, 1)),
	}
}
