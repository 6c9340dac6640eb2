package engine_test

import (
	"context"

	"cloudmirror/cache"
	"cloudmirror/engine"
)

// What histories do with evictions, and what must hold of them: none removes bytes that
// an entry says are present, and once one has returned that the copy is evicted, no
// client is told of it. A flush may let an attempt begin while an eviction is under way:
// then the copy counts as lost, until a look finds out.

// An eviction is when one began and returned, or 0, whether a copy was evicted, and which.
type eviction struct {
	began, returned int
	evicted         bool
	key             string // of the copy
}

// evictionKey is that of the eviction in a context.
type evictionKey struct{}

func (h *history) evict(ctx context.Context, process string) {
	e := &eviction{began: h.tick("%s begins to evict", process)}
	h.mu.Lock()
	h.evictions = append(h.evictions, e)
	h.mu.Unlock()
	outcome, err := h.engines[process].Evict(context.WithValue(ctx, evictionKey{}, e), h.want)
	returned := h.tick("the eviction of %d returns %d, %v", e.began, outcome, err)
	h.mu.Lock()
	e.returned, e.evicted = returned, err == nil && outcome == engine.Evicted
	h.mu.Unlock()
}

// removing is called before a key is removed.
func (h *history) removing(ctx context.Context, key string) {
	e, ok := ctx.Value(evictionKey{}).(*eviction)
	if !ok {
		return
	}
	h.mu.Lock()
	if e.key == "" { // else it purges
		e.key = key
	}
	flushed := h.flushed > e.began
	h.mu.Unlock()
	at, err := h.memory.Get(ctx, h.near.key)
	_, missing := h.bucket.find(key)
	switch {
	case missing != nil:
	case flushed:
		h.bucket.loseOne(key)
	case err == nil && at.Entry.State == cache.Present && h.want.Object.StorageKey(at.Entry.Generation) == key:
		h.complain("the eviction of %d removes a copy that is present", e.began)
	}
}

// judgeEvictions checks what a client is told at now that asked at began: a copy that
// was stored then under key, and that storage may have lost. It reports whether no eviction
// may have removed it meanwhile.
func (h *history) judgeEvictions(began, now, stored int, key string, isLost bool) (quiet bool) {
	h.mu.Lock()
	evictions, flushed := h.evictions, h.flushed
	h.mu.Unlock()
	quiet = true
	for _, e := range evictions {
		h.mu.Lock()
		e := *e
		h.mu.Unlock()
		if e.evicted && e.key == key && e.returned < began && stored < e.began && !isLost {
			h.complain("a client that asked at %d is told of the copy of %d, which was evicted from %d to %d", began, stored, e.began, e.returned)
		}
		if e.began < now && (e.returned == 0 || e.returned > began) && flushed > e.began {
			quiet = false
		}
	}
	return quiet
}
