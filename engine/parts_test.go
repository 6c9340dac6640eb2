package engine_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"cloudmirror/cache"
	"cloudmirror/cache/memcache"
	"cloudmirror/queue"
	"cloudmirror/storage"
)

// The parts of a history: one deployment's cache, storage and queue, as one
// process sees them. Each call takes effect at once, when the schedule says so.

type scheduledCache struct {
	*memcache.Store
	*schedule
	near    *nearCache
	process string
}

func (c *scheduledCache) Get(ctx context.Context, key cache.Key) (at cache.Snapshot, err error) {
	if failed := c.call(ctx, c.process+" cache get", func() { at, err = c.Store.Get(ctx, key) }); failed != nil {
		return cache.Snapshot{}, failed
	}
	return at, err
}

func (c *scheduledCache) GetAll(ctx context.Context, keys []cache.Key) (all []cache.Snapshot, err error) {
	if failed := c.call(ctx, c.process+" cache get all", func() { all, err = c.Store.GetAll(ctx, keys) }); failed != nil {
		return nil, failed
	}
	return all, err
}

func (c *scheduledCache) Swap(ctx context.Context, key cache.Key, old cache.Snapshot, next cache.Entry) (at cache.Snapshot, swapped bool, err error) {
	name := fmt.Sprintf("%s cache swap %s %.4s for %s %.4s", c.process, old.Entry.State, old.Entry.Generation, next.State, next.Generation)
	swap := func() {
		at, swapped, err = c.Store.Swap(ctx, key, old, next)
		c.near.note(ctx)
	}
	if failed := c.call(ctx, name, swap); failed != nil {
		return cache.Snapshot{}, false, failed
	}
	return at, swapped, err
}

// A nearCache is the worst that a front end's own memory may do: it shows a
// present entry for as long after it is gone as is allowed, and learns of nothing
// before that.
type nearCache struct {
	memory *memcache.Store
	key    cache.Key
	delta  time.Duration // 0: it shows nothing

	mu            sync.Mutex
	current, last cache.Snapshot // the entry, and the last one that was present and no more is
	gone          time.Time      // when that ended
}

// note looks at what is stored, after each change of it.
func (n *nearCache) note(ctx context.Context) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now, err := n.memory.Get(ctx, n.key)
	if err == nil && n.current.Entry.State == cache.Present && now.Version() != n.current.Version() {
		n.last, n.gone = n.current, time.Now()
	}
	n.current = now
}

// Recall implements engine.Near.
func (n *nearCache) Recall(cache.Key) (cache.Recalled, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	for _, at := range []cache.Snapshot{n.last, n.current} {
		shown := n.delta > 0 && at.Entry.At(now).State == cache.Present
		if shown && (at.Version() == n.current.Version() || now.Sub(n.gone) < n.delta) {
			return cache.Recalled{Entry: &at.Entry, Now: now}, true
		}
	}
	return cache.Recalled{}, false
}

// RecallAny implements engine.Near.
func (n *nearCache) RecallAny(key cache.Key) (cache.Recalled, bool) { return n.Recall(key) }

// NoteAbsent implements engine.Near. Absence is not remembered.
func (n *nearCache) NoteAbsent(cache.Key, cache.Snapshot, cache.Entry) {}

// A bucket is what is stored.
type bucket struct {
	mu      sync.Mutex
	objects map[string]storedObject
	uploads map[string]int  // by key: when the last upload began that was ever put there
	stored  map[string]int  // by key: when the last copy was put there
	lost    map[string]bool // the keys whose copies were lost since
}

type storedObject struct {
	body string
	info storage.Info
}

func newBucket() *bucket {
	return &bucket{objects: make(map[string]storedObject), uploads: make(map[string]int), stored: make(map[string]int), lost: make(map[string]bool)}
}

func (b *bucket) find(key string) (storedObject, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o, ok := b.objects[key]
	if ends := o.info.ExpiresAt; !ok || !ends.IsZero() && !time.Now().Before(ends) {
		return storedObject{}, storage.ErrNotExist
	}
	return o, nil
}

func (b *bucket) put(at int, key, body string, o storage.PutOptions) (storage.Info, error) {
	if _, err := b.find(key); err == nil && !o.Replace {
		return storage.Info{}, storage.ErrExist
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	sum := sha256.Sum256([]byte(body))
	info := storage.Info{SizeBytes: int64(len(body)), SHA256: hex.EncodeToString(sum[:]), StoredAt: time.Now(), ExpiresAt: o.ExpiresAt}
	b.objects[key] = storedObject{body: body, info: info}
	if began, err := strconv.Atoi(body); err == nil {
		b.uploads[key], b.stored[key] = began, at
		delete(b.lost, key)
	}
	return info, nil
}

func (b *bucket) remove(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.objects, key)
}

// lose removes all copies without telling the engine. Markers stay: what they say, no process
// else knows.
func (b *bucket) lose() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key := range b.uploads {
		if _, there := b.objects[key]; there {
			delete(b.objects, key)
			b.lost[key] = true
		}
	}
}

// loseOne notes that the copy under key is lost.
func (b *bucket) loseOne(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost[key] = true
}

func (b *bucket) isLost(key string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lost[key]
}

// lastUpload returns when the upload of the last copy under key began and ended, and
// whether it is still there. Began is 0 if there never was one.
func (b *bucket) lastUpload(key string) (began, ended int, there bool) {
	_, err := b.find(key)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.uploads[key], b.stored[key], err == nil
}

type scheduledStorage struct {
	*bucket
	*schedule
	process  string
	removing func(ctx context.Context, key string) // nil: nothing is done before a key is removed
}

// name says what is done with a key, of which the hash in front says nothing.
func (s *scheduledStorage) name(verb, key string) string {
	_, key, _ = strings.Cut(key, "/")
	generation, _, _ := strings.Cut(key, "/")
	return fmt.Sprintf("%s storage %s %.10s", s.process, verb, generation)
}

func (s *scheduledStorage) Stat(ctx context.Context, key string) (storage.Info, error) {
	var found storedObject
	var err error
	if failed := s.call(ctx, s.name("stat", key), func() { found, err = s.find(key) }); failed != nil {
		return storage.Info{}, failed
	}
	return found.info, err
}

func (s *scheduledStorage) Open(ctx context.Context, key string) (io.ReadCloser, storage.Info, error) {
	var found storedObject
	var err error
	if failed := s.call(ctx, s.name("open", key), func() { found, err = s.find(key) }); failed != nil {
		return nil, storage.Info{}, failed
	}
	return io.NopCloser(strings.NewReader(found.body)), found.info, err
}

func (s *scheduledStorage) Put(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (info storage.Info, err error) {
	text, err := io.ReadAll(body)
	if err != nil {
		return storage.Info{}, err
	}
	name := fmt.Sprintf("%s %.4s", s.name("put", key), text)
	if failed := s.call(ctx, name, func() { info, err = s.put(s.now(), key, string(text), o) }); failed != nil {
		return storage.Info{}, failed
	}
	return info, err
}

func (s *scheduledStorage) Delete(ctx context.Context, key string) error {
	return s.call(ctx, s.name("delete", key), func() {
		if s.removing != nil {
			s.removing(ctx, key)
		}
		s.remove(key)
	})
}

func (s *scheduledStorage) URL(_ context.Context, key, _ string) (storage.Link, error) {
	return storage.Link{URL: key}, nil
}

// Messages are the jobs that wait in a queue.
type messages struct {
	mu   sync.Mutex
	jobs []queue.Job
}

func (m *messages) add(job queue.Job) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.jobs = append(m.jobs, job)
}

// take returns the oldest message, and keeps it if it is to be delivered twice.
func (m *messages) take(twice bool) (queue.Job, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.jobs) == 0 {
		return queue.Job{}, false
	}
	job := m.jobs[0]
	m.jobs = m.jobs[1:]
	if twice {
		m.jobs = append(m.jobs, job)
	}
	return job, true
}

func (m *messages) len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.jobs)
}

// A scheduledQueue is only ever sent to: copiers take from the messages.
type scheduledQueue struct {
	queue.Queue
	*messages
	*schedule
	process string
}

func (q *scheduledQueue) Send(ctx context.Context, job queue.Job, _ time.Duration) error {
	return q.call(ctx, fmt.Sprintf("%s queue send %.4s", q.process, job.Generation), func() { q.add(job) })
}
