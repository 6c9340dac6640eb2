package copier

import (
	"slices"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// How the failures of a host are judged.
const (
	limitedBy         = 3                // different objects whose Retry-After stands make their host rest
	probeEvery        = 5 * time.Second  // while a host is paused
	limitedProbeEvery = time.Minute      // while it rests since it asked for it
	provenFor         = time.Minute      // after a success, failures do not count against the host
	onRecord          = time.Minute      // so long an object that failed is not tried on a paused host
	probeKept         = time.Second      // how long a probe waits for the object that was told to come
	pausedRetry       = 30 * time.Second // when the objects come again that are not promised a probe
	maxPromises       = 32               // that are made between two probes
	maxKnown          = 64               // objects of a host that are remembered
)

// A health is how a host fared, as far as its objects show it. It is a state
// machine without a clock of its own, and not safe for concurrent use.
//
// A host is paused when limit different objects in a row have failed, until one
// succeeds. It is also paused while the Retry-After of three different objects
// stands. A paused host gets one probe every 5 s, or every minute while it is
// limited. Clients that ask for failing objects should not get the probes. So an
// object that failed gets a probe only if no other object wants it, and the next
// probe is promised to the newest object: one that clients ask for again and again
// is known by then.
type health struct {
	limit    int        // different objects that fail in a row until the host is paused
	proven   time.Time  // when an object last succeeded
	failing  []string   // objects that have failed since, at most limit
	limits   []rest     // the longest Retry-After of different objects since, at most limitedBy
	began    time.Time  // when the host was paused, or the last probe began
	promised [2]promise // of the next probes
	promises int        // made since the last probe
	known    *known     // objects that have failed lately, or came while the host was paused
}

// known is when objects failed last; zero: they did not.
type known = simplelru.LRU[string, time.Time]

// A promise is that of a probe. The zero promise is none.
type promise struct {
	object    string
	wasPassed bool // by a newer one, which got the probe before
}

// A rest is a Retry-After.
type rest struct {
	object string
	until  time.Time
}

func newHealth(failures int) health {
	objects, err := simplelru.NewLRU[string, time.Time](maxKnown, nil)
	if err != nil { // only a size that is not positive is refused
		panic(err)
	}
	return health{limit: failures, known: objects}
}

// isLimited reports whether the host asked to be left alone: for as long as at
// least three different objects say so, without a success between them.
func (h *health) isLimited(now time.Time) bool {
	return len(h.limits) == limitedBy && now.Before(h.limits[limitedBy-1].until)
}

func (h *health) isPaused(now time.Time) bool {
	return len(h.failing) >= h.limit || h.isLimited(now)
}

func (h *health) interval(now time.Time) time.Duration {
	if h.isLimited(now) {
		return limitedProbeEvery
	}
	return probeEvery
}

// admit reports whether an object may be tried now. If not, it returns when to ask
// again. The tries are those that are known to have failed elsewhere.
func (h *health) admit(now time.Time, object string, tries int) (again time.Duration, ok bool) {
	if !h.isPaused(now) {
		return 0, true
	}
	failed, isKnown := h.known.Get(object)
	if wait := failed.Add(onRecord).Sub(now); wait > 0 {
		return later(wait), false
	}
	due, hasFailed := h.began.Add(h.interval(now)), !failed.IsZero() || tries > 0
	isDue, isKept := !now.Before(due), now.Before(due.Add(probeKept))
	switch {
	case isDue && (!isKept || h.isNext(object, hasFailed)):
		h.begin(now, object)
		return 0, true
	case hasFailed:
		return later(pausedRetry), false
	}
	if !isKnown {
		h.known.Add(object, time.Time{})
	}
	if isDue { // the one that has it may not come
		return due.Add(probeKept).Sub(now), false
	}
	if n := h.promise(object, isKnown, h.isLimited(now)); n >= 0 {
		return due.Add(time.Duration(n) * h.interval(now)).Sub(now), false
	}
	return later(max(pausedRetry, h.interval(now))), false
}

// isNext reports whether a probe that is due is the object's while it is kept.
func (h *health) isNext(object string, hasFailed bool) bool {
	if h.promised[0].object == "" {
		return !hasFailed
	}
	return h.promised[0].object == object
}

// begin begins a probe. If it was promised to another object, that did not come.
func (h *health) begin(now time.Time, object string) {
	h.began, h.promises = now, 0
	h.promised = [2]promise{h.promised[1]}
	if h.promised[0].object == object {
		h.promised[0] = promise{}
	}
}

// promise returns how many probes come before the one that the object gets, or -1
// if it gets none. One that is new goes first, one that is known gets what is left.
// While probes are frequent, no object is passed twice.
func (h *health) promise(object string, isKnown, isLimited bool) int {
	isNew := !isKnown && h.promises < maxPromises
	if isNew {
		h.promises++
	}
	first, second := &h.promised[0], &h.promised[1]
	switch {
	case first.object == object:
		return 0
	case second.object == object:
		return 1
	case first.object == "":
		*first = promise{object: object}
		return 0
	case isNew && !first.wasPassed:
		if !second.wasPassed {
			*second = promise{object: first.object, wasPassed: !isLimited}
		}
		*first = promise{object: object}
		return 0
	case second.object == "", isNew && !second.wasPassed:
		*second = promise{object: object}
		return 1
	}
	return -1
}

// succeeded notes that the host is well, and reports whether it was paused.
func (h *health) succeeded(now time.Time, object string) (wasPaused bool) {
	wasPaused = h.isPaused(now)
	h.proven, h.failing, h.limits, h.promised = now, nil, nil, [2]promise{}
	h.known.Remove(object)
	for _, o := range h.known.Keys() {
		if failed, _ := h.known.Peek(o); failed.IsZero() {
			h.known.Remove(o)
		}
	}
	return wasPaused
}

// failed notes a failure that is the host's, which asked for a rest if that is not
// 0. It reports whether the host is paused from now on. For a while after a success
// only the object suffers.
func (h *health) failed(now time.Time, object string, retryAfter time.Duration) (isPausedNow bool) {
	h.failedElsewhere(now, object)
	if now.Before(h.proven.Add(provenFor)) {
		return false
	}
	wasPaused := h.isPaused(now)
	if len(h.failing) < h.limit && !slices.Contains(h.failing, object) {
		h.failing = append(h.failing, object)
	}
	if retryAfter > 0 {
		h.limits = slices.DeleteFunc(h.limits, func(r rest) bool { return r.object == object })
		h.limits = append(h.limits, rest{object, now.Add(retryAfter)})
		slices.SortFunc(h.limits, func(a, b rest) int { return b.until.Compare(a.until) })
		h.limits = h.limits[:min(limitedBy, len(h.limits))]
	}
	if wasPaused || !h.isPaused(now) {
		return false
	}
	h.began, h.promised, h.promises = now, [2]promise{}, 0
	return true
}

// failedElsewhere notes that an object failed, which is not the host's doing.
func (h *health) failedElsewhere(now time.Time, object string) { h.known.Add(object, now) }
