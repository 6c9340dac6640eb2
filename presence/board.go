package presence

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"cloudmirror"
	"cloudmirror/kv"
)

const (
	table kv.Table = "presence"

	readEvery   = time.Second      // the notes of others are read at most once in it
	ownEvery    = time.Second / 10 // the process's own note is made for readers at most once in it
	callTimeout = time.Second      // of each call of the store
)

// Options are what a Board is made of. Only Store is required.
type Options struct {
	Store kv.Store
	// Self is what the process says of itself that does not change. New gives it an
	// ID.
	Self Note

	// Dependencies, Copies and Requests return the rest of a Note. They are called
	// each time that one is made, and must be safe for concurrent use. Nil: the
	// process has none. Requests counts since the start of the process, by backend
	// and outcome.
	Dependencies func() []Dependency
	Copies       func() []Copy
	Requests     func() map[string]map[string]uint64
}

// A Board puts the Note of a process where the others read it, and reads theirs. It
// is safe for concurrent use.
type Board struct {
	options  Options
	draining atomic.Bool

	writeError  atomic.Pointer[error]       // of the last Put; nil: none has ended
	writeFailed atomic.Pointer[failedWrite] // the last that failed; nil: none has

	hourMu sync.Mutex
	hour   hour

	shownMu sync.Mutex
	shown   Note      // the process's own, for readers; never changed once it is set
	made    time.Time // when; zero: never

	reading chan struct{} // holds a token while one caller reads; the others wait for what it gets
	read    time.Time     // when; zero: never
	others  []Note        // never changed once it is set
	err     error         // why the others are not known
}

// A failedWrite is a Put that failed.
type failedWrite struct {
	err error
	at  time.Time
}

// New returns a Board. Run puts its note.
func New(o Options) *Board {
	o.Self.ID = cloudmirror.NewID()
	return &Board{options: o, reading: make(chan struct{}, 1)}
}

// Run puts the note every Interval until ctx ends, and then removes it. Without the
// store that takes at most a second.
func (b *Board) Run(ctx context.Context) {
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	for {
		b.put(ctx)
		select {
		case <-ctx.Done():
			b.remove(ctx)
			return
		case <-tick.C:
		}
	}
}

// Drain has the notes say, from now on, that the process takes no more jobs.
func (b *Board) Drain() { b.draining.Store(true) }

// put puts the note into the store.
func (b *Board) put(ctx context.Context) {
	value, err := encode(b.own())
	if err == nil {
		putting, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		err = b.options.Store.Put(putting, table, b.options.Self.ID, value, Life)
	}
	if ctx.Err() != nil { // the end of the process is why
		return
	}
	b.writeError.Store(&err)
	if err != nil {
		b.writeFailed.Store(&failedWrite{err: err, at: time.Now()})
	}
}

// remove removes the note, after the end of ctx. One that stays vanishes by itself.
func (b *Board) remove(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	_ = b.options.Store.Delete(ctx, table, b.options.Self.ID)
}

// WriteError returns why the store did not take the last note. Nil: it did, or no
// Put has ended yet.
func (b *Board) WriteError() error {
	if err := b.writeError.Load(); err != nil {
		return *err
	}
	return nil
}

// Notes returns what the processes of the deployment say of themselves, this one
// first, as it was at most 100 ms ago. The others are up to a second old. The error
// says why they are not all known; the process's own note is there all the same. It
// takes at most a second. The caller must not change what the notes hold.
func (b *Board) Notes(ctx context.Context) ([]Note, error) {
	others, err := b.readOthers(ctx)
	if err == nil {
		err = b.unwritten()
	}
	return append([]Note{b.show()}, others...), err
}

// settling is after how long since its last failed Put a process knows the others again:
// the store may have recovered up to an Interval later, the others take as long to put
// their notes, and what was read of them may be readEvery old.
const settling = 2*Interval + callTimeout + readEvery

// unwritten returns why the notes of others may be missing though they run: the store
// takes no notes, or has taken them again for less time than settling. Nil: they are
// there.
func (b *Board) unwritten() error {
	f := b.writeFailed.Load()
	if f == nil || b.WriteError() == nil && time.Since(f.at) > settling {
		return nil
	}
	return fmt.Errorf("presence: notes are not written: %w", f.err)
}

// readOthers reads the notes, if the last reading is a second old.
func (b *Board) readOthers(ctx context.Context) ([]Note, error) {
	select {
	case b.reading <- struct{}{}:
		defer func() { <-b.reading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if !b.read.IsZero() && time.Since(b.read) < readEvery {
		return b.others, b.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	notes, err := Read(ctx, b.options.Store)
	b.others, b.err = nil, err
	for _, n := range notes {
		if n.ID != b.options.Self.ID {
			b.others = append(b.others, n)
		}
	}
	b.read = time.Now()
	return b.others, b.err
}

// show returns the note of this process, for readers. Anyone may ask for what needs it,
// and to make one takes a millisecond where a process has 40 backends.
func (b *Board) show() Note {
	b.shownMu.Lock()
	defer b.shownMu.Unlock()
	if b.made.IsZero() || time.Since(b.made) >= ownEvery {
		b.shown, b.made = b.own(), time.Now()
	}
	return b.shown
}

// own returns the note of this process.
func (b *Board) own() Note {
	n := b.options.Self
	if b.draining.Load() {
		n.CopiesTo = nil
	}
	if b.options.Dependencies != nil {
		n.Dependencies = b.options.Dependencies()
	}
	if b.options.Copies != nil {
		n.Copies = b.options.Copies()
	}
	if b.options.Requests != nil {
		b.hourMu.Lock()
		defer b.hourMu.Unlock()
		b.hour.sample(time.Now(), b.options.Requests())
		n.Requests = b.hour.minutes()
	}
	n.bound()
	return n
}

// Read returns the notes that are in a store. It skips those that are malformed, and
// cuts what is too long.
func Read(ctx context.Context, store kv.Store) ([]Note, error) {
	records, err := store.List(ctx, table)
	if err != nil {
		return nil, fmt.Errorf("presence: %w", err)
	}
	var notes []Note
	for _, r := range records[:min(len(records), kv.MaxRecords)] {
		if n, ok := decode(r); ok {
			notes = append(notes, n)
		}
	}
	return notes, nil
}
