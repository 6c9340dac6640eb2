package queuetest

import (
	"fmt"
	"strings"
	"time"

	"cloudmirror/queue"
)

func deadLetterTests() []test {
	return []test{
		{name: "a buried job is a dead letter with its reason", run: bury},
		{name: "a job buried without its body is encoded", run: buryEncoded},
		{name: "a job can be buried for any reason", run: buryOddReason},
		{name: "a second burial is no error", run: buryTwice},
		{name: "malformed messages are buried at once and do not block", run: malformed},
		{name: "a job that is received too often is buried", run: tooManyReceives, maxReceives: 3},
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
	b.ack(b.receiveOne()) // fails if it is one of the others

	var dead map[string]Dead
	b.await("the dead letters", func() bool {
		dead = b.deadLetters()
		return len(dead) >= len(bodies)
	})
	for _, body := range bodies {
		letter, found := dead[body]
		if !found || letter.Reason == "" || strings.Contains(letter.Reason, "secret") {
			b.t.Errorf("the message %.40q is buried: %t, for the reason %q; want a reason without the URL", body, found, letter.Reason)
		}
	}
	b.lapse()
	b.receiveNone("though all were buried")
}

func tooManyReceives(b *bench) {
	b.send(b.job(1), 0)
	for i := range 3 {
		d := b.receiveOne()
		if d.Receives != i+1 {
			b.t.Fatalf("receive %d counts %d", i+1, d.Receives)
		}
		b.extend(d, 0)
	}
	b.send(b.job(2), 0)
	d := b.receiveOne()
	if d.Job.ID != "job2" {
		b.t.Fatalf("received %s (receive %d), though the limit is 3", d.Job.ID, d.Receives)
	}
	b.ack(d)
	body := string(b.job(1).Encode())
	b.await("the dead letter", func() bool { return b.deadLetters()[body].Body == body })
	b.lapse()
	b.receiveNone("though it was buried")
	if c, want := b.counts(), (queue.Counts{Dead: 1}); c != want {
		b.t.Errorf("counts are %+v, want %+v", c, want)
	}
}

// await receives, since that is when messages are buried, until done. No job
// may come.
func (b *bench) await(what string, done func() bool) {
	b.t.Helper()
	for end := time.Now().Add(patience); !done(); {
		if time.Now().After(end) {
			b.t.Fatalf("%s did not come", what)
		}
		b.receiveNone("while waiting for " + what)
	}
}
