package queuetest

import "cloudmirror/queue"

func endingTests() []test {
	return []test{
		{name: "an acknowledged job never comes back", run: ack},
		{name: "an acknowledgement after the visibility lapsed removes the job", run: ackLate},
		{name: "the acknowledgement of a redelivered job removes it", run: ackRedelivered},
		{name: "a second acknowledgement is no error", run: ackTwice},
		{name: "an acknowledgement with an old receipt leaves the newest receive alone", run: ackStale},
	}
}

func ack(b *bench) {
	b.send(b.job(1), 0)
	b.send(b.job(2), 0)
	two := b.receive(2)
	b.ack(two[0])
	b.lapse()
	if d := b.receiveOne(); d.Job.ID != two[1].Job.ID {
		b.t.Errorf("received %s, which was acknowledged", d.Job.ID)
	}
	b.stillHidden("but the job that was not acknowledged")
	if c, want := b.counts(), (queue.Counts{InFlight: 1}); c != want {
		b.t.Errorf("counts are %+v, want %+v", c, want)
	}
}

func ackLate(b *bench) {
	b.send(b.job(1), 0)
	d := b.receiveOne()
	b.lapse()
	b.ack(d) // nobody received it since: its receipt is the newest
	b.receiveNone("though it was acknowledged")
}

func ackRedelivered(b *bench) {
	b.send(b.job(1), 0)
	b.receiveOne()
	b.lapse()
	b.ack(b.receiveOne())
	b.lapse()
	b.receiveNone("though it was acknowledged")
}

func ackTwice(b *bench) {
	b.send(b.job(1), 0)
	d := b.receiveOne()
	b.ack(d)
	b.ack(d)
	b.receiveNone("though it was acknowledged")
}

func ackStale(b *bench) {
	b.send(b.job(1), 0)
	first := b.receiveOne()
	b.lapse()
	b.receiveOne()
	b.ack(first)
	b.lapse()
	if d := b.receiveOne(); d.Receives != 3 {
		b.t.Errorf("received %s (receive %d), want its third receive", d.Job.ID, d.Receives)
	}
}
