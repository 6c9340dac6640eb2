package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cloudmirror"
	"cloudmirror/api/client"
)

// The limits of --watch.
const (
	minWatch     = 100 * time.Millisecond
	maxWatch     = time.Hour
	defaultWatch = "2s" // as often as the server counts
)

// clearScreen puts the cursor home and clears a terminal.
const clearScreen = "\x1b[H\x1b[2J"

func checkWatch(every time.Duration) error {
	if every < minWatch || every > maxWatch {
		return usagef("--watch: %v must be %v to %v", every, minWatch, maxWatch)
	}
	return nil
}

// watch shows the state of the deployment again and again, until a signal or the end
// of ctx, which is no error. A server that does not answer is shown, and asked again.
func (c *cli) watch(ctx context.Context, server *client.Client, t *target, every time.Duration) error {
	ctx, stop := untilSignal(ctx)
	defer stop()
	tick := time.NewTicker(every)
	defer tick.Stop()
	var answered time.Time // the last time
	for {
		o, err := askOverview(ctx, server)
		if ctx.Err() != nil {
			return nil
		}
		now := time.Now()
		if err == nil {
			answered = now
		}
		if err := c.showFrame(t, frame{overview: o, err: err, now: now, answered: answered, every: every}); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// A frame is what watch shows at a time.
type frame struct {
	overview      *overview // nil: the server did not answer
	err           error     // why
	now, answered time.Time // answered: the last time that the server did; zero: never
	every         time.Duration
}

// showFrame prints a frame: over the one before on a terminal, below it elsewhere.
func (c *cli) showFrame(t *target, f frame) error {
	if t.json {
		if f.err != nil {
			return c.printJSON(map[string]any{"failed": jsonError(f.err)})
		}
		return c.printJSON(f.overview.Raw)
	}
	var text string
	if f.err != nil {
		text = f.away()
	} else {
		text = c.report(f.overview, t).String()
	}
	stamp := f.now.UTC().Format(time.RFC3339)
	lines, isTerminal := c.height()
	if !isTerminal {
		return c.println(stamp + "\n" + text + "\n")
	}
	text = fmt.Sprintf("%s\n\n%s, every %v; ^C ends", text, stamp, f.every)
	return c.println(clearScreen + cropped(text, lines-1)) // the cursor has the last line
}

// away says that the server does not answer.
func (f *frame) away() string {
	since := "it has not answered yet"
	if !f.answered.IsZero() {
		since = "its last answer came at " + f.answered.UTC().Format(time.RFC3339)
	}
	reason := f.err.Error()
	if answer, ok := errors.AsType[*client.Error](f.err); ok {
		reason = answer.Error()
	}
	return wrapped("", "the server does not answer: "+cloudmirror.Plain(reason), 2) + "\n" + wrapped("", since, 2)
}

// cropped returns the first lines of a text, if there are more, and how many are
// left out. The terminal does not tell its height if limit is below 2.
func cropped(text string, limit int) string {
	lines := strings.Split(text, "\n")
	if limit < 2 || len(lines) <= limit {
		return text
	}
	left := len(lines) - limit + 1
	return strings.Join(lines[:limit-1], "\n") + fmt.Sprintf("\n… %d more lines: the terminal is too small", left)
}
