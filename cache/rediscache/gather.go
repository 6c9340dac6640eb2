package rediscache

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// maxGathered bounds the reads of one pipeline.
const maxGathered = 128

// If round trips take more than farTrip, Redis is far, or the machine is loaded. Then up
// to farLimit pipelines may be under way.
const (
	farTrip  = 5 * time.Millisecond
	farLimit = 64
)

// errUnanswered marks commands until there is an answer. Of a pipeline that fails
// since its connection is refused, by a wrong password for example, go-redis
// leaves the commands as they are (v9.23), so that they seem to have found nothing.
var errUnanswered = errors.New("rediscache: not answered")

// A gatherer sends reads that are asked for at the same time in one pipeline:
// while as many pipelines are under way as there are processors (64, if round trips
// take more than 5 ms), reads wait and go together with the next one.
type gatherer struct {
	client   redis.UniversalClient
	calls    *calls
	patience time.Duration // how long a caller waits for its reads
	limit    int           // of pipelines under way
	farLimit int           // as limit, if Redis is far

	mu       sync.Mutex
	underWay map[*pipeline]struct{}
	trip     time.Duration // of the last few
	waiting  [][]gathered  // the reads of one caller each
}

// A pipeline is some reads on their way.
type pipeline struct {
	began time.Time
	reads []*gathered
}

// A gathered is one read. The reads of one caller go in one pipeline, and the results
// of all are there when done is closed.
type gathered struct {
	name   string
	left   bool // in the last read of a caller: the caller does not wait any more; guarded by the gatherer's mu
	result string
	err    error
	done   chan struct{} // in the last read of a caller
}

// value returns what is stored, of which "" is nothing.
func (r *gathered) value() (string, error) {
	switch {
	case r.err == nil:
		return r.result, nil
	case errors.Is(r.err, redis.Nil):
		return "", nil
	case redis.HasErrorPrefix(r.err, "WRONGTYPE"):
		return foreign, nil
	}
	return "", r.err
}

// end says that the read is done.
func (r *gathered) end() {
	if r.done != nil {
		close(r.done)
	}
}

// newGatherer returns one that makes its requests as calls of c.
func newGatherer(client redis.UniversalClient, c *calls, patience time.Duration) *gatherer {
	return &gatherer{
		client: client, calls: c, patience: patience, limit: max(2, runtime.GOMAXPROCS(0)), farLimit: farLimit,
		underWay: make(map[*pipeline]struct{}),
	}
}

// get is a GET of one name. It returns what is stored, of which "" is nothing.
func (g *gatherer) get(ctx context.Context, name string) (string, error) {
	reads := []gathered{{name: name}}
	if err := g.read(ctx, reads); err != nil {
		return "", err
	}
	return reads[0].value()
}

// getAll is a GET of each of at most maxGathered names, all in one pipeline. One MGET
// would not tell a value of another type from none, and users with an ACL that older
// releases documented may not send it.
func (g *gatherer) getAll(ctx context.Context, names []string) ([]string, error) {
	reads := make([]gathered, len(names))
	for i, name := range names {
		reads[i].name = name
	}
	if err := g.read(ctx, reads); err != nil {
		return nil, err
	}
	values := make([]string, len(reads))
	for i := range reads {
		var err error
		if values[i], err = reads[i].value(); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// read makes the reads of one caller, of which there is at least one. The caller waits
// as long as its context and the patience of the gatherer let it, whatever becomes of
// the pipeline.
func (g *gatherer) read(ctx context.Context, reads []gathered) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	last := &reads[len(reads)-1]
	last.done = make(chan struct{})
	g.mu.Lock()
	g.waiting = append(g.waiting, reads)
	g.dispatch() //nolint:contextcheck // a pipeline is of many callers, and outlives each
	g.mu.Unlock()
	err := await(ctx, last.done, g.patience)
	if err != nil {
		g.leave(last) //nolint:contextcheck // as above
	}
	return err
}

// dispatch begins pipelines while there is room for them. The caller holds the
// lock.
func (g *gatherer) dispatch() {
	for p := g.take(); p != nil; p = g.take() {
		if !g.calls.begin(func() { g.run(p) }) {
			g.refuse(p)
		}
	}
}

// take returns a pipeline of reads that wait; nil if none do, or there is no room.
// Reads whose callers have left are dropped, so that those of a frozen server do
// not pile up. The caller holds the lock.
func (g *gatherer) take() *pipeline {
	if len(g.waiting) == 0 || len(g.underWay) >= g.room() {
		return nil
	}
	p := &pipeline{began: time.Now()}
	taken := 0
	for ; taken < len(g.waiting) && len(p.reads)+len(g.waiting[taken]) <= maxGathered; taken++ {
		reads := g.waiting[taken]
		if reads[len(reads)-1].left {
			continue
		}
		for i := range reads {
			p.reads = append(p.reads, &reads[i])
		}
	}
	kept := copy(g.waiting, g.waiting[taken:])
	clear(g.waiting[kept:])
	g.waiting = g.waiting[:kept]
	if len(p.reads) == 0 {
		return nil
	}
	g.underWay[p] = struct{}{}
	return p
}

// room returns how many pipelines may be under way: more if the server is far,
// so that no caller waits for most of a round trip before its own begins.
func (g *gatherer) room() int {
	if g.trip > farTrip {
		return g.farLimit
	}
	return g.limit
}

// run sends one pipeline after the other, while reads wait. Each is bounded by a
// time of its own: its callers leave when they like.
func (g *gatherer) run(p *pipeline) {
	for p != nil {
		if len(p.reads) == 1 {
			g.sendOne(p.reads[0])
		} else {
			g.send(p.reads)
		}
		p = g.next(p)
	}
}

func (g *gatherer) sendOne(read *gathered) {
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	read.result, read.err = g.client.Get(ctx, read.name).Result()
	read.end()
}

func (g *gatherer) send(reads []*gathered) {
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	commands := make([]*redis.StringCmd, len(reads))
	_, err := g.client.Pipelined(ctx, func(line redis.Pipeliner) error {
		for i, read := range reads {
			commands[i] = line.Get(ctx, read.name)
			commands[i].SetErr(errUnanswered)
		}
		return nil
	})
	for i, read := range reads {
		read.result, read.err = commands[i].Result()
		if errors.Is(read.err, errUnanswered) && err != nil {
			read.err = err
		}
		read.end()
	}
}

// next ends a pipeline and returns the one that takes its place, if there is any.
func (g *gatherer) next(p *pipeline) *pipeline {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.trip += (time.Since(p.began) - g.trip) / 8
	delete(g.underWay, p)
	after := g.take()
	g.dispatch() // there may be room for more than before
	return after
}

// refuse ends a pipeline that cannot be sent. The caller holds the lock.
func (g *gatherer) refuse(p *pipeline) {
	for _, read := range p.reads {
		read.err = redis.ErrClosed
		read.end()
	}
	delete(g.underWay, p)
}

// leave forgets a read whose caller waits no longer. Pipelines that are as late
// hold up no others any more: their connections may be dead. Those that go on are
// bounded by their time and by the connections of the client.
func (g *gatherer) leave(read *gathered) {
	g.mu.Lock()
	defer g.mu.Unlock()
	read.left = true
	for p := range g.underWay {
		if time.Since(p.began) >= g.patience {
			delete(g.underWay, p)
		}
	}
	g.dispatch()
}
