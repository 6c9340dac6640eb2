package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"cloudmirror/test/lab"
)

const (
	goalStart = 100 // milliseconds
	goalSize  = 40  // MB
)

func measureStart(ctx context.Context, l *laboratory) (result, error) {
	file, err := os.Stat(l.path("cloudmirror"))
	if err != nil {
		return result{}, err
	}
	size := float64(file.Size()) / 1e6
	var took []float64
	for range l.starts {
		t, err := l.timeStart(ctx, server{Command: lab.Command{
			Program: l.path("cloudmirror"), Args: []string{"serve", "--listen", "ADDRESS", "--data-dir", "DIR"},
		}})
		if err != nil {
			return result{}, err
		}
		took = append(took, milliseconds(t))
	}
	return result{
		goals: []goal{
			atMost("start to the first answer", asMilliseconds, goalStart, took...),
			atMost("size of the binary", unit{1, " MB"}, goalSize, size),
		},
		text: fmt.Sprintf("`cloudmirror serve` is started %d times, and asked for /v1/ping every millisecond until it answers: after %s ms. The binary that `make release` makes has %.1f MB.", len(took), spread(took, 1), size),
	}, nil
}

// timeStart starts a server, stops it, and returns how long it took to answer its
// first request.
func (l *laboratory) timeStart(ctx context.Context, s server) (time.Duration, error) {
	var answered time.Time
	p, err := l.launch(ctx, s, func(address string) func(context.Context) error {
		return func(ctx context.Context) error {
			return await(ctx, "the first answer", func() (bool, error) {
				response, err := l.get(ctx, "http://"+address+"/v1/ping")
				if err != nil {
					return false, nil //nolint:nilerr // it does not listen yet
				}
				answered = time.Now()
				response.Body.Close()
				if response.StatusCode != http.StatusOK {
					return false, fmt.Errorf("/v1/ping: %s", response.Status)
				}
				return true, nil
			})
		}
	})
	if err != nil {
		return 0, err
	}
	p.stop()
	return answered.Sub(p.Started), nil
}
