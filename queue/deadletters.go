package queue

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"time"
)

// DeadLetters are the messages of one backend that were buried, for operators to
// look at, to send again, or to drop. It is the contract that each driver of a
// Queue fulfils, too, and that queuetest checks, sentence by sentence. It is safe
// for concurrent use, by operators in other processes as well.
//
// With queues over a network looking at a letter hides it for a moment from
// other callers. So a second caller may see fewer letters; named letters are
// waited for. Every call ends within a time of seconds that the driver sets: if that
// is not enough for all letters, All means those that it got to.
type DeadLetters interface {
	// Letters returns the chosen letters and leaves them where they are, whole,
	// for the next call to find under the same ids. A chosen id that names no
	// letter is missing from the result. With an error come the letters that
	// were seen before it.
	Letters(ctx context.Context, c Choice) ([]DeadLetter, error)

	// Redrive sends the job of each chosen letter to the queue as a fresh
	// message, as Resend makes it, and then removes the letter. If it cannot be
	// sent, or the process dies halfway, the letter stays, and the job may be
	// both sent and a letter. A letter that is no job is refused with
	// ErrMalformed and stays. A chosen id that names no letter has ErrNoDeadLetter.
	// With All, what is buried again meanwhile is left. With an error come the
	// letters that were handled before it.
	Redrive(ctx context.Context, c Choice) ([]Handled, error)

	// Drop removes each chosen letter for good. A chosen id that names no letter
	// has ErrNoDeadLetter. With an error come the letters that were handled before it.
	Drop(ctx context.Context, c Choice) ([]Handled, error)
}

// MaxDeadLetters is how many letters one call handles at most.
const MaxDeadLetters = 1_000

// A Choice says which letters a call is about. It is
// about MaxDeadLetters at most; the zero value chooses none.
type Choice struct {
	IDs   []string // the letters of these ids
	All   bool     // any letters, up to Limit; then IDs do not count
	Limit int      // with All; 0 or more than MaxDeadLetters: MaxDeadLetters
}

// Most returns how many letters the choice is about, at most.
func (c Choice) Most() int {
	switch {
	case !c.All:
		return min(len(c.IDs), MaxDeadLetters)
	case c.Limit <= 0:
		return MaxDeadLetters
	}
	return min(c.Limit, MaxDeadLetters)
}

// A DeadLetter is a message that was buried.
type DeadLetter struct {
	ID       string    // names it as long as it lies in its queue
	Body     string    // the message as it was received
	Job      Job       // what the body asks for; zero if it is Malformed
	Reason   string    // why it was buried, for people; "" if the queue moved it by itself
	BuriedAt time.Time // or when it was first sent, if the queue moved it by itself
	Receives int       // how often it was received before; 0: not known
	// Malformed is why the body is no job of this version. It wraps ErrMalformed.
	Malformed error
}

// NewDeadLetter returns the letter of a body, read.
func NewDeadLetter(id, body string) DeadLetter {
	l := DeadLetter{ID: id, Body: body}
	l.Job, l.Malformed = DecodeJob([]byte(body))
	return l
}

// A Handled is what came of one letter.
type Handled struct {
	Letter DeadLetter // only its ID, if it was not found
	Err    error      // nil: it was done
}

// ErrNoDeadLetter says that no letter of an id was found: it was redriven or dropped,
// or another caller looks at it, or there are more letters than the time was
// enough for.
var ErrNoDeadLetter = errors.New("queue: there is no such dead letter")

// Resend returns the body of the fresh message by which a letter's job is tried
// again: with none of its tries and hand-backs, and marked as redriven. The error is
// the letter's Malformed.
func (l DeadLetter) Resend() (string, error) {
	if l.Malformed != nil {
		return "", l.Malformed
	}
	job := l.Job
	job.Tries, job.Slow, job.Redriven = 0, 0, true
	return string(job.Encode()), nil
}

// Shown returns the body as operators may see it: without the addresses of sources,
// which are secrets. A body that is no JSON object ends before them.
func (l DeadLetter) Shown() string {
	members := make(map[string]json.RawMessage)
	if err := json.Unmarshal([]byte(l.Body), &members); err != nil {
		if at := regexp.MustCompile(`(?i)"sources"`).FindStringIndex(l.Body); at != nil {
			return l.Body[:at[0]] + "…"
		}
		return l.Body
	}
	shown := l.Body
	for name := range members {
		if strings.EqualFold(name, "sources") {
			members[name] = json.RawMessage(`"…"`)
			shown = string(encode(members))
		}
	}
	return shown
}

// Missing returns, as not found, the chosen ids that are not among done.
func (c Choice) Missing(done []Handled) []Handled {
	if c.All {
		return nil
	}
	found := make(map[string]bool, len(done))
	for _, h := range done {
		found[h.Letter.ID] = true
	}
	var missing []Handled
	for _, id := range c.IDs {
		if !found[id] {
			found[id] = true
			missing = append(missing, Handled{Letter: DeadLetter{ID: id}, Err: ErrNoDeadLetter})
		}
	}
	return missing
}
