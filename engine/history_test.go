package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"cloudmirror/cache"
	"cloudmirror/cache/memcache"
	"cloudmirror/engine"
)

// histories is how many histories TestPurgesStick tries, each of historySteps steps.
const (
	histories    = 8000
	historySteps = 200
)

// historyWorkers is how many histories are played at a time, where there are as many
// processors.
const historyWorkers = 4

// TestPurgesStick makes histories of clients, copiers, purges, flushes, faults
// and jumps of time, on several engines of one deployment, in which every call of
// the cache, storage and queue waits for its turn, and which is next is chosen by
// a seed. After a purge has returned, no redirect may be given to a copy whose
// upload had begun before that purge, nor to one that is not there, whatever else
// happens. Storage loses copies, too: redirects to such a copy are allowed until it was
// looked at again behind one of them, which must come to pass when everything else is
// quiet. In half of the histories front ends have near caches, the worst that are
// allowed; in a quarter copies are evicted. What fails is shrunk before it is shown.
func TestPurgesStick(t *testing.T) {
	n := histories
	if testing.Short() {
		n /= 10
	}
	gc := debug.SetGCPercent(400) // a history is garbage as a whole when it has ended
	t.Cleanup(func() { debug.SetGCPercent(gc) })
	var wrong atomic.Bool
	for worker := range historyWorkers {
		t.Run(fmt.Sprintf("of worker %d", worker), func(t *testing.T) {
			t.Parallel()
			for seed := worker; seed < n && !wrong.Load(); seed += historyWorkers {
				if checkSeed(t, uint64(seed)); t.Failed() {
					wrong.Store(true)
				}
			}
		})
	}
}

// checkSeed plays the history of a seed. It shows one that goes wrong.
func checkSeed(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 3)) //nolint:gosec // choices need no secrecy
	choices := make([]int, historySteps)
	for i := range choices {
		choices[i] = random.IntN(1 << 16)
	}
	if len(play(t, choices, false).wrong) > 0 {
		h := play(t, shrink(t, choices), true)
		t.Errorf("seed %d\n%s\n\n%s", seed, strings.Join(h.wrong, "\n"), strings.Join(h.log, "\n"))
	}
}

// play plays a history, and writes its log if it is told.
func play(t *testing.T, choices []int, told bool) *history {
	h := &history{choices: choices, schedule: schedule{told: told}}
	synctest.Test(t, h.run)
	return h
}

// shrink makes choices of a history that goes wrong zero, which is to do nothing,
// as long as it still goes wrong.
func shrink(t *testing.T, choices []int) []int {
	for size := len(choices) / 2; size > 0; size /= 2 {
		for from := 0; from+size <= len(choices); from += size {
			tried := slices.Clone(choices)
			clear(tried[from : from+size])
			if len(play(t, tried, false).wrong) > 0 {
				choices = tried
			}
		}
	}
	return choices
}

// A history is one deployment of three engines and all that happens to it.
type history struct {
	schedule
	choices []int

	memory  *memcache.Store
	near    *nearCache
	bucket  *bucket
	jobs    *messages
	engines map[string]*engine.Engine
	want    engine.Want

	purges    []purge
	evicts    bool // copies are evicted, too
	evictions []*eviction
	flushed   int           // when the cache was, last
	jumped    time.Duration // how long time was made to pass, in all
	wrong     []string
}

// A purge is when one began and returned without an error, or 0.
type purge struct{ began, returned int }

const (
	copyTTL        = time.Hour
	historyRecheck = 2 * time.Second
)

func (h *history) run(t *testing.T) {
	var err error
	if h.memory, err = memcache.New(memcache.Options{}); err != nil {
		t.Fatal(err)
	}
	h.bucket, h.jobs, h.engines = newBucket(), new(messages), make(map[string]*engine.Engine)
	h.want = engine.Want{Object: object(t, "https://origin.test/tool"), Backend: backendID}
	h.near = &nearCache{memory: h.memory, key: cache.KeyOf(h.want.Object, h.want.Backend)}
	h.evicts = h.choices[1]%4 == 1
	if h.choices[0]%2 == 0 { // with it, most clients see nothing else
		h.near.delta = time.Second
	}
	for process, recheck := range map[string]time.Duration{"one": historyRecheck, "two": historyRecheck, "copier": 0} {
		h.engines[process] = engine.New(engine.Options{
			Cache:   &scheduledCache{Store: h.memory, schedule: &h.schedule, near: h.near, process: process},
			Near:    h.near,
			NearLag: h.near.delta,
			Logger:  zap.NewNop(),
			Backends: []engine.Backend{{
				ID:      backendID,
				Storage: &scheduledStorage{bucket: h.bucket, schedule: &h.schedule, process: process, removing: h.removing},
				Queue:   &scheduledQueue{messages: h.jobs, schedule: &h.schedule, process: process},
				TTL:     copyTTL, NegativeTTL: 30 * time.Second, Recheck: recheck,
			}},
		})
	}
	h.begin(t.Context())
	for _, c := range h.choices {
		if c == 0 {
			continue
		}
		synctest.Wait()
		h.options(t.Context()).take(c)
	}
	if err := h.finish(); err != nil {
		h.complain("%v", err)
	}
	for _, process := range []string{"one", "two"} { // what has settled must be right, too
		h.ask(t.Context(), process)
		h.flush(t.Context())
		h.ask(t.Context(), process)
		h.loseForGood(t.Context(), process)
	}
	for _, m := range h.engines {
		m.Close()
	}
}

// begin makes a first copy, in peace.
func (h *history) begin(ctx context.Context) {
	h.letEverybodyGo(true)
	h.ask(ctx, "one")
	h.copy(ctx, "complete", false)
	h.letEverybodyGo(false)
}

func (h *history) complain(format string, args ...any) {
	at := h.tick("WRONG: "+format, args...)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wrong = append(h.wrong, fmt.Sprintf("at %d: ", at)+fmt.Sprintf(format, args...))
}

// An option is something that can happen next, and its weight.
type option struct {
	weight int
	do     func()
}

type options []option

// take does what a choice falls on.
func (all options) take(choice int) {
	sum := 0
	for _, o := range all {
		sum += o.weight
	}
	choice %= sum
	for _, o := range all {
		if choice -= o.weight; choice < 0 {
			o.do()
			return
		}
	}
}

// options are the things that can happen next. Most often, the actor that came last goes on, so
// that one does a lot while another stands still.
func (h *history) options(ctx context.Context) (all options) {
	add := func(weight int, do func()) { all = append(all, option{weight, do}) }
	for i, t := range h.waiting() {
		if i == 0 {
			add(60, func() { h.release(t, goOn) })
		}
		add(3, func() { h.release(t, goOn) })
		add(1, func() { h.release(t, fail) })
	}
	roomy := h.actors() < 8
	if roomy {
		for _, process := range []string{"one", "two"} {
			add(2, func() { h.start(func() { h.ask(ctx, process) }) })
			add(2, func() { h.start(func() { h.peek(ctx, process) }) })
			add(1, func() { h.start(func() { h.purge(ctx, process) }) })
			if h.evicts {
				add(1, func() { h.start(func() { h.evict(ctx, process) }) })
			}
		}
	}
	if roomy && h.jobs.len() > 0 {
		for _, end := range []string{"complete", "complete", "prove", "renew", "fail", "hand back", "die"} {
			add(1, func() { h.start(func() { h.copy(ctx, end, false) }) })
		}
		add(1, func() { h.start(func() { h.copy(ctx, "complete", true) }) })
	}
	add(6, func() { h.flush(ctx) })
	add(2, h.lose)
	for _, d := range []time.Duration{time.Second, time.Second, 35 * time.Second, 3 * time.Minute, 50 * time.Minute} {
		add(1, func() { h.jump(d) })
	}
	if h.evicts {
		add(1, func() { h.jump(copyTTL) })
	}
	return all
}

func (h *history) flush(ctx context.Context) {
	at := h.tick("the cache is flushed")
	h.mu.Lock()
	h.flushed = at
	h.mu.Unlock()
	h.memory.Flush()
	h.near.note(ctx)
}

// loseForGood makes a copy in peace, which storage then loses, and checks that a front
// end that goes on being asked for it finds out.
func (h *history) loseForGood(ctx context.Context, process string) {
	for range 3 { // a copier that died may hold it for a while
		h.ask(ctx, process)
		h.copy(ctx, "complete", false)
		h.jump(time.Minute)
	}
	h.lose()
	for range 3 {
		h.jump(time.Minute) // longer than anything that an earlier recheck or a fault made it wait for
		h.ask(ctx, process)
		synctest.Wait()
	}
	if at, ok := h.near.Recall(h.near.key); ok && h.bucket.isLost(h.want.Object.StorageKey(at.Entry.Generation)) {
		h.complain("%s still redirects to generation %.4s, whose copy is lost", process, at.Entry.Generation)
	}
	view, err := peek(ctx, h.engines[process], h.want)
	if err != nil || view.Entry.State == cache.Present && h.bucket.isLost(h.want.Object.StorageKey(view.Entry.Generation)) {
		h.complain("%s still knows generation %.4s, whose copy is lost, error %v", process, view.Entry.Generation, err)
	}
}

func (h *history) lose() {
	h.tick("storage loses all copies")
	h.bucket.lose()
}

// ask is a client that asks a front end and waits for a while.
func (h *history) ask(ctx context.Context, process string) {
	began, jumped := h.tick("%s is asked", process), h.jumpedSoFar()
	view, err := h.engines[process].Wait(ctx, h.want, engine.Patience{Until: time.Now().Add(10 * time.Second)})
	h.judge(process, began, jumped, view, err)
}

func (h *history) peek(ctx context.Context, process string) {
	began, jumped := h.tick("%s is asked to look only", process), h.jumpedSoFar()
	view, err := peek(ctx, h.engines[process], h.want)
	h.judge(process, began, jumped, view, err)
}

// judge checks what a client is told that asked at a time.
func (h *history) judge(process string, began int, jumped time.Duration, view engine.View, err error) {
	if err != nil || view.Entry.State != cache.Present {
		h.tick("%s tells the client that asked at %d: %s, %v", process, began, view.Entry.State, err)
		return
	}
	now := h.tick("%s redirects the client that asked at %d to generation %.4s", process, began, view.Entry.Generation)
	key := h.want.Object.StorageKey(view.Entry.Generation)
	upload, stored, there := h.bucket.lastUpload(key)
	if upload == 0 {
		h.complain("a redirect to generation %.4s, of which there never was a copy", view.Entry.Generation)
	}
	quiet := h.jumpedSoFar()-jumped < time.Minute // else it may have expired meanwhile
	for _, p := range h.purgesSoFar() {
		if p.returned != 0 && p.returned < began && upload < p.began {
			h.complain("the client that asked at %d is redirected to the copy of %d, although it was purged from %d to %d", began, upload, p.began, p.returned)
		}
		if p.began < now && (p.returned == 0 || p.returned > began) {
			quiet = false // a purge is on its way, or died on it
		}
	}
	isLost := h.bucket.isLost(key)
	quiet = h.judgeEvictions(began, now, stored, key, isLost) && quiet
	if quiet && !there && !isLost {
		h.complain("the client that asked at %d is redirected to generation %.4s, where nothing is", began, view.Entry.Generation)
	}
}

func (h *history) purge(ctx context.Context, process string) {
	began := h.tick("%s begins to purge", process)
	h.mu.Lock()
	number := len(h.purges)
	h.purges = append(h.purges, purge{began: began})
	h.mu.Unlock()
	_, err := h.engines[process].Purge(ctx, h.want)
	returned := h.tick("the purge of %d returns %v", began, err)
	if err == nil {
		h.mu.Lock()
		h.purges[number].returned = returned
		h.mu.Unlock()
	}
}

func (h *history) purgesSoFar() []purge {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.purges)
}

func (h *history) jumpedSoFar() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.jumped
}

// jump lets time pass.
func (h *history) jump(d time.Duration) {
	h.tick("%v pass", d)
	h.mu.Lock()
	h.jumped += d
	h.mu.Unlock()
	time.Sleep(d)
}
