package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/cache/rediscache"
	"cloudmirror/test/lab"
)

const (
	wakeWrites  = 10_000 // a second, beside what is measured
	goalWake50  = 1      // milliseconds
	goalWake99  = 3
	wakeBatches = time.Millisecond
)

// wakes is how long it took, in milliseconds, until the waiting client had its
// redirect.
type wakes struct {
	fromSent, fromDone []float64 // since the copy's completion was sent to Redis; was acknowledged
}

func measureWake(ctx context.Context, l *laboratory) (result, error) {
	redisServer, err := l.startRedis(ctx)
	if err != nil {
		return result{}, err
	}
	defer redisServer.stop()
	front, err := l.startConfigured(ctx, "frontend", cacheOn(redisServer)+nowhere, nowhereStorage)
	if err != nil {
		return result{}, err
	}
	defer front.stop()
	// We are the copier: what ends a copy is this write.
	store, err := rediscache.New(rediscache.Options{URL: "redis://" + redisServer.address + "/0", Timeout: 5 * time.Second})
	if err != nil {
		return result{}, err
	}
	defer store.Close()
	var quiet, busy wakes
	if err := quiet.measure(ctx, l, store, front, "quiet"); err != nil {
		return result{}, err
	}
	writer := redis.NewClient(&redis.Options{Addr: redisServer.address, ContextTimeoutEnabled: true})
	defer writer.Close()
	writing, stop := context.WithCancel(ctx)
	rate := make(chan float64)
	go func() { rate <- writeSteadily(writing, writer) }()
	err = busy.measure(ctx, l, store, front, "busy")
	stop()
	reached := <-rate
	if err != nil {
		return result{}, err
	}
	return reportWake(quiet, busy, reached), nil
}

// measure lets a client wait for one object after the other, and completes each.
func (w *wakes) measure(ctx context.Context, l *laboratory, store *rediscache.Store, front *process, name string) error {
	for i := range l.wakes {
		object, err := cloudmirror.ParseObject(fmt.Sprintf("http://127.0.0.1:9/%s/%d.bin", name, i))
		if err != nil {
			return err
		}
		if err := w.wakeOne(ctx, l, store, front, object); err != nil {
			return err
		}
	}
	return nil
}

func (w *wakes) wakeOne(ctx context.Context, l *laboratory, store *rediscache.Store, front *process, o cloudmirror.Object) error {
	const lease = time.Minute
	job, attempt := cloudmirror.NewID(), cloudmirror.NewID()
	key := cache.KeyOf(o, cloudmirror.BackendID{Service: "s3", Region: "us-east-1"})
	at, err := cache.Update(ctx, store, key, cache.Snapshot{}, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		claimed, _ := e.Claim(now, job, cloudmirror.FirstGeneration, lease)
		started, outcome := claimed.Start(now, job, attempt, cloudmirror.FirstGeneration, lease)
		if outcome != cache.StartWon {
			return e, errors.New("the entry is not to be had")
		}
		return started, nil
	})
	if err != nil {
		return err
	}
	type answer struct {
		at  time.Time
		err error
	}
	answered := make(chan answer, 1)
	go func() {
		response, err := l.get(ctx, "http://"+front.address+redirectPath(o.URL()))
		a := answer{at: time.Now(), err: err}
		if err == nil {
			response.Body.Close()
			if response.StatusCode != http.StatusFound || !strings.Contains(response.Header.Get("Location"), o.Hash()) {
				a.err = fmt.Errorf("the waiting client got %s", response.Status)
			}
		}
		answered <- a
	}()
	err = await(ctx, "the client to wait", func() (bool, error) {
		n, err := l.metric(ctx, front, "cloudmirror_waiters")
		return n == 1, err
	})
	if err != nil {
		return err
	}
	sent := time.Now()
	_, err = cache.Update(ctx, store, key, at, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		return e.Complete(now, attempt, cache.Copy{SizeBytes: 1024, SHA256: strings.Repeat("0", 64), StoredAt: now}, now.Add(time.Hour))
	})
	done := time.Now()
	if err != nil {
		return err
	}
	a := <-answered
	if a.err == nil {
		w.fromSent, w.fromDone = append(w.fromSent, milliseconds(a.at.Sub(sent))), append(w.fromDone, milliseconds(a.at.Sub(done)))
	}
	return a.err
}

// writeSteadily writes entries of others until the context ends, and returns how
// many a second.
func writeSteadily(ctx context.Context, client *redis.Client) float64 {
	value := cache.Entry{State: cache.Queued, Generation: cloudmirror.FirstGeneration, Until: time.Now().Add(time.Hour), Job: cloudmirror.NewID()}.Encode()
	begun, written := time.Now(), 0
	for lab.Pause(ctx, wakeBatches) == nil {
		due := int(time.Since(begun).Seconds() * wakeWrites)
		pipeline := client.Pipeline()
		first := written
		for ; written < due; written++ {
			pipeline.Set(ctx, fmt.Sprintf("%s{other-%d}:s3:us-east-1", rediscache.DefaultPrefix, written%50_000), value, time.Minute)
		}
		if _, err := pipeline.Exec(ctx); err != nil {
			written = first
		}
	}
	return float64(written) / time.Since(begun).Seconds()
}

func reportWake(quiet, busy wakes, reached float64) result {
	var rows [][]string
	for _, row := range []struct {
		what   string
		values []float64
	}{
		{"quiet, since the write was sent", quiet.fromSent},
		{"quiet, since it was acknowledged", quiet.fromDone},
		{"busy, since the write was sent", busy.fromSent},
		{"busy, since it was acknowledged", busy.fromDone},
	} {
		rows = append(rows, quantileRow(row.what, row.values))
	}
	return result{
		goals: []goal{
			atMost("waking, quiet: copy complete to redirect, p50", asMilliseconds, goalWake50, quantile(quiet.fromSent, 0.5)),
			atMost("waking, quiet: p99", asMilliseconds, goalWake99, quantile(quiet.fromSent, 0.99)),
			atMost("waking beside 10,000 writes a second: p50", asMilliseconds, goalWake50, quantile(busy.fromSent, 0.5)),
			atMost("waking beside 10,000 writes a second: p99", asMilliseconds, goalWake99, quantile(busy.fromSent, 0.99)),
		},
		text: fmt.Sprintf(`A client waits at a front end for a copy that another process makes. That process is the benchmark itself, which changes the entry in Redis as a copier does. The time runs from when it sends the change that completes the copy until the client has its redirect, %d times one after the other; goals are judged by that. Then the same beside %.0f writes of other entries a second, all of which Redis tells the front end.

%s`, len(quiet.fromSent), reached, lab.Table(quantileHead, rows)),
	}
}
