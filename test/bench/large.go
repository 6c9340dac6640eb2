package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

const goalMemory = 200 << 20 // bytes resident

// A largeCopy is what copying one large object took.
type largeCopy struct {
	wall, cpu       time.Duration
	idle, peakBytes int64 // resident: the peak before the copy and in all
}

func measureLarge(ctx context.Context, l *lab) (result, error) {
	var rows [][]string
	var goals []goal
	for _, to := range []struct {
		name string
		copy func(context.Context, *lab) (largeCopy, error)
	}{
		{"S3 (versitygw)", copyToS3},
		{"files", copyToFiles},
	} {
		g := goal{
			what: fmt.Sprintf("a copy of %.0f MiB to %s: peak resident memory", mebibytes(l.largeBytes), to.name),
			want: fmt.Sprintf("< %.0f MiB", mebibytes(goalMemory)), measured: "–",
		}
		c, err := to.copy(ctx, l)
		if err != nil {
			g.verdict = "not measured: " + err.Error()
			fmt.Fprintln(os.Stderr, "bench: "+to.name+":", err)
		} else {
			g.measured, g.verdict = fmt.Sprintf("%.0f MiB", mebibytes(c.peakBytes)), judge(c.peakBytes < goalMemory)
			rows = append(rows, []string{
				to.name, fmt.Sprintf("%.1f", c.wall.Seconds()), fmt.Sprintf("%.0f", mebibytes(l.largeBytes)/c.wall.Seconds()),
				fmt.Sprintf("%.1f", c.cpu.Seconds()), fmt.Sprintf("%.0f", mebibytes(c.idle)), fmt.Sprintf("%.0f", mebibytes(c.peakBytes)),
			})
		}
		goals = append(goals, g)
	}
	return result{goals: goals, text: fmt.Sprintf(`One object of %.0f MiB, which an origin in another process generates while it sends it, is copied once by a fresh `+"`cloudmirror serve`"+`: front end and copier in one process, so that its memory is no less than a copier's. The time runs from the request to the redirect to the copy; it includes generating the bytes, their SHA-256, and the storage's own work on the same processors. Memory is VmHWM from /proc/PID/status, the most that was ever resident.

%s`, mebibytes(l.largeBytes),
		table([]string{"to", "seconds", "MiB/s", "CPU seconds", "MiB resident before", "MiB resident at most"}, rows))}, nil
}

func copyToFiles(ctx context.Context, l *lab) (largeCopy, error) {
	return copyLarge(ctx, l, "{type: file}")
}

func copyToS3(ctx context.Context, l *lab) (largeCopy, error) {
	program, err := find("versitygw", "make deps")
	if err != nil {
		return largeCopy{}, err
	}
	objects := l.path("s3")
	defer os.RemoveAll(objects)
	// A bucket is a directory there.
	if err := os.MkdirAll(filepath.Join(objects, "copies"), 0o700); err != nil {
		return largeCopy{}, err
	}
	s3, err := l.start(ctx, server{
		program: program,
		args:    []string{"--port", "ADDRESS", "--region", "us-east-1", "--keep-alive", "--quiet", "posix", "DIR/s3"},
		env:     []string{"ROOT_ACCESS_KEY=" + accessKey, "ROOT_SECRET_KEY=" + secretKey},
	})
	if err != nil {
		return largeCopy{}, err
	}
	defer s3.stop()
	return copyLarge(ctx, l, "{type: s3, bucket: copies, endpoint: 'http://"+s3.address+"', path_style: true, presign: true}")
}

// copyLarge has a fresh server copy one large object to the storage.
func copyLarge(ctx context.Context, l *lab, storage string) (c largeCopy, err error) {
	origin, err := l.startOrigin(ctx)
	if err != nil {
		return c, err
	}
	defer origin.stop()
	defer os.RemoveAll(l.path("data"))
	serve, err := l.startConfigured(ctx, "serve", "", storage)
	if err != nil {
		return c, err
	}
	defer serve.stop()
	if c.idle, err = serve.peakMemory(); err != nil {
		return c, err
	}
	begun := time.Now()
	url := fmt.Sprintf("http://%s/large.bin?size=%d", origin.address, l.largeBytes)
	location, err := awaitCopy(ctx, l, "http://"+serve.address+redirectPath(url))
	if err != nil {
		return c, err
	}
	c.wall = time.Since(begun)
	if c.cpu, err = serve.cpu(); err != nil {
		return c, err
	}
	if c.peakBytes, err = serve.peakMemory(); err != nil {
		return c, err
	}
	return c, checkLength(ctx, l, location, l.largeBytes)
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
func checkLength(ctx context.Context, l *lab, location string, want int64) error {
	response, err := l.get(ctx, location)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK || response.ContentLength != want {
		return fmt.Errorf("the copy answers %s with %d bytes, want %d", response.Status, response.ContentLength, want)
	}
	return nil
}
