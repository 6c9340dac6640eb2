package rediscache

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// maxGathered bounds the reads of one pipeline.
const maxGathered = 128

// From farTrip on, a round trip is longer than processors explain; then so many
// pipelines may be under way.
const (
	farTrip  = 5 * time.Millisecond
	farLimit = 64
)

// errUnanswered marks commands until there is an answer. Of a pipeline that fails
// since its connection is refused, by a wrong password for example, go-redis
// leaves the commands as they are (v9.23), so that they seem to have found nothing.
var errUnanswered = errors.New("rediscache: not answered")

// A gatherer sends reads that are asked for at the same time in one pipeline:
// while as many pipelines are under way as there are processors (many more, if
// Redis is far), reads wait and go together with the next one. A caller waits as long as its context lets it,
// whatever becomes of the pipeline.
type gatherer struct {
	client  redis.UniversalClient
	timeout time.Duration // of a read, and of a pipeline
	limit   int           // of pipelines under way
	running sync.WaitGroup

	mu       sync.Mutex
	underWay int
	trip     time.Duration // of the last few
	waiting  []*gathered
}

// A gathered is one read. Its result is there when done is closed.
type gathered struct {
	name   string
	left   atomic.Bool // the caller does not wait any more
	result string
	err    error
	done   chan struct{}
}

func newGatherer(client redis.UniversalClient, timeout time.Duration) *gatherer {
	return &gatherer{client: client, timeout: timeout, limit: max(2, runtime.GOMAXPROCS(0))}
}

// get is a GET. It ends after the timeout at the latest.
func (g *gatherer) get(ctx context.Context, name string) (string, error) {
	g.mu.Lock()
	if g.underWay < g.room() {
		g.underWay++
		g.mu.Unlock()
		ctx, cancel := context.WithTimeout(ctx, g.timeout)
		defer cancel()
		began := time.Now()
		raw, err := g.client.Get(ctx, name).Result() // alone
		g.next(time.Since(began))                    //nolint:contextcheck // a pipeline is of many callers, and outlives each
		return raw, err
	}
	read := &gathered{name: name, done: make(chan struct{})}
	g.waiting = append(g.waiting, read)
	g.mu.Unlock()
	timer := time.NewTimer(g.timeout) // a context with a deadline costs more
	defer timer.Stop()
	select {
	case <-read.done:
		return read.result, read.err
	case <-timer.C:
		read.left.Store(true)
		return "", context.DeadlineExceeded
	case <-ctx.Done():
		read.left.Store(true)
		return "", ctx.Err()
	}
}

// room returns how many pipelines may be under way: more if the server is far,
// so that nobody waits for most of a round trip before his own begins.
func (g *gatherer) room() int {
	if g.trip > farTrip {
		return farLimit
	}
	return g.limit
}

// next ends what was under way and took so long, and begins what has waited for
// it. Reads whose
// callers have left are dropped, so that those of a frozen server do not pile up.
func (g *gatherer) next(took time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.trip += (took - g.trip) / 8
	var reads []*gathered
	taken := 0
	for ; taken < len(g.waiting) && len(reads) < maxGathered; taken++ {
		if read := g.waiting[taken]; !read.left.Load() {
			reads = append(reads, read)
		}
	}
	clear(g.waiting[:taken])
	g.waiting = g.waiting[taken:]
	if len(reads) == 0 {
		g.underWay--
		return
	}
	g.running.Go(func() { // not in the caller, who has its answer
		began := time.Now()
		g.run(reads)
		g.next(time.Since(began))
	})
}

// run sends one pipeline. It is bounded by a time of its own: its callers leave
// when they like.
func (g *gatherer) run(reads []*gathered) {
	ctx, cancel := context.WithTimeout(context.Background(), g.timeout)
	defer cancel()
	commands := make([]*redis.StringCmd, len(reads))
	_, err := g.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, read := range reads {
			commands[i] = p.Get(ctx, read.name)
			commands[i].SetErr(errUnanswered)
		}
		return nil
	})
	for i, read := range reads {
		read.result, read.err = commands[i].Result()
		if errors.Is(read.err, errUnanswered) && err != nil {
			read.err = err
		}
		close(read.done)
	}
}
