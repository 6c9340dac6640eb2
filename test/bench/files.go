package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"cloudmirror/test/lab"
)

const (
	goalPipe     = 0.40 // of the MiB per CPU second of a plain pipe
	goalPipeWall = 1.15 // of its time
)

// measureFiles copies a large object to files, and beside it with the least that
// a Go program can do.
func measureFiles(ctx context.Context, l *laboratory) (result, error) {
	origin, url, err := l.startHugeOrigin(ctx)
	if err != nil {
		return result{}, err
	}
	defer origin.stop()
	var ours, pipe usage
	for round := range l.rounds {
		turns := []func() error{
			func() error { return l.pipe(ctx, &pipe, url) },
			func() error { return l.copyToFiles(ctx, &ours, url, l.hugeBytes) },
		}
		for i := range turns {
			if err := turns[(i+round)%len(turns)](); err != nil {
				return result{}, err
			}
		}
	}
	sending, err := lab.CPU(origin.Pid())
	if err != nil {
		return result{}, err
	}
	size := fmt.Sprintf("%.0f MiB", mebibytes(l.hugeBytes))
	return result{
		goals: []goal{
			atLeast("a copy of "+size+" to files: MiB per CPU second, of a plain pipe's", asRatio, goalPipe, ratios(ours.rates(l.hugeBytes), pipe.rates(l.hugeBytes))...),
			atMost("a copy of "+size+" to files: time, of a plain pipe's", asRatio, goalPipeWall, ratios(ours.wall, pipe.wall)...),
		},
		text: fmt.Sprintf(`An object of %s, which nginx sends out of memory with sendfile(2), is copied to files in %s by a fresh `+"`cloudmirror serve`"+`, SHA-256 and all, and by test/bench/pipe, which gets it with net/http, writes it to a file with io.Copy and syncs that; %d rounds in turns. The time runs from the request to the redirect, and for the pipe from start to end. nginx takes its share of the same processors: %.2f CPU seconds for each copy.

%s`, size, l.hugeFileSystem(), l.rounds, sending.Seconds()/float64(2*l.rounds), lab.Table(usageHead, [][]string{ours.row("`cloudmirror serve`", l.hugeBytes), pipe.row("plain pipe", l.hugeBytes)})),
	}, nil
}

// copyToFiles has a fresh server copy one object to files.
func (l *laboratory) copyToFiles(ctx context.Context, u *usage, url string, sizeBytes int64) error {
	s := l.configured("serve", "", "{type: file}")
	s.parent = l.hugeDir()
	serve, err := l.start(ctx, s)
	if err != nil {
		return err
	}
	return l.copyLarge(ctx, u, serve, url, sizeBytes)
}

// pipe brings a URL to a file with the plain pipe, and removes the file.
func (l *laboratory) pipe(ctx context.Context, u *usage, url string) error {
	file := filepath.Join(l.hugeDir(), "piped")
	defer os.Remove(file)
	return l.runTools(ctx, u, strings.NewReplacer(url, "URL", file, "FILE"), tool{program: l.path("pipe"), args: []string{url, file}})
}
