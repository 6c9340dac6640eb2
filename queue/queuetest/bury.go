package queuetest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"cloudmirror/queue"
)

func deadLetterTests() []test {
	return []test{
		{name: "a buried job is a dead letter with its reason", run: bury},
		{name: "a job buried without its body is encoded", run: buryEncoded},
		{name: "a job can be buried for any reason", run: buryOddReason},
		{name: "a second burial is no error", run: buryTwice},
		{name: "malformed messages come unfit until they are buried", run: malformed},
		{name: "a job that is received too often comes unfit until it is buried", run: tooManyReceives, maxReceives: 3},
	}
}

func bury(b *bench) {
	body := withUnknownField(b.job(1))
	b.SendRaw(b.t, body)
	b.send(b.job(2), 0)
	for _, d := range b.receive(2) {
		if d.Job.ID == "job1" {
			b.bury(d, "the region is gone")
			continue
		}
		b.ack(d)
	}
	dead := b.deadLetters()
	if len(dead) != 1 || dead[body].Reason != "the region is gone" {
		b.t.Errorf("the dead letters are %v, want the buried message, whole and with its reason", dead)
	}
	b.lapse()
	b.receiveNone("though it was buried")
}

func buryEncoded(b *bench) {
	b.send(b.job(1), 0)
	d := b.receiveOne()
	d.Body = ""
	b.bury(d, "a reason")
	if _, found := b.deadLetters()[string(b.job(1).Encode())]; !found {
		b.t.Errorf("the dead letters are %v, want job1", b.deadLetters())
	}
}

func buryOddReason(b *bench) {
	reasons := map[string]string{
		"job0": "",
		"job1": "control characters \x00\x01\x1b\x7f, broken \xff\xfe UTF-8, \ufffe and \U0001F600",
		"job2": strings.Repeat("very long, ü ", 10_000),
	}
	for i := range reasons {
		var number int
		if _, err := fmt.Sscanf(i, "job%d", &number); err != nil {
			b.t.Fatal(err)
		}
		b.send(b.job(number), 0)
	}
	for _, d := range b.receive(len(reasons)) {
		b.bury(d, reasons[d.Job.ID])
	}
	if dead := b.deadLetters(); len(dead) != len(reasons) {
		b.t.Errorf("%d dead letters, want %d: %v", len(dead), len(reasons), dead)
	}
	b.lapse()
	b.receiveNone("though it was buried")
}

func buryTwice(b *bench) {
	b.send(b.job(1), 0)
	d := b.receiveOne()
	b.bury(d, "a reason")
	b.bury(d, "a reason")
	b.receiveNone("though it was buried")
}

func malformed(b *bench) {
	bodies := []string{
		"no JSON at all",
		"{",
		`{"version":2,"id":"new","url":"https://origin.test/?token=secret","backend":"s3/eu-west-1","generation":"0"}`,
		`{"version":1,"id":"bad","url":"HTTPS://origin.test/?token=secret","backend":"s3/eu-west-1","generation":"0"}`,
		strings.Repeat("x", 100_000),
	}
	for _, body := range bodies {
		b.SendRaw(b.t, body)
	}
	b.send(b.job(1), 0)
	for _, d := range b.receive(len(bodies) + 1) {
		if d.Job.ID == "job1" && d.Unfit == nil {
			b.ack(d)
			continue
		}
		if !errors.Is(d.Unfit, queue.ErrMalformed) || strings.Contains(d.Unfit.Error(), "secret") || !reflect.ValueOf(d.Job).IsZero() {
			b.t.Errorf("the message %.40q comes with job %+v and is unfit because of %v; want queue.ErrMalformed without the URL", d.Body, d.Job, d.Unfit)
		}
		b.extend(d, 0)
	}
	for _, d := range b.receive(len(bodies)) {
		if !errors.Is(d.Unfit, queue.ErrMalformed) {
			b.t.Errorf("the second receive of %.40q is unfit because of %v", d.Body, d.Unfit)
		}
		b.bury(d, "no job")
	}
	dead := b.deadLetters()
	for _, body := range bodies {
		if _, found := dead[body]; !found {
			b.t.Errorf("the message %.40q is not among the dead letters", body)
		}
	}
	b.lapse()
	b.receiveNone("though all were buried")
}

func tooManyReceives(b *bench) {
	b.send(b.job(1), 0)
	for i := range 5 {
		d := b.receiveOne()
		if d.Job.ID != "job1" || d.Receives != i+1 {
			b.t.Fatalf("receive %d is of %s and counts %d", i+1, d.Job.ID, d.Receives)
		}
		if unfit := errors.Is(d.Unfit, queue.ErrExhausted); unfit != (i >= 3) {
			b.t.Fatalf("receive %d is unfit because of %v, though the limit is 3", i+1, d.Unfit)
		}
		if i < 4 {
			b.extend(d, 0)
			continue
		}
		b.bury(d, d.Unfit.Error())
	}
	b.lapse()
	b.receiveNone("though it was buried")
	if c, want := b.counts(), (queue.Counts{Dead: 1}); c != want {
		b.t.Errorf("counts are %+v, want %+v", c, want)
	}
}
