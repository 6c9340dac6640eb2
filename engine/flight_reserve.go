package engine

import (
	"context"
	"time"

	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/cache"
)

// reserve is findOrClaim for an object of which the cache knows nothing. The claim
// comes before the look, and its record stands while storage is looked at: so what
// was seen needs no further proof, neither here nor by the copier. From the claim
// on it does not end with ctx, whose client may leave: "pending" means that a job
// exists, or will in a moment.
func (f *flight) reserve(ctx context.Context, at cache.Snapshot) (cache.Snapshot, View, error) {
	en := f.engine
	ctx = context.WithoutCancel(ctx)
	id, nonce := cloudmirror.NewID(), cloudmirror.NewID()
	at, _, err := en.update(ctx, f.key, at, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		return e.Reserve(now, id, nonce, en.timing.Reserve), nil
	})
	if err != nil { // the claim may have been made, and only the answer lost
		en.release(ctx, f.key, cache.Snapshot{}, id)
		return at, View{}, err
	}
	if !at.Entry.IsReserved(nonce) { // another process was faster
		return at, View{}, nil
	}
	seen, err := en.lookTogether(ctx, f.backend, f.want.Object)
	if err == nil && seen.found {
		return f.discover(ctx, at, nonce, seen)
	}
	if err == nil && seen.generation != at.Entry.Generation {
		at, err = f.adopt(ctx, at, nonce, seen.generation)
	}
	if err == nil {
		err = en.send(ctx, f.backend, f.jobFor(at, seen))
	}
	if err != nil {
		en.release(ctx, f.key, at, id)
		return at, View{}, err
	}
	f.expected, f.reserved = changesByClaim, id
	return at, View{}, nil
}

// discover notes a copy that was seen while a reservation stood. If the cache
// cannot be told, the copy is good without it.
func (f *flight) discover(ctx context.Context, at cache.Snapshot, nonce string, seen lookResult) (cache.Snapshot, View, error) {
	noted, refused, err := f.engine.updateUnguarded(ctx, f.key, at, func(e cache.Entry, _ time.Time) (cache.Entry, error) {
		return e.Discover(nonce, seen.generation, seen.copied, seen.expires)
	})
	switch {
	case err != nil:
		f.engine.logger.Warn("a copy could not be noted in the cache", zap.Error(err))
		return at, View{Entry: seen.entry(), Source: FromStorage, Now: time.Now(), began: seen.began}, nil
	case refused != nil || noted.Entry.State != cache.Present:
		return noted, View{}, errStale
	}
	f.engine.noteSeen(f.backend, f.key, noted)
	return noted, View{Entry: noted.Entry, Source: FromStorage, Now: noted.Now(), began: seen.began}, nil
}

// adopt tells a reservation of the generation that a purge made, which no
// entry knew any more.
func (f *flight) adopt(ctx context.Context, at cache.Snapshot, nonce string, g cloudmirror.Generation) (cache.Snapshot, error) {
	adopted, refused, err := f.engine.updateUnguarded(ctx, f.key, at, func(e cache.Entry, _ time.Time) (cache.Entry, error) {
		return e.Adopt(nonce, g)
	})
	switch {
	case err != nil:
		return at, err
	case refused != nil:
		return adopted, errStale
	}
	return adopted, nil
}

// keepReservation keeps the reservation of a job that is still in its queue when
// the flight reads the entry again, for as long as that may take. Until then it is
// short, so that a front end that dies before it sent the job holds no client up for long.
func (f *flight) keepReservation(ctx context.Context, at cache.Snapshot) {
	if f.expected > 0 { // it was made just now
		return
	}
	job := f.reserved
	f.reserved = ""
	if job == "" || !at.Entry.Queues() || at.Entry.Job != job {
		return
	}
	_, _, err := f.engine.update(ctx, f.key, at, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		return e.Defer(now, job, 0, f.engine.timing.QueueLease), nil
	})
	if err == nil {
		f.expected = changesByClaim
	}
}
