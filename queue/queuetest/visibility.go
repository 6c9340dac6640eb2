package queuetest

import (
	"errors"
	"reflect"

	"cloudmirror/queue"
)

func visibilityTests() []test {
	return []test{
		{name: "a received job is hidden until its visibility lapses", run: redelivery},
		{name: "extend keeps a job hidden", run: extend},
		{name: "extend counts from now, and can shorten", run: extendShorter},
		{name: "extend by nothing gives a job back at once", run: giveBack},
		{name: "extend of an acknowledged job says that it is gone", run: extendGone},
		{name: "extend with an old receipt leaves the newest receive alone", run: extendStale},
	}
}

func redelivery(b *bench) {
	b.send(b.job(1), 0)
	first := b.receiveOne()
	b.stillHidden("while it is hidden")
	b.Advance(b.visibility / 2)
	b.stillHidden("in the middle of its visibility")
	b.Advance(b.visibility/2 + b.margin)
	second := b.receiveOne()
	if !reflect.DeepEqual(second.Job, first.Job) || second.Receives != 2 {
		b.t.Errorf("received %+v, want the same job's second receive", second)
	}
	if second.Receipt == first.Receipt {
		b.t.Error("both receives have the same receipt")
	}
	b.stillHidden("while it is hidden again")
}

func extend(b *bench) {
	b.send(b.job(1), 0)
	b.extend(b.receiveOne(), 2*b.visibility)
	b.Advance(b.visibility * 3 / 2)
	b.stillHidden("though it was extended")
	b.Advance(b.visibility)
	if d := b.receiveOne(); d.Receives != 2 {
		b.t.Errorf("the receive after the extension counts %d, want 2", d.Receives)
	}
}

func extendShorter(b *bench) {
	b.send(b.job(1), 0)
	b.extend(b.receiveOne(), b.visibility/2)
	b.stillHidden("while it is hidden")
	b.Advance(b.visibility/2 + b.margin)
	b.receiveOne()
}

func giveBack(b *bench) {
	b.send(b.job(1), 0)
	b.extend(b.receiveOne(), 0)
	second := b.receiveOne()
	if second.Receives != 2 {
		b.t.Errorf("the receive after giving back counts %d, want 2", second.Receives)
	}
	b.stillHidden("while it is hidden again")
}

func extendGone(b *bench) {
	b.send(b.job(1), 0)
	d := b.receiveOne()
	b.ack(d)
	if err := b.Queue.Extend(b.t.Context(), d, b.visibility); !errors.Is(err, queue.ErrGone) {
		b.t.Errorf("extending an acknowledged job returns the error %v, want queue.ErrGone", err)
	}
	if err := b.Queue.Extend(b.t.Context(), d, 0); !errors.Is(err, queue.ErrGone) {
		b.t.Errorf("giving an acknowledged job back returns the error %v, want queue.ErrGone", err)
	}
	b.receiveNone("though it was acknowledged")
}

func extendStale(b *bench) {
	b.send(b.job(1), 0)
	first := b.receiveOne()
	b.lapse()
	b.receiveOne()
	if err := b.Queue.Extend(b.t.Context(), first, 0); !errors.Is(err, queue.ErrGone) {
		b.t.Errorf("extending with an old receipt returns the error %v, want queue.ErrGone", err)
	}
	b.stillHidden("though its newest receive hides it")
}
