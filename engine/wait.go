package engine

import (
	"cmp"
	"context"
	"time"

	"cloudmirror/cache"
)

// Patience is how long a caller of Wait waits for a copy: until a time, but no longer
// than until End is closed (nil: it never is). The zero Patience waits for nothing.
type Patience struct {
	Until time.Time
	End   <-chan struct{}
}

// Wait ensures that there is a copy or a job for one, and waits until the copy is
// present or has failed for good, or until patience is over: then it returns what
// is known, a pending or failed entry, without an error. A copy or a job exists then,
// even if the patience was over from the beginning: no other client may ever ask. Making
// sure of it takes a bounded time: the turns, looks and sends of Timing or, if the copy
// is being evicted, what is left of the eviction's lease. While it waits, transient
// failures are tried again when they are due; if that is after the patience, it does not
// wait. The error is ctx's if that ends, and ErrOtherCopy if the copy contradicts w.Order.
func (en *Engine) Wait(ctx context.Context, w Want, p Patience) (View, error) {
	if w.Order != nil {
		if err := w.Order.Check(); err != nil {
			return View{}, err
		}
	}
	key := w.entryKey()
	if en.near != nil {
		if at, ok := en.near.Recall(key); ok {
			en.recheck(w, key, at.Entry, at.Now)
			if w.refuses(at.Entry) {
				return View{}, ErrOtherCopy
			}
			return View{Entry: *at.Entry, Now: at.Now}, nil
		}
	}
	b, err := en.backend(w.Backend)
	if err != nil {
		return View{}, err
	}
	// The clients of one object join the first that came, and read nothing.
	f, asked := en.joinRunning(key)
	for {
		if f == nil {
			var view View
			var joined moment
			f, joined, view, err = en.readOrJoin(ctx, b, w, key)
			switch {
			case f != nil:
			case err == nil && w.refuses(&view.Entry):
				return View{}, ErrOtherCopy
			default:
				return view, err
			}
			asked = cmp.Or(asked, joined)
		}
		if w.Order == nil {
			f.order.Store(nil)
		}
		n, err := f.follow(ctx, p)
		en.leave(f)
		if err == nil && w.refuses(&n.view.Entry) && n.view.began > asked {
			return View{}, ErrOtherCopy
		}
		if err != nil || n.view.Entry.State != cache.Present || n.view.began > asked {
			return n.view, err
		}
		f = nil // it may have found the copy before a purge that returned before this call
	}
}

// readOrJoin returns what the cache knows if that is final, and
// otherwise a flight, which the caller must leave, and a moment before it joined.
func (en *Engine) readOrJoin(ctx context.Context, b *Backend, w Want, key cache.Key) (*flight, moment, View, error) {
	at, err := en.get(ctx, key)
	if err != nil {
		view, err := en.seek(ctx, b, w, key, at, err)
		return nil, 0, view, err
	}
	if stageOf(at.Entry) == final {
		now := at.Now()
		en.recheck(w, key, &at.Entry, now)
		return nil, 0, View{Entry: at.Entry, Now: now}, nil
	}
	asked := en.moment()
	f, err := en.join(b, w, key, at) //nolint:contextcheck // a flight outlives the client that began it
	return f, asked, View{}, err
}

// outlasts reports whether nothing is tried before patience is over: to wait
// would be of no use.
func (v *View) outlasts(p Patience) bool {
	return v.Entry.State == cache.Failed && v.Entry.Failure.RetryAt.Sub(v.Now) > time.Until(p.Until)
}

// A stage is how far a flight has come for the clients that wait.
type stage int

const (
	seeking stage = iota // nothing is sure yet
	ensured              // there is a job, or a failure that will be tried again
	final                // waiting longer is of no use
)

func stageOf(e cache.Entry) stage {
	switch e.State {
	case cache.Present:
		return final
	case cache.Failed:
		if e.Failure.Permanent {
			return final
		}
		return ensured
	case cache.Reserved, cache.Queued, cache.Copying:
		return ensured
	case cache.Absent, cache.Tombstone, cache.Fenced, cache.Evicting:
	}
	return seeking
}
