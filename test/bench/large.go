package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const goalMemory = 200 << 20 // bytes resident

// largeCopies is what copying one large object took, each time.
type largeCopies struct {
	wall, cpu  []float64 // seconds
	idle, peak []float64 // MiB that were resident at most: before the copy, and in all
}

func measureLarge(ctx context.Context, l *lab) (result, error) {
	var r result
	var rows [][]string
	for _, to := range []struct {
		name string
		copy func(context.Context, *lab, *largeCopies) error
	}{
		{"S3 (versitygw)", copyToS3},
		{"files", copyToFiles},
	} {
		g := goal{
			what: fmt.Sprintf("a copy of %.0f MiB to %s: memory resident at most", mebibytes(l.largeBytes), to.name),
			want: fmt.Sprintf("< %.0f MiB", mebibytes(goalMemory)), measured: "–",
		}
		var c largeCopies
		var err error
		for range l.largeCopies {
			if err = to.copy(ctx, l, &c); err != nil {
				break
			}
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s: %v\n", to.name, err)
			g.verdict = "not measured: " + err.Error()
		} else {
			peak := slices.Max(c.peak)
			g.measured, g.verdict = fmt.Sprintf("%.0f MiB", peak), judge(peak < mebibytes(goalMemory))
			rows = append(rows, []string{
				to.name, spread(c.wall, 1), fmt.Sprintf("%.0f", mebibytes(l.largeBytes)/median(c.wall)),
				spread(c.cpu, 1), spread(c.idle, 0), spread(c.peak, 0),
			})
		}
		r.goals = append(r.goals, g)
	}
	r.text = fmt.Sprintf(`One object of %.0f MiB, which an origin in another process generates while it sends it, is copied by a fresh `+"`cloudmirror serve`"+`: front end and copier in one process, so that its memory is no less than a copier's. The time runs from the request to the redirect to the copy; it includes generating the bytes, their SHA-256, and the storage's own work on the same processors. Memory is VmHWM from /proc/PID/status; the goal is judged by the worst copy. Copies to each storage: %d. Numbers are medians with [quartiles].

%s`, mebibytes(l.largeBytes), l.largeCopies,
		table([]string{"to", "seconds", "MiB/s", "CPU seconds", "MiB resident before", "MiB resident at most"}, rows))
	return r, nil
}

func copyToFiles(ctx context.Context, l *lab, c *largeCopies) error {
	return c.add(ctx, l, "{type: file}")
}

func copyToS3(ctx context.Context, l *lab, c *largeCopies) error {
	program, err := find("versitygw", "make deps")
	if err != nil {
		return err
	}
	s3, err := l.start(ctx, server{
		program: program,
		args:    []string{"--port", "ADDRESS", "--region", "us-east-1", "--keep-alive", "--quiet", "posix", "DIR"},
		env:     []string{"ROOT_ACCESS_KEY=" + accessKey, "ROOT_SECRET_KEY=" + secretKey},
	})
	if err != nil {
		return err
	}
	defer s3.stop()
	// A bucket is a directory there.
	if err := os.Mkdir(filepath.Join(s3.dir, "copies"), 0o700); err != nil {
		return err
	}
	return c.add(ctx, l, "{type: s3, bucket: copies, endpoint: 'http://"+s3.address+"', path_style: true, presign: true}")
}

// add has a fresh server copy one large object to the storage.
func (c *largeCopies) add(ctx context.Context, l *lab, storage string) error {
	origin, err := l.startOrigin(ctx)
	if err != nil {
		return err
	}
	defer origin.stop()
	serve, err := l.startConfigured(ctx, "serve", "", storage)
	if err != nil {
		return err
	}
	defer serve.stop()
	idle, err := serve.peakMemory()
	if err != nil {
		return err
	}
	begun := time.Now()
	url := fmt.Sprintf("http://%s/large.bin?size=%d", origin.address, l.largeBytes)
	location, err := awaitCopy(ctx, l, "http://"+serve.address+redirectPath(url))
	if err != nil {
		return err
	}
	wall := time.Since(begun)
	cpu, err := serve.cpu()
	if err != nil {
		return err
	}
	peak, err := serve.peakMemory()
	if err != nil {
		return err
	}
	c.wall, c.cpu = append(c.wall, wall.Seconds()), append(c.cpu, cpu.Seconds())
	c.idle, c.peak = append(c.idle, mebibytes(idle)), append(c.peak, mebibytes(peak))
	return checkLength(ctx, l, location)
}

// awaitCopy asks until there is a redirect, which with fallback none is one to
// the copy; before, each request waits for it as long as servers let it.
func awaitCopy(ctx context.Context, l *lab, url string) (location string, err error) {
	for {
		response, err := l.get(ctx, url)
		if err != nil {
			return "", err
		}
		response.Body.Close()
		switch response.StatusCode {
		case http.StatusFound:
			return response.Header.Get("Location"), nil
		case http.StatusGatewayTimeout:
		default:
			return "", fmt.Errorf("cloudmirror answered %s", response.Status)
		}
	}
}

// checkLength makes sure that there is a whole copy, without reading it.
func checkLength(ctx context.Context, l *lab, location string) error {
	response, err := l.get(ctx, location)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK || response.ContentLength != l.largeBytes {
		return fmt.Errorf("the copy answers %s with %d bytes, want %d", response.Status, response.ContentLength, l.largeBytes)
	}
	return nil
}
