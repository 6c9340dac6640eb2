package queuetest

import (
	"fmt"
	"sync"

	"cloudmirror/queue"
)

func concurrencyTests() []test {
	return []test{
		{name: "receivers at the same time get different messages", run: disjoint},
		{name: "nothing vanishes while many work at once", run: nothingVanishes},
	}
}

func disjoint(b *bench) {
	const messages = 30
	for i := range messages {
		b.send(b.job(i), 0)
	}
	var mu sync.Mutex
	receivers := make(map[string]int)
	b.together(8, func(int) error {
		for {
			deliveries, err := b.Queue.Receive(b.t.Context(), 3)
			if err != nil || len(deliveries) == 0 {
				return err
			}
			mu.Lock()
			for _, d := range deliveries {
				receivers[d.Job.ID]++
			}
			mu.Unlock()
		}
	})
	if len(receivers) != messages {
		b.t.Errorf("%d of %d messages were received", len(receivers), messages)
	}
	for id, n := range receivers {
		if n != 1 {
			b.t.Errorf("%s was received %d times", id, n)
		}
	}
}

// nothingVanishes sends and receives with many goroutines that treat the jobs in
// every way, and then accounts for each of them.
func nothingVanishes(b *bench) {
	const perGoroutine = 5
	book := newBook()
	b.together(b.goroutines, func(g int) error {
		for i := range perGoroutine {
			if err := b.Queue.Send(b.t.Context(), b.job(g*perGoroutine+i), 0); err != nil {
				return fmt.Errorf("send: %w", err)
			}
			if err := b.work(book, 1); err != nil {
				return err
			}
		}
		return nil
	})
	for range 3 { // what was left alone comes again, and then to its end
		b.lapse()
		b.together(b.goroutines, func(int) error { return b.work(book, 4) })
	}
	sent := b.goroutines * perGoroutine
	for i := range sent {
		if id := fmt.Sprintf("job%d", i); book.ends[id] != 1 {
			b.t.Errorf("%s came to an end %d times, want once", id, book.ends[id])
		}
	}
	if c, want := b.counts(), (queue.Counts{Dead: book.buried}); c != want {
		b.t.Errorf("counts are %+v, want %+v", c, want)
	}
	if dead := len(b.deadLetters()); dead != book.buried {
		b.t.Errorf("%d dead letters, want %d", dead, book.buried)
	}
}

// work receives until there is nothing, and treats what comes by its number.
func (b *bench) work(book *book, limit int) error {
	for {
		deliveries, err := b.Queue.Receive(b.t.Context(), limit)
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		for _, d := range deliveries {
			if err := b.treat(book, d); err != nil {
				return err
			}
		}
		if len(deliveries) == 0 {
			return nil
		}
	}
}

// treat ends a job, or gives every third one back at its first receive, or
// leaves every fifth one alone.
func (b *bench) treat(book *book, d queue.Delivery) error {
	ctx := b.t.Context()
	var number int
	if _, err := fmt.Sscanf(d.Job.ID, "job%d", &number); err != nil {
		return fmt.Errorf("the id %q: %w", d.Job.ID, err)
	}
	switch {
	case book.receive(d.Job.ID) > manyReceives:
		return fmt.Errorf("%s comes again and again", d.Job.ID)
	case d.Receives == 1 && number%3 == 0:
		return b.Queue.Extend(ctx, d, 0)
	case d.Receives == 1 && number%5 == 0:
		return nil
	case number%7 == 0:
		book.end(d.Job.ID, true)
		return b.Queue.Bury(ctx, d, "a reason")
	default:
		book.end(d.Job.ID, false)
		return b.Queue.Ack(ctx, d)
	}
}

// together runs f in n goroutines and waits for them.
func (b *bench) together(n int, f func(g int) error) {
	b.t.Helper()
	var all sync.WaitGroup
	for g := range n {
		all.Go(func() {
			if err := f(g); err != nil {
				b.t.Error(err)
			}
		})
	}
	all.Wait()
}

// A book counts the receives and the ends of jobs.
type book struct {
	mu       sync.Mutex
	receives map[string]int
	ends     map[string]int
	buried   int
}

func newBook() *book { return &book{receives: make(map[string]int), ends: make(map[string]int)} }

func (k *book) receive(id string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.receives[id]++
	return k.receives[id]
}

func (k *book) end(id string, buried bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ends[id]++
	if buried {
		k.buried++
	}
}
