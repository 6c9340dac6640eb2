package main

import (
	"context"
	"fmt"

	"cloudmirror/test/lab"
)

const (
	distantRate  = 20_000_000 // bytes a second on each connection
	goalDistance = 6          // times as fast as one stream
)

// measureDistance copies an object of an origin that is far away, which is to say
// that each connection carries only so much.
func measureDistance(ctx context.Context, l *laboratory) (result, error) {
	origin, err := l.startOrigin(ctx)
	if err != nil {
		return result{}, err
	}
	defer origin.stop()
	var ours, pipe usage
	for round := range l.rounds {
		url := fmt.Sprintf("http://%s/distant-%d.bin?size=%d&rate=%d", origin.address, round, l.distantBytes, distantRate)
		if err := l.pipe(ctx, &pipe, url); err != nil {
			return result{}, err
		}
		if err := l.copyToFiles(ctx, &ours, url, l.distantBytes); err != nil {
			return result{}, err
		}
	}
	times := ratios(pipe.wall, ours.wall)
	return result{
		goals: []goal{atLeast(fmt.Sprintf("a distant object of %.0f MiB: times as fast as one stream", mebibytes(l.distantBytes)), asRatio, goalDistance, times...)},
		text: fmt.Sprintf(`An origin gives each connection %d MB a second. An object of %.0f MiB is copied to files in %s by a fresh `+"`cloudmirror serve`"+`, and by the plain pipe of the section on files, which has one connection; %d rounds in turns. cloudmirror is %s as fast.

%s`, distantRate/1_000_000, mebibytes(l.distantBytes), l.hugeFileSystem(), l.rounds, spread(times, 2)+" times",
			lab.Table(usageHead, [][]string{ours.row("`cloudmirror serve`", l.distantBytes), pipe.row("plain pipe", l.distantBytes)})),
	}, nil
}
