package queuetest

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"time"

	"cloudmirror"
	"cloudmirror/queue"
)

func sendingTests() []test {
	return []test{
		{name: "a job comes as it was sent", run: roundTrip},
		{name: "the body comes with fields that nobody knows", run: unknownFields},
		{name: "a job that is sent again keeps fields that nobody knows", run: unknownFieldsAgain},
		{name: "receive waits until there is a message", run: receiveWaits},
		{name: "receive returns none after a while", run: receiveGivesUp},
		{name: "receive ends with its context", run: receiveEndsWithContext},
		{name: "receive returns no more than its limit", run: receiveLimit},
		{name: "a delayed job comes after its delay", run: delay},
		{name: "a delay beyond the greatest is refused", run: delayTooLong},
		{name: "a job that is sent twice comes twice", run: duplicate},
		{name: "counts tell ready, delayed, in flight and dead apart", run: count},
	}
}

func roundTrip(b *bench) {
	object, err := cloudmirror.ParseObject("https://origin.test/a%2Fb/%C3%BC.bin?x=%3C&y='+%00")
	if err != nil {
		b.t.Fatal(err)
	}
	sent := queue.Job{
		ID: "an id & <more>", Object: object, Backend: cloudmirror.BackendID{Service: "media", Region: "ap-south-1"},
		Generation: cloudmirror.NewGeneration(), Tries: 7, Replace: true,
		SentAt: time.Date(2026, 3, 4, 5, 6, 7, int(89*time.Millisecond), time.UTC),
		Order: queue.Order{
			Sources: []string{"https://copies.test/1?a=1&b=<2>"}, SizeBytes: 1 << 40, SHA256: strings.Repeat("0a", 32),
			ExpiresAt: time.Date(2027, 3, 4, 5, 6, 7, 0, time.UTC), Priority: queue.Planned, Reason: "popular & <planned>",
		},
	}
	b.send(sent, 0)
	d := b.receiveOne()
	if !reflect.DeepEqual(d.Job, sent) {
		b.t.Errorf("received %+v\nwant     %+v", d.Job, sent)
	}
	if d.Receives != 1 {
		b.t.Errorf("the first receive counts %d", d.Receives)
	}
	if d.Receipt == "" {
		b.t.Error("the delivery has no receipt")
	}
	if d.Body != string(sent.Encode()) {
		b.t.Errorf("the body is %q, want %q", d.Body, sent.Encode())
	}
}

func unknownFields(b *bench) {
	body := withUnknownField(b.job(1))
	b.SendRaw(b.t, body)
	if d := b.receiveOne(); d.Body != body || d.Job.ID != "job1" {
		b.t.Errorf("received %q with the body %q, want the body %q", d.Job.ID, d.Body, body)
	}
}

func unknownFieldsAgain(b *bench) {
	b.SendRaw(b.t, withUnknownField(b.job(1)))
	first := b.receiveOne()
	first.Job.Tries++
	b.send(first.Job, 0)
	b.ack(first)
	second := b.receiveOne()
	if second.Job.Tries != 1 || !strings.Contains(second.Body, unknownField) {
		b.t.Errorf("the second message is %s, want a job with one try, and with %s", second.Body, unknownField)
	}
}

// unknownField is a member of a message that this version does not know.
const unknownField = `"from_a_later_version":{"n":9}`

// withUnknownField returns the message of a job as a later version may send it.
func withUnknownField(job queue.Job) string {
	return strings.Replace(string(job.Encode()), "{", "{"+unknownField+",", 1)
}

func receiveWaits(b *bench) {
	received := make(chan queue.Delivery, 1)
	go func() {
		defer close(received)
		ctx, cancel := context.WithTimeout(b.t.Context(), patience)
		defer cancel()
		for ctx.Err() == nil {
			if deliveries, err := b.Queue.Receive(ctx, 1); err == nil && len(deliveries) == 1 {
				received <- deliveries[0]
				return
			}
		}
	}()
	b.send(b.job(1), 0)
	if d, ok := <-received; !ok || d.Job.ID != "job1" {
		b.t.Errorf("received %q, want job1", d.Job.ID)
	}
}

func receiveGivesUp(b *bench) { b.receiveNone("from an empty queue") }

func receiveEndsWithContext(b *bench) {
	ended, end := context.WithCancel(b.t.Context())
	end()
	b.send(b.job(1), 0)
	if _, err := b.Queue.Receive(ended, 1); !errors.Is(err, context.Canceled) {
		b.t.Errorf("a receive with an ended context returns the error %v, want context.Canceled", err)
	}
	b.ack(b.receiveOne())
	ctx, cancel := context.WithTimeout(b.t.Context(), 300*time.Millisecond)
	defer cancel()
	var err error
	for over := false; err == nil && !over; {
		over = ctx.Err() != nil
		_, err = b.Queue.Receive(ctx, 1)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		b.t.Errorf("a receive whose context ends returns the error %v, want context.DeadlineExceeded", err)
	}
}

func receiveLimit(b *bench) {
	for i := range 12 {
		b.send(b.job(i), 0)
	}
	b.receive(1) // fails if more come
	seen := make(map[string]bool)
	for _, d := range b.receive(3) {
		seen[d.Job.ID] = true
	}
	if len(seen) != 3 {
		b.t.Errorf("received %d different jobs, want 3", len(seen))
	}
	for total := 0; total < 8; { // the other eight, however large the limit
		deliveries, err := b.Queue.Receive(b.t.Context(), 100)
		if err != nil {
			b.t.Fatal(err)
		}
		total += len(deliveries)
	}
	b.stillHidden("though all are in flight")
}

func delay(b *bench) {
	b.send(b.job(2), 0)
	b.send(b.job(1), b.visibility)
	delayed := b.hidden
	d := b.receiveOne()
	if d.Job.ID != "job2" {
		b.t.Fatalf("received %s before its delay", d.Job.ID)
	}
	b.ack(d)
	b.hidden = delayed
	b.Advance(b.visibility / 2)
	b.stillHidden("in the middle of its delay")
	b.Advance(b.visibility/2 + b.margin)
	if d := b.receiveOne(); d.Job.ID != "job1" || d.Receives != 1 {
		b.t.Errorf("received %s (receive %d) after the delay, want the first receive of job1", d.Job.ID, d.Receives)
	}
}

func delayTooLong(b *bench) {
	if err := b.Queue.Send(b.t.Context(), b.job(1), queue.MaxDelay+time.Second); err == nil {
		b.t.Errorf("a delay of more than %v was taken", queue.MaxDelay)
	}
	if c := b.counts(); c != (queue.Counts{}) {
		b.t.Errorf("the refused job is in the queue: %+v", c)
	}
	b.send(b.job(2), queue.MaxDelay)
}

func duplicate(b *bench) {
	b.send(b.job(1), 0)
	b.send(b.job(1), 0)
	two := b.receive(2)
	b.ack(two[0])
	b.lapse()
	if d := b.receiveOne(); d.Job.ID != "job1" || d.Receives != 2 {
		b.t.Errorf("received %s (receive %d), want the other message of job1", d.Job.ID, d.Receives)
	}
	b.stillHidden("but the two messages")
}

func count(b *bench) {
	if c := b.counts(); c != (queue.Counts{}) {
		b.t.Errorf("an empty queue counts %+v", c)
	}
	for i := range 4 {
		b.send(b.job(i), 0)
	}
	if c, want := b.counts(), (queue.Counts{Ready: 4}); c != want {
		b.t.Errorf("counts are %+v, want %+v", c, want)
	}
	b.send(b.job(4), queue.MaxDelay)
	four := b.receive(4)
	b.extend(four[0], 0)
	b.ack(four[1])
	b.bury(four[2], "a reason")
	b.extend(four[3], queue.MaxDelay)
	if c, want := b.counts(), (queue.Counts{Ready: 1, Delayed: 1, InFlight: 1, Dead: 1}); c != want {
		b.t.Errorf("counts are %+v, want %+v", c, want)
	}
}
