package main

import (
	"context"
	"fmt"
	"time"

	"cloudmirror/test/lab"

	"golang.org/x/sync/errgroup"
)

const (
	manyCopies     = 200
	goalManyMemory = 300 // MiB resident
)

// measureMemory has many large copies made at once, to files and to S3.
func measureMemory(ctx context.Context, l *laboratory) (result, error) {
	s3, err := l.startS3(ctx, "")
	if err != nil {
		return result{}, err
	}
	defer s3.stop()
	var goals []goal
	var rows [][]string
	for _, to := range []struct{ name, storage string }{{"files", "{type: file}"}, {"S3", storageOn(s3.address)}} {
		peak, took, err := l.copyMany(ctx, to.storage)
		if err != nil {
			return result{}, fmt.Errorf("to %s: %w", to.name, err)
		}
		goals = append(goals, atMost(fmt.Sprintf("%d copies of %.0f MiB at once to %s: memory", manyCopies, mebibytes(l.manyBytes), to.name), asMiB, goalManyMemory, mebibytes(peak)))
		rows = append(rows, []string{to.name, fmt.Sprintf("%.0f", mebibytes(peak)), fmt.Sprintf("%.1f", took.Seconds())})
	}
	return result{goals: goals, text: fmt.Sprintf(`%d objects of %.0f MiB, whose lengths the origin states, are asked for at the same time of a `+"`cloudmirror serve`"+` that makes as many copies at once. One run each.

%s%s`, manyCopies, mebibytes(l.manyBytes), lab.Table([]string{"to", "MiB resident at most", "seconds"}, rows), l.takeRefusals())}, nil
}

func (l *laboratory) copyMany(ctx context.Context, storage string) (peakBytes int64, took time.Duration, err error) {
	origin, err := l.startOrigin(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer origin.stop()
	serve, err := l.startConfigured(ctx, "serve", fmt.Sprintf("copier: {concurrency: %d}\nlimits: {copies_per_host: 0}\n", manyCopies), storage)
	if err != nil {
		return 0, 0, err
	}
	defer serve.stop()
	begun := time.Now()
	group, groupCtx := errgroup.WithContext(ctx)
	for i := range manyCopies {
		group.Go(func() error {
			url := fmt.Sprintf("http://%s/many-%d.bin?size=%d", origin.address, i, l.manyBytes)
			location, err := l.awaitCopy(groupCtx, "http://"+serve.address+redirectPath(url))
			if err != nil {
				return err
			}
			return l.checkLength(groupCtx, location, l.manyBytes)
		})
	}
	if err := group.Wait(); err != nil {
		return 0, 0, err
	}
	took = time.Since(begun)
	peakBytes, err = serve.peakMemory()
	return peakBytes, took, err
}
