package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	redrawEvery = 250 * time.Millisecond // on a terminal
	lineEvery   = 10 * time.Second       // elsewhere
	rateOver    = 30 * time.Second
)

// A tally is how many URLs of a list are done, and the bytes that were copied for it.
type tally struct {
	present, failed int
	bytes           int64
}

// A progress tells how far a list is: on a terminal in one line that changes, else
// in a line now and then. It is safe for concurrent use.
type progress struct {
	out    io.Writer
	isLive bool // out is a terminal that can go back to the begin of its line
	urls   int
	began  time.Time

	mu      sync.Mutex
	samples []sample // of the last rateOver, the oldest first
	width   int      // of the live line that is shown; 0: none is
	said    map[string]time.Time
}

// A sample is how many URLs were done at a time.
type sample struct {
	at   time.Time
	done int
}

// run shows the tally until stop is closed. A live line is wiped out in the end.
func (p *progress) run(stop <-chan struct{}, now func() tally) {
	every := lineEvery
	if p.isLive {
		every = redrawEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case at := <-tick.C:
			p.show(p.line(now(), at))
		case <-stop:
			p.mu.Lock()
			p.wipe()
			p.mu.Unlock()
			return
		}
	}
}

// line returns the tally as text, shorter than 80 columns.
func (p *progress) line(t tally, at time.Time) string {
	done := t.present + t.failed
	p.samples = append(p.samples, sample{at, done})
	for len(p.samples) > 1 && at.Sub(p.samples[0].at) > rateOver {
		p.samples = p.samples[1:]
	}
	first := sample{at: p.began}
	if at.Sub(p.began) > rateOver {
		first = p.samples[0]
	}
	speed, left := 0.0, "?"
	if elapsed := at.Sub(first.at).Seconds(); elapsed > 0 {
		speed = float64(done-first.done) / elapsed
	}
	if speed > 0 {
		left = shortDuration(time.Duration(float64(p.urls-done) / speed * float64(time.Second)))
	}
	shown := fmt.Sprintf("%.1f", speed)
	if speed >= 10 {
		shown = grouped(int(speed))
	}
	return fmt.Sprintf("%s of %s done, %s failed, %s, %s/s, %s left", grouped(t.present), grouped(p.urls), grouped(t.failed), byteCount(t.bytes), shown, left)
}

func (p *progress) show(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.isLive {
		fmt.Fprintln(p.out, line)
		return
	}
	if _, columns, _ := screen(p.out); columns > 0 { // what goes over into a second line stays there
		line = line[:min(len(line), columns-1)]
	}
	fmt.Fprint(p.out, "\r"+line+strings.Repeat(" ", max(0, p.width-len(line))))
	p.width = len(line)
}

// say prints a line of its own. The same is said at most every lineEvery.
func (p *progress) say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at, found := p.said[text]; found && time.Since(at) < lineEvery {
		return
	}
	if p.said == nil || len(p.said) > 100 { // a bound: other programs than cloudmirror say what they like
		p.said = make(map[string]time.Time)
	}
	p.said[text] = time.Now()
	p.wipe()
	fmt.Fprintln(p.out, "cloudmirror: "+text)
}

// wipe takes the live line away. The caller holds the lock.
func (p *progress) wipe() {
	if p.width > 0 {
		fmt.Fprint(p.out, "\r"+strings.Repeat(" ", p.width)+"\r")
		p.width = 0
	}
}

// grouped returns a number with commas between thousands.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// byteCount returns a number of bytes for people, in units of 1,000.
func byteCount(n int64) string {
	value, unit := float64(n), 0
	for value >= 999.5 && unit < 4 {
		value, unit = value/1000, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.3g %cB", value, "BkMGT"[unit])
}

// shortDuration returns a duration to the second, at most 99 days.
func shortDuration(d time.Duration) string {
	return min(d, 99*24*time.Hour).Round(time.Second).String()
}

// pauses grow by half from the first to the last.
type pauses struct{ first, last time.Duration }

func (p pauses) begin() backOff { return backOff{next: p.first, last: p.last, began: time.Now()} }

// A backOff is the next pause between tries.
type backOff struct {
	next, last time.Duration
	began      time.Time
}

// wait waits for the pause, and lengthens the next one. The error is the context's.
func (b *backOff) wait(ctx context.Context) error {
	pause := b.next
	b.next = min(b.next*3/2, b.last)
	return sleep(ctx, pause)
}

// sleep waits. The error is the context's, if that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
