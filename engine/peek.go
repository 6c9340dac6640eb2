package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
)

// Near is what a process remembers of entries. It asks neither cache nor storage.
type Near interface {
	// Recall returns an entry that was present at some time of the last Options.NearLag.
	Recall(key cache.Key) (cache.Recalled, bool)

	// RecallAny is Recall that also returns an absent entry that NoteAbsent was given
	// within the last second, unless the entry was changed more than Options.NearLag ago
	// since.
	RecallAny(key cache.Key) (cache.Recalled, bool)

	// NoteAbsent has RecallAny return an absent entry. The caller got the snapshot at
	// from the cache's GetAll, which showed neither copy nor job nor failure, and has
	// found no copy in storage since. Near may ignore it.
	NoteAbsent(key cache.Key, at cache.Snapshot, e cache.Entry)
}

// A Peeked is what Peek returns of one backend. If Err is set, the view says nothing.
type Peeked struct {
	View
	Err error
}

// Peek returns what is known of the copies of an object without causing one, for each
// of the backends, in their order: what memory says or else the cache or, if both say
// nothing, what storage has. It reads the cache once, looks at the storages of several
// backends at the same time, and returns when it knows of all. A storage that is down
// fails its own backend alone.
//
// What memory says of a copy was true at some time of the last Options.NearLag. That
// neither cache nor storage had anything is remembered for a second, or until memory
// learns of a change of the entry. A flood of peeks at one absent object costs one look
// a second.
func (en *Engine) Peek(ctx context.Context, o cloudmirror.Object, backends []cloudmirror.BackendID) []Peeked {
	peeked := make([]Peeked, len(backends))
	var asked []*peek
	var keys []cache.Key
	for i, id := range backends {
		w := Want{Object: o, Backend: id}.Keyed()
		b, err := en.backend(id)
		if err != nil {
			peeked[i].Err = err
			continue
		}
		if en.near != nil {
			if at, ok := en.near.RecallAny(w.key); ok {
				en.recheck(w, w.key, at.Entry, at.Now)
				peeked[i].View = View{Entry: *at.Entry, Now: at.Now}
				continue
			}
		}
		asked = append(asked, &peek{engine: en, backend: b, want: w, result: &peeked[i]})
		keys = append(keys, w.key)
	}
	if len(asked) == 0 {
		return peeked
	}
	all, err := en.getAll(ctx, keys)
	var looking sync.WaitGroup
	for i, p := range asked {
		switch at := all[i]; {
		case err == nil && at.Entry.Known() && at.Entry.State != cache.Reserved:
			p.tell(at)
		case len(asked) == 1:
			p.look(ctx, at, err)
		default:
			looking.Go(func() { p.look(ctx, at, err) })
		}
	}
	looking.Wait()
	return peeked
}

// A peek is the part of Peek that is about one backend of which memory says nothing.
type peek struct {
	engine  *Engine
	backend *Backend
	want    Want // keyed
	result  *Peeked
}

// tell is the end of a peek at a copy that the cache knows.
func (p *peek) tell(at cache.Snapshot) {
	p.engine.recheck(p.want, p.want.key, &at.Entry, at.Now())
	p.result.View = View{Entry: at.Entry, Now: at.Now()}
}

// look is the rest of a peek if the cache does not know the copy, or could not be read
// (cacheErr), or has a reservation, behind which a flight may be looking at storage.
func (p *peek) look(ctx context.Context, at cache.Snapshot, cacheErr error) {
	en, key := p.engine, p.want.key
	if cacheErr == nil && at.Entry.State == cache.Reserved && en.awaitLook(ctx, key) {
		var all []cache.Snapshot
		all, cacheErr = en.getAll(ctx, []cache.Key{key})
		at = all[0]
	}
	if cacheErr == nil && at.Entry.Known() {
		p.tell(at)
		return
	}
	p.result.View, p.result.Err = en.seek(ctx, p.backend, p.want, key, at, cacheErr)
	if en.near != nil && p.result.Err == nil && p.result.Source == FromCache {
		en.near.NoteAbsent(key, at, p.result.Entry)
	}
}

// getAll reads the entries of one object. There are as many snapshots as keys, of which
// none is valid if there is an error.
func (en *Engine) getAll(ctx context.Context, keys []cache.Key) ([]cache.Snapshot, error) {
	all := make([]cache.Snapshot, 0, len(keys))
	for part := range slices.Chunk(keys, cache.MaxKeys) {
		read, err := en.cache.GetAll(ctx, part)
		if err != nil {
			return make([]cache.Snapshot, len(keys)), fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		all = append(all, read...)
	}
	return all, nil
}

// awaitLook waits for a look at storage that a flight of this process has under way
// behind its reservation. It reports whether there was one.
func (en *Engine) awaitLook(ctx context.Context, key cache.Key) bool {
	f, _ := en.joinRunning(key)
	if f == nil {
		return false
	}
	defer en.leave(f)
	if f.news().stage != seeking {
		return false
	}
	_, _ = f.follow(ctx, Patience{}) // what it found, the cache says
	return true
}

// seek looks at storage for a copy that the cache does not know, and notes it if
// the cache can be reached (cacheErr is nil).
func (en *Engine) seek(ctx context.Context, b *Backend, w Want, key cache.Key, at cache.Snapshot, cacheErr error) (View, error) {
	seen, err := en.lookTogether(ctx, b, w.Object)
	if err != nil {
		return View{}, err
	}
	if !seen.found {
		return View{Entry: cache.Entry{State: cache.Absent, Generation: seen.generation, PurgedUntil: at.Entry.PurgedUntil}, Now: at.Now()}, cacheErr
	}
	if cacheErr != nil {
		// The copy is good without the cache, by this machine's clock.
		return View{Entry: seen.entry(), Source: FromStorage, Now: time.Now(), began: seen.began}, nil //nolint:nilerr // storage made up for it
	}
	return en.backfill(ctx, b, w.Object, key, at, seen), nil
}
