package queuetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/queue"
)

// patience is how long the suite waits for what must come. It is far shorter than
// the default visibility, so that what comes much too late does not pass.
const patience = 20 * time.Second

// manyReceives is a limit of receives that no test reaches.
const manyReceives = 100

// A bench is what one test works on: a queue, and the steps that most tests
// take, which fail the test when they go wrong.
type bench struct {
	Fixture
	t          *testing.T
	visibility time.Duration
	margin     time.Duration // added to a time that must have passed
	goroutines int
	realTime   bool
	hidden     time.Time // on the real clock: until when the last message to be hidden is
}

func newBench(t *testing.T, h Harness, maxReceives int) *bench {
	t.Helper()
	if maxReceives == 0 {
		maxReceives = manyReceives
	}
	return &bench{
		Fixture: h.New(t, Options{Visibility: h.Visibility, MaxReceives: maxReceives}),
		t:       t, visibility: h.Visibility, margin: h.Visibility / 8, goroutines: h.Goroutines, realTime: h.RealTime,
	}
}

// job returns a job that is told apart by its number.
func (b *bench) job(number int) queue.Job {
	b.t.Helper()
	object, err := cloudmirror.ParseObject(fmt.Sprintf("https://origin.test/%d?token=secret", number))
	if err != nil {
		b.t.Fatal(err)
	}
	return queue.Job{
		ID: fmt.Sprintf("job%d", number), Object: object,
		Backend:    cloudmirror.BackendID{Service: "s3", Region: "eu-west-1"},
		Generation: cloudmirror.FirstGeneration,
		SentAt:     time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

func (b *bench) send(job queue.Job, delay time.Duration) {
	b.t.Helper()
	b.hide(delay)
	if err := b.Queue.Send(b.t.Context(), job, delay); err != nil {
		b.t.Fatalf("send: %v", err)
	}
}

// receive collects n deliveries, with as many calls as it takes.
func (b *bench) receive(n int) []queue.Delivery {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	var all []queue.Delivery
	for len(all) < n {
		b.hide(b.visibility)
		deliveries, err := b.Queue.Receive(ctx, n-len(all))
		if err != nil {
			b.t.Fatalf("received %d of %d messages: %v", len(all), n, err)
		}
		if len(deliveries) > n-len(all) {
			b.t.Fatalf("received %d messages, with a limit of %d", len(deliveries), n-len(all))
		}
		all = append(all, deliveries...)
	}
	return all
}

func (b *bench) receiveOne() queue.Delivery {
	b.t.Helper()
	return b.receive(1)[0]
}

// receiveNone fails the test if there is a message.
func (b *bench) receiveNone(when string) {
	b.t.Helper()
	for _, d := range b.receiveAny() {
		b.t.Fatalf("received %s (receive %d) %s, want nothing", d.Job.ID, d.Receives, when)
	}
}

// stillHidden is receiveNone for a time in which all messages are hidden. On the
// real clock that time may be over before the machine gets so far: then nothing
// can be said.
func (b *bench) stillHidden(when string) {
	b.t.Helper()
	deliveries := b.receiveAny()
	if b.realTime && len(deliveries) > 0 && time.Now().After(b.hidden) {
		b.t.Skipf("not checked here: the machine is too slow for a visibility of %v", b.visibility)
	}
	for _, d := range deliveries {
		b.t.Fatalf("received %s (receive %d) %s, want nothing", d.Job.ID, d.Receives, when)
	}
}

// hide notes that a message is hidden from now on.
func (b *bench) hide(d time.Duration) { b.hidden = time.Now().Add(d) }

func (b *bench) receiveAny() []queue.Delivery {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	deliveries, err := b.Queue.Receive(ctx, 10)
	if err != nil {
		b.t.Fatalf("receive: %v", err)
	}
	return deliveries
}

func (b *bench) ack(d queue.Delivery) {
	b.t.Helper()
	if err := b.Queue.Ack(b.t.Context(), d); err != nil {
		b.t.Fatalf("ack: %v", err)
	}
}

func (b *bench) extend(d queue.Delivery, visibility time.Duration) {
	b.t.Helper()
	b.hide(visibility)
	if err := b.Queue.Extend(b.t.Context(), d, visibility); err != nil {
		b.t.Fatalf("extend: %v", err)
	}
}

func (b *bench) bury(d queue.Delivery, reason string) {
	b.t.Helper()
	if err := b.Queue.Bury(b.t.Context(), d, reason); err != nil {
		b.t.Fatalf("bury: %v", err)
	}
}

// deadLetters returns the dead letters by their bodies, which must differ.
func (b *bench) deadLetters() map[string]Dead {
	b.t.Helper()
	byBody := make(map[string]Dead)
	for _, d := range b.DeadLetters(b.t) {
		if _, twice := byBody[d.Body]; twice {
			b.t.Errorf("the dead letter %q is there twice", d.Body)
		}
		byBody[d.Body] = d
	}
	return byBody
}

// lapse lets the visibility of everything pass that was received just now.
func (b *bench) lapse() { b.Advance(b.visibility + b.margin) }

func (b *bench) counts() queue.Counts {
	b.t.Helper()
	counter, ok := b.Queue.(queue.Counter)
	if !ok {
		b.t.Fatalf("%T is no queue.Counter", b.Queue)
	}
	counts, err := counter.Count(b.t.Context())
	if err != nil {
		b.t.Fatalf("count: %v", err)
	}
	return counts
}

// dead returns the queue's letters.
func (b *bench) dead() queue.DeadLetters {
	b.t.Helper()
	letters, ok := b.Queue.(queue.DeadLetters)
	if !ok {
		b.t.Fatalf("%T is no queue.DeadLetters", b.Queue)
	}
	return letters
}

// letters returns the chosen letters by their ids.
func (b *bench) letters(c queue.Choice) []queue.DeadLetter {
	b.t.Helper()
	letters, err := b.dead().Letters(b.t.Context(), c)
	if err != nil {
		b.t.Fatalf("letters: %v", err)
	}
	slices.SortFunc(letters, func(x, y queue.DeadLetter) int { return cmp.Compare(x.ID, y.ID) })
	return letters
}

// buryJobs makes letters of n jobs.
func (b *bench) buryJobs(n int) {
	b.t.Helper()
	for i := range n {
		b.send(b.job(i), 0)
	}
	for _, d := range b.receive(n) {
		b.bury(d, "a reason")
	}
}

// A handling is a method that does something to letters.
type handling func(context.Context, queue.Choice) ([]queue.Handled, error)

// redrive redrives n letters, all without an error.
func (b *bench) redrive(n int, c queue.Choice) {
	b.t.Helper()
	b.handled(n, c, b.dead().Redrive)
}

func (b *bench) handled(n int, c queue.Choice, do handling) {
	b.t.Helper()
	handled, err := do(b.t.Context(), c)
	if err != nil || len(handled) != n {
		b.t.Fatalf("handled are %d letters, error %v, want %d", len(handled), err, n)
	}
	for _, h := range handled {
		if h.Err != nil {
			b.t.Fatalf("the letter %s: %v", h.Letter.ID, h.Err)
		}
	}
}
