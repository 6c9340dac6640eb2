package rediscache

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/redisurl"
)

// DefaultPrefix is the prefix of the keys of a Store whose options name none.
const DefaultPrefix = "cloudmirror:"

// DefaultTimeout is the Timeout of a Store whose options name no other.
const DefaultTimeout = 250 * time.Millisecond

// Options configure a Store.
type Options struct {
	// URL names the Redis; redisurl.Parse has its forms.
	URL string
	// Prefix begins the name of every key and of the one channel. Deployments
	// that share a Redis need different ones, none the beginning of another's.
	// "": DefaultPrefix.
	Prefix string
	// CanaryInterval is how often each listening connection is proven to hear
	// of changes. A connection that does not is replaced; until then, at most
	// this long and a second, watchers may wait in vain. 0: a second, or a
	// quarter of NearDelta.
	CanaryInterval time.Duration
	// NearBytes bounds the present entries that are kept in memory for Recall. Absences
	// take up to 4 MiB beside them. 0: nothing is kept.
	NearBytes int64
	// NearDelta is how old what Recall shows may be, with NearBytes.
	NearDelta time.Duration
	// Timeout bounds how long Redis may take for each call, beside the caller's
	// context: no caller should wait long for what is only a cache. A Get that could
	// not be read for the memory takes half as long again, and where the process
	// itself waits for a processor, any call may take longer. 0: DefaultTimeout.
	Timeout    time.Duration
	Logger     *zap.Logger           // nil: no logs
	Registerer prometheus.Registerer // nil: no metrics
}

// A Store is a cache.Store in Redis.
type Store struct {
	prefix  string
	address string // for errors
	timeout time.Duration
	client  redis.UniversalClient
	calls   calls
	reads   *gatherer
	clock   clock
	swap    *redis.Script

	watchers cache.Watchers
	near     *near // nil: nothing is kept in memory
	listener *listener
}

var _ cache.Store = (*Store)(nil)

// New returns a store, which connects in the background: an unreachable Redis
// fails the calls, not New. The error is about the options. Call Close when
// done.
func New(o Options) (*Store, error) {
	d, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if strings.ContainsAny(o.Prefix, "{} \n") {
		return nil, fmt.Errorf("rediscache: the prefix %q has a brace, which would put all keys into one slot of a Cluster, or white space", o.Prefix)
	}
	if o.CanaryInterval == 0 {
		o.CanaryInterval = time.Second
		if o.NearBytes > 0 {
			o.CanaryInterval = min(o.CanaryInterval, o.NearDelta/4)
		}
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	s := &Store{prefix: o.Prefix, address: redisurl.Deployment(d).Address(), timeout: o.Timeout, client: d.open(), swap: redis.NewScript(swapSource)}
	var nodes nodesFunc
	switch client := s.client.(type) {
	case *redis.ClusterClient:
		nodes = clusterNodes(client)
	case *redis.Client:
		nodes = oneNode(client)
	}
	s.reads = newGatherer(s.client, &s.calls, o.Timeout)
	if o.NearBytes > 0 {
		s.near = newNear(o.NearBytes, o.NearDelta)
	}
	s.listener = newListener(s, nodes, o)
	if o.Registerer != nil {
		if err := s.register(o.Registerer); err != nil {
			return nil, errors.Join(fmt.Errorf("rediscache: register metrics: %w", err), s.client.Close())
		}
	}
	s.listener.start()
	return s, nil
}

func (s *Store) register(r prometheus.Registerer) error {
	if s.near != nil {
		if err := s.near.register(r); err != nil {
			return err
		}
	}
	return s.listener.register(r)
}

// Close stops listening and closes the connections. Calls that run fail.
func (s *Store) Close() error {
	s.listener.stop()
	if err := s.client.Close(); err != nil && !errors.Is(err, redis.ErrClosed) {
		return fmt.Errorf("rediscache: close: %w", err)
	}
	s.calls.close() // they fail at once
	return nil
}

// Client returns the store's connections, for another driver on the same Redis. They
// are closed with the store.
func (s *Store) Client() redis.UniversalClient { return s.client }

// Get implements cache.Store.
func (s *Store) Get(ctx context.Context, key cache.Key) (cache.Snapshot, error) {
	if s.near == nil {
		return s.getPlain(ctx, key)
	}
	if at, ok := s.getTracked(ctx, key); ok {
		return at, nil
	}
	return s.getPlain(ctx, key)
}

func (s *Store) getPlain(ctx context.Context, key cache.Key) (cache.Snapshot, error) {
	raw, err := s.reads.get(ctx, s.name(key))
	if err != nil {
		return cache.Snapshot{}, fmt.Errorf("rediscache: get %s: %w", key, s.at(err))
	}
	return snapshot(raw, s.clock.now()), nil
}

// Swap implements cache.Store.
func (s *Store) Swap(ctx context.Context, key cache.Key, old cache.Snapshot, next cache.Entry) (cache.Snapshot, bool, error) {
	seen := old.Now()
	raw, gone := "", seen
	if next.State != cache.Absent {
		raw, gone = next.Encode(), seen.Add(next.KeepFor(seen))
		if _, err := cache.Decode(raw); err != nil {
			return cache.Snapshot{}, false, fmt.Errorf("rediscache: swap %s: %w", key, err)
		}
	}
	answer, now, err := s.runSwap(ctx, s.name(key),
		old.Version(), raw, gone.UnixMilli(), seen.UnixMilli(), cache.MaxClockError.Milliseconds(), foreign)
	if s.near != nil {
		s.near.forget(key) // whatever came of it: its caller does not get the old entry from memory
	}
	if err != nil {
		return cache.Snapshot{}, false, fmt.Errorf("rediscache: swap %s: %w", key, s.at(err))
	}
	if answer.swapped && s.Watching() != nil {
		s.watchers.Notify(key) // this process, at least, need not poll
	}
	return snapshot(answer.stored, now), answer.swapped, nil
}

// runSwap runs the script, and returns the server's time as well. A caller that
// leaves before the answer does not know what became of the swap.
func (s *Store) runSwap(ctx context.Context, name string, args ...any) (r reply, now time.Time, err error) {
	if err := ctx.Err(); err != nil {
		return reply{}, time.Time{}, err
	}
	type result struct {
		reply reply
		now   time.Time
		err   error
	}
	done, answered := make(chan struct{}), new(result)
	begun := s.calls.begin(func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTimeout)
		defer cancel()
		asked := time.Now()
		answered.reply, answered.err = parseReply(s.swap.Run(ctx, s.client, []string{name}, args...))
		if answered.err == nil {
			answered.now = s.clock.learn(asked, answered.reply.microseconds)
		}
	})
	if !begun {
		return reply{}, time.Time{}, redis.ErrClosed
	}
	if err := await(ctx, done, s.timeout); err != nil {
		return reply{}, time.Time{}, err
	}
	return answered.reply, answered.now, answered.err
}

// at adds where Redis is to an error; see cloudmirror.At.
func (s *Store) at(err error) error { return cloudmirror.At(s.address, err) }

// Watch implements cache.Store.
func (s *Store) Watch(key cache.Key) (changed <-chan struct{}, stop func()) {
	return s.watchers.Watch(key)
}

// pingLife is how long the keys of Ping live.
const pingLife = 5 * time.Second

// Ping implements cache.Store. Of a Cluster, every master must answer, and take a
// key. The keys, <prefix>ping:{…}, are outside of what trackers hear of. A server
// that needs another form of URL is an error.
func (s *Store) Ping(ctx context.Context) error {
	ping := func(ctx context.Context, client *redis.Client) error { return client.Ping(ctx).Err() }
	var err error
	switch client := s.client.(type) {
	case *redis.ClusterClient:
		err = client.ForEachMaster(ctx, ping)
	case *redis.Client:
		if err = ping(ctx, client); err == nil {
			err = CheckMode(ctx, client)
		}
	}
	if err != nil {
		return fmt.Errorf("rediscache: ping: %w", s.at(err))
	}
	if err := s.tryWriting(ctx); err != nil {
		return fmt.Errorf("rediscache: write: %w", s.at(err))
	}
	return nil
}

// tryWriting writes a key on each node.
func (s *Store) tryWriting(ctx context.Context) error {
	nodes, err := s.listener.nodes(ctx)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if n.tag == "" { // it holds hardly any keys
			continue
		}
		if err := s.client.Set(ctx, s.prefix+"ping:{"+n.tag+"}", 1, pingLife).Err(); err != nil {
			return err
		}
	}
	return nil
}

// Watching returns nil while watchers are woken by every change, and otherwise
// why they are not, and callers live from their slow poll.
func (s *Store) Watching() error { return s.listener.status() }

// note is called when the entry under key has changed.
func (s *Store) note(key cache.Key) {
	if s.near != nil {
		s.near.forget(key)
	}
	s.watchers.Notify(key)
}

// noteAll is called when any entry may have changed.
func (s *Store) noteAll() {
	if s.near != nil {
		s.near.forgetAll()
	}
	s.watchers.NotifyAll()
}

func (s *Store) name(key cache.Key) string { return s.prefix + string(key) }

// snapshot shows a stored value, of which "" is none. The value is its own
// version.
func snapshot(raw string, now time.Time) cache.Snapshot {
	entry := cache.Entry{State: cache.Absent}
	if raw != "" {
		if read, err := cache.Decode(raw); err == nil {
			entry = read
		}
	}
	return cache.NewSnapshot(entry, raw, now)
}
