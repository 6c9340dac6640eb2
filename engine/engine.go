package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/queue"
	"cloudmirror/storage"
)

// A Backend is where the copies of one service in one region live, and the queue
// through which they are asked for.
type Backend struct {
	ID      cloudmirror.BackendID
	Storage storage.Provider
	Queue   queue.Queue

	TTL         time.Duration // how long a copy is kept
	MaxLife     time.Duration // how long one may be kept at most; 0: TTL
	NegativeTTL time.Duration // how long a permanent failure is remembered

	// Recheck is how long ago this process may have seen a copy that it hands out
	// without looking for it again behind that. 0: it never looks again.
	Recheck time.Duration

	looks, sends        *breaker
	lookTurns, actTurns *semaphore.Weighted
	rechecks            *rechecks // nil: Recheck is 0
}

// Timing holds the deadlines and periods of the engine. A zero field has the
// default that stands behind it.
type Timing struct {
	Turn  time.Duration // waiting for a turn to look at storage, or to act on an object; 5 s
	Look  time.Duration // one look at storage; 2 s
	Send  time.Duration // sending one job; 2 s
	Purge time.Duration // each step of a purge; 10 s

	Reserve    time.Duration // how long a claim stands for which no job may have been sent yet; 15 s
	QueueLease time.Duration // how long a job may wait in its queue before it is sent again; 5 min
	CopyLease  time.Duration // how long a copier may be silent; 30 s
	Tombstone  time.Duration // how long a purge is fenced in the cache; 2 min
	Fence      time.Duration // how long a backfill keeps its place, at most; 30 s
	Evict      time.Duration // how long an eviction keeps its place, at most; 15 s
	Poll       time.Duration // the safety net beside pushed changes; 3 s

	Breaker time.Duration // how long a dependency is not asked that failed several times in a row; 1 s
}

func (t Timing) withDefaults() Timing {
	for field, fallback := range map[*time.Duration]time.Duration{
		&t.Turn: 5 * time.Second, &t.Look: 2 * time.Second, &t.Send: 2 * time.Second, &t.Purge: 10 * time.Second,
		&t.Reserve: 15 * time.Second, &t.QueueLease: 5 * time.Minute, &t.CopyLease: 30 * time.Second,
		&t.Tombstone: 2 * time.Minute, &t.Fence: 30 * time.Second, &t.Evict: 15 * time.Second,
		&t.Poll:    3 * time.Second,
		&t.Breaker: time.Second,
	} {
		if *field == 0 {
			*field = fallback
		}
	}
	return t
}

// maxLooks is how many looks at storage one process has under way at once in a backend,
// and how many flights there claim, look and send. More of them would only wait for a
// processor while the deadlines of their calls run out. The others wait for their turn
// before a deadline begins, so that a flood of new objects is slow and is not taken for a
// dead cache or storage.
const maxLooks = 64

// Options are what an Engine is made of.
type Options struct {
	Cache      cache.Store // bounds the time of its calls itself
	Near       Near        // nil: there is none
	Backends   []Backend
	Logger     *zap.Logger
	Registerer prometheus.Registerer // nil: metrics are not exported
	Timing     Timing

	// NearLag is how long after a change the Near of any process of the deployment
	// may show what was before. Purges wait for it. 0: no process has one.
	NearLag time.Duration
}

// An Engine is the engine of one process. It is safe for concurrent use.
type Engine struct {
	cache    *guardedCache
	near     Near
	nearLag  time.Duration
	backends map[cloudmirror.BackendID]*Backend
	breakers *prometheus.GaugeVec
	logger   *zap.Logger
	timing   Timing

	moments atomic.Uint64

	started     time.Time
	due         *dueTimes // of rechecks; nil: there are none
	failureLogs rate.Sometimes

	life    context.Context // ends with Close
	end     context.CancelFunc
	running sync.WaitGroup // flights, looks and rechecks

	flying atomic.Int64 // how many flights there are

	mu      sync.Mutex
	flights map[cache.Key]*flight
	looks   map[cache.Key]*look // that begin next, by objects that are being looked at; nil: none
}

// New returns an Engine. Close it when done.
func New(o Options) *Engine {
	en := &Engine{
		near:     o.Near,
		nearLag:  o.NearLag,
		backends: make(map[cloudmirror.BackendID]*Backend, len(o.Backends)),
		logger:   o.Logger,
		timing:   o.Timing.withDefaults(),
		started:  time.Now(), failureLogs: rate.Sometimes{Interval: failedRecheckLogEvery},
		flights: make(map[cache.Key]*flight),
		looks:   make(map[cache.Key]*look),
	}
	en.breakers = newBreakerGauge(o.Registerer)
	rechecked := newRecheckCounter(o.Registerer)
	en.cache = &guardedCache{Store: o.Cache, breaker: en.newBreaker("cache", cloudmirror.BackendID{})}
	for _, b := range o.Backends {
		b.looks, b.sends = en.newBreaker("storage", b.ID), en.newBreaker("queue", b.ID)
		b.lookTurns, b.actTurns = semaphore.NewWeighted(maxLooks), semaphore.NewWeighted(maxLooks)
		if b.Recheck > 0 {
			b.rechecks = newRechecks(rechecked, b.ID)
			if en.due == nil {
				en.due = newDueTimes()
			}
		}
		en.backends[b.ID] = &b
	}
	en.life, en.end = context.WithCancel(context.Background())
	return en
}

// A moment says what came before what in one process, which clocks do not if
// things happen at once.
type moment uint64

// moment returns one that is after all that were returned before.
func (en *Engine) moment() moment { return moment(en.moments.Add(1)) }

// Close ends all flights, whose waiters get ErrClosed, and waits until they are
// gone. A job that is being sent is sent or released first.
func (en *Engine) Close() {
	en.mu.Lock() // no flight, look or recheck begins after this
	en.end()
	en.mu.Unlock()
	en.running.Wait()
}

// A Want is what a caller wants: an object, in a backend.
type Want struct {
	Object  cloudmirror.Object
	Backend cloudmirror.BackendID

	// Order is what the caller asks of the copy and says of its job. It is not
	// changed after the call. Nil: the want is a waiting client's, which expects
	// nothing. A job that exists already keeps the order that it has; one that is sent
	// for several callers of this process has none if one of them is a waiting client.
	Order *queue.Order

	key cache.Key // of the entry; "": it is made when it is needed
}

// refuses reports whether an entry has a copy that is not the expected one.
func (w *Want) refuses(e *cache.Entry) bool {
	return w.Order != nil && e.State == cache.Present && w.Order.Contradicts(e.Copy.SizeBytes, e.Copy.SHA256)
}

// Keyed returns w with the key of its entry made once, for a caller that asks for the
// same again and again.
func (w Want) Keyed() Want {
	w.key = w.entryKey()
	return w
}

func (w Want) entryKey() cache.Key {
	if w.key != "" {
		return w.key
	}
	return cache.KeyOf(w.Object, w.Backend)
}

// A Source says how a View came about.
type Source int

// The sources of a view.
const (
	FromCache   Source = iota // the cache knew it when it was asked
	FromStorage               // the cache did not know; storage has the copy
	FromCopy                  // the copy was made while the caller waited
)

// A View is what is known of a copy.
type View struct {
	Entry  cache.Entry
	Source Source
	// Now is the cache's clock when the entry was seen; its times are on that
	// clock.
	Now time.Time

	began moment // when the call that found this out was made
}

// Errors of an Engine that callers tell apart.
var (
	ErrUnknownBackend = errors.New("engine: no such backend")
	ErrUnavailable    = errors.New("engine: the cache, the queue or the storage is unavailable") // the chain says which, and why
	ErrClosed         = errors.New("engine: closed")
	// ErrOtherCopy says that there is a copy, of another size or digest than the
	// caller's Order expects. It stays until it expires or is purged.
	ErrOtherCopy = errors.New("engine: the copy is not the expected one")
)

func (en *Engine) backend(id cloudmirror.BackendID) (*Backend, error) {
	b, ok := en.backends[id]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrUnknownBackend, id)
	}
	return b, nil
}

// get reads an entry.
func (en *Engine) get(ctx context.Context, key cache.Key) (at cache.Snapshot, err error) {
	if en.cache.breaker.calm.Load() {
		if at, err = en.cache.Store.Get(ctx, key); err != nil {
			en.cache.breaker.note(ctx, err)
		}
	} else {
		at, err = en.cache.tryGet(ctx, key)
	}
	if err != nil {
		return at, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return at, nil
}

// swap changes the very entry that was seen.
func (en *Engine) swap(ctx context.Context, key cache.Key, old cache.Snapshot, next cache.Entry) (cache.Snapshot, bool, error) {
	at, swapped, err := en.cache.Swap(ctx, key, old, next)
	if err != nil {
		return at, false, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return at, swapped, nil
}

// update changes an entry. An error that the change itself returned is not a
// failure of the cache; it comes back as it is, through refused.
func (en *Engine) update(ctx context.Context, key cache.Key, from cache.Snapshot, change cache.Change) (at cache.Snapshot, refused, err error) {
	return updateIn(ctx, en.cache, key, from, change)
}

// updateUnguarded is update for changes that must be tried even while the cache's breaker is
// open.
func (en *Engine) updateUnguarded(ctx context.Context, key cache.Key, from cache.Snapshot, change cache.Change) (at cache.Snapshot, refused, err error) {
	return updateIn(ctx, en.cache.Store, key, from, change)
}

func updateIn(ctx context.Context, store cache.Store, key cache.Key, from cache.Snapshot, change cache.Change) (at cache.Snapshot, refused, err error) {
	at, err = cache.Update(ctx, store, key, from, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		next, refusal := change(e, now)
		refused = refusal
		return next, refusal
	})
	switch {
	case refused != nil:
		return at, refused, nil
	case err != nil:
		return at, nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return at, nil, nil
}

// Link returns the address from which a client fetches the copy of a generation
// with an HTTP method.
func (en *Engine) Link(ctx context.Context, w Want, g cloudmirror.Generation, method string) (storage.Link, error) {
	b, err := en.backend(w.Backend)
	if err != nil {
		return storage.Link{}, err
	}
	link, err := b.Storage.URL(ctx, w.Object.StorageKey(g), method)
	if err != nil {
		return storage.Link{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return link, nil
}
