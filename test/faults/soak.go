package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"cloudmirror/test/lab"
)

const (
	sampleEvery  = 2 * time.Second
	idleLimit    = 3 * time.Minute // for idle connections to be closed
	moreRoutines = 10              // than before are still the same
	moreMemory   = 32 << 20        // growth between the thirds that proves nothing, in bytes
)

// A usage is what a process uses at a moment.
type usage struct {
	goroutines, resident float64
}

// A history is what one process used over time. A restart begins a new one.
type history struct {
	role       *role
	idleBefore usage
	loaded     []usage
	idleAfter  usage
}

// soak keeps up the load with one fault after the other, and compares what each
// process uses before, during and after. Faults that end our processes are left
// out: a new process has nothing to lose.
func soak(ctx context.Context, d *deployment, lasts time.Duration) error {
	var histories []*history
	for _, r := range append(slices.Clone(d.frontends), d.copiers...) {
		histories = append(histories, &history{role: r})
	}
	if err := d.settle(ctx, histories, func(h *history, u usage) bool { h.idleBefore = u; return false }); err != nil {
		return err
	}
	sampling, stop := context.WithCancel(ctx)
	var sampler sync.WaitGroup
	sampler.Go(func() {
		for lab.Pause(sampling, sampleEvery) == nil {
			for _, h := range histories {
				if u, ok := d.usage(sampling, h.role); ok {
					h.loaded = append(h.loaded, u)
				}
			}
		}
	})
	red, err := d.playInTurns(ctx, lasts)
	stop()
	sampler.Wait()
	if err != nil {
		return err
	}
	err = d.settle(ctx, histories, func(h *history, u usage) bool {
		h.idleAfter = u
		return u.goroutines <= h.idleBefore.goroutines+moreRoutines
	})
	if err != nil {
		return err
	}
	if err := d.writeSoak(ctx, lasts, histories); err != nil {
		return err
	}
	for _, h := range histories {
		red = append(red, h.judge()...)
	}
	if len(red) > 0 {
		return fmt.Errorf("%w\n%s", errRed, strings.Join(red, "\n"))
	}
	return nil
}

// playInTurns plays scenarios until the time is over, and returns what was red.
func (d *deployment) playInTurns(ctx context.Context, lasts time.Duration) ([]string, error) {
	turns := soakScenarios()
	var red []string
	for begun, i := time.Now(), 0; time.Since(begun) < lasts; i++ {
		s := turns[i%len(turns)]
		r, err := runScenario(ctx, d, s)
		if err != nil {
			return red, fmt.Errorf("%s: %w", s.name, err)
		}
		logf("%-28s %s", s.name, r.summary())
		for _, broken := range r.broken {
			red = append(red, s.name+": "+broken)
		}
	}
	return red, nil
}

func soakScenarios() []scenario {
	var turns []scenario
	for _, s := range slices.Concat(linkScenarios(), dataScenarios()) {
		if s.soak {
			turns = append(turns, s)
		}
	}
	return turns
}

// settle waits without load until done is true of every process, or for
// idleLimit. Where done is never true it waits for a short while.
func (d *deployment) settle(ctx context.Context, histories []*history, done func(*history, usage) bool) error {
	limit := idleLimit
	if histories[0].idleBefore.goroutines == 0 {
		limit = 10 * time.Second
	}
	for begun := time.Now(); time.Since(begun) < limit; {
		if err := lab.Pause(ctx, sampleEvery); err != nil {
			return err
		}
		all := true
		for _, h := range histories {
			u, ok := d.usage(ctx, h.role)
			if !ok {
				return fmt.Errorf("%s serves no metrics", h.role.Command.Name)
			}
			all = done(h, u) && all
		}
		if all && time.Since(begun) > 10*time.Second {
			break
		}
	}
	return nil
}

func (d *deployment) usage(ctx context.Context, r *role) (usage, bool) {
	samples := d.metrics(ctx, r)
	u := usage{value(samples, "go_goroutines"), value(samples, "process_resident_memory_bytes")}
	return u, u.goroutines > 0
}

// judge says what did not return to where it was.
func (h *history) judge() []string {
	var broken []string
	if h.idleAfter.goroutines > h.idleBefore.goroutines+moreRoutines {
		broken = append(broken, fmt.Sprintf("%s: %.0f goroutines after, %.0f before", h.role.Command.Name, h.idleAfter.goroutines, h.idleBefore.goroutines))
	}
	first, middle, last := h.third(0), h.third(1), h.third(2)
	if middle > first && last > middle && last > first*1.25 && last-first > moreMemory {
		broken = append(broken, fmt.Sprintf("%s: resident memory grows: %s, then %s, then %s", h.role.Command.Name, mib(first), mib(middle), mib(last)))
	}
	return broken
}

// third returns the median of resident memory in a third of the loaded time; the
// first tenth, in which caches and pools fill, is left out.
func (h *history) third(n int) float64 {
	samples := h.loaded[len(h.loaded)/10:]
	part := slices.Clone(samples[n*len(samples)/3 : (n+1)*len(samples)/3])
	if len(part) == 0 {
		return 0
	}
	slices.SortFunc(part, func(a, b usage) int { return int(a.resident - b.resident) })
	return part[len(part)/2].resident
}

func soakTable(histories []*history) string {
	var rows [][]string
	for _, h := range histories {
		most := usage{}
		for _, u := range h.loaded {
			most.goroutines, most.resident = max(most.goroutines, u.goroutines), max(most.resident, u.resident)
		}
		rows = append(rows, []string{
			h.role.Command.Name,
			fmt.Sprintf("%.0f", h.idleBefore.goroutines), fmt.Sprintf("%.0f", most.goroutines), fmt.Sprintf("%.0f", h.idleAfter.goroutines),
			mib(h.idleBefore.resident), mib(h.third(0)), mib(h.third(1)), mib(h.third(2)), mib(most.resident), mib(h.idleAfter.resident),
		})
	}
	return lab.Table([]string{
		"process", "goroutines before", "most", "after",
		"resident before", "first third", "second", "last", "most", "after",
	}, rows)
}

// writeSoak prints what was used, and writes it to a document if there is to be
// one.
func (d *deployment) writeSoak(ctx context.Context, lasts time.Duration, histories []*history) error {
	var names []string
	for _, s := range soakScenarios() {
		names = append(names, "`"+s.name+"`")
	}
	text := fmt.Sprintf("# Soak\n\nWritten by `make soak`, not by hand: what each process uses before, during and after %v of the load of [faults.md](faults.md), with a fault all the time (in turns: %s).\n\n%s\n"+
		"Before and after are without load; afterwards idle connections get up to %v to be closed. A process fails that keeps more than %d goroutines more than before, or whose resident memory grows from third to third of the loaded time, by a quarter and %d MiB in all. Memory that was used once is not given back at once, so that after the load it is that of the load's end.\n\n## Where and how\n\n%s",
		lasts, strings.Join(names, ", "), soakTable(histories), idleLimit, moreRoutines, moreMemory>>20, describeMachine(ctx))
	if d.note != "" {
		text += "\n" + d.note + "\n"
	}
	fmt.Println(text)
	if d.out == "" {
		return nil
	}
	return os.WriteFile(d.out, []byte(text), 0o644)
}

func mib(bytes float64) string { return fmt.Sprintf("%.0f MiB", bytes/(1<<20)) }
