package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"cloudmirror/origin/origintest"
	"cloudmirror/test/lab"
)

// memoryFileSystem is a file system in memory.
const memoryFileSystem = "/dev/shm"

// makeMemoryDir makes a directory in memory; "" if there is no room.
func makeMemoryDir(roomBytes int64) string {
	var files syscall.Statfs_t
	if syscall.Statfs(memoryFileSystem, &files) != nil || int64(files.Bavail)*files.Bsize < roomBytes { //nolint:gosec // fits
		return ""
	}
	var available int64 // KiB: what a file system in memory may take is not what there is
	if _, err := fmt.Sscan(lab.LineOf("/proc/meminfo", "MemAvailable"), &available); err != nil || available<<10 < roomBytes {
		return ""
	}
	dir, err := os.MkdirTemp(memoryFileSystem, "cloudmirror-bench-")
	if err != nil {
		return ""
	}
	return dir
}

// hugeDir is where the huge object is, and its copies: in memory if that has room,
// since disks differ more than programs.
func (l *laboratory) hugeDir() string { return cmp.Or(l.memory, l.dir) }

// hugeFileSystem is hugeDir as the document has it.
func (l *laboratory) hugeFileSystem() string { return filepath.Dir(l.hugeDir()) }

// startHugeOrigin starts nginx with the huge object, and returns where it is: an
// origin that generates what it sends would take the copier's processor.
func (l *laboratory) startHugeOrigin(ctx context.Context) (origin *process, url string, err error) {
	program, err := lab.FindNginx()
	if err != nil {
		return nil, "", err
	}
	s := nginxServer(program, `sendfile on;
    server { listen ADDRESS; root DIR; }`)
	s.parent = l.hugeDir()
	if origin, err = l.start(ctx, s); err != nil {
		return nil, "", err
	}
	file, err := os.Create(filepath.Join(origin.dir, "huge.bin"))
	if err == nil {
		_, err = io.Copy(file, origintest.Content("/huge.bin", l.hugeBytes))
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		origin.stop()
		return nil, "", err
	}
	return origin, "http://" + origin.address + "/huge.bin", nil
}

// copyLarge has a server make the copy of one object, and adds what that took. The
// server is stopped, and its directory removed.
func (l *laboratory) copyLarge(ctx context.Context, u *usage, serve *process, url string, sizeBytes int64) error {
	defer serve.stop()
	before, err := lab.CPU(serve.Pid())
	if err != nil {
		return err
	}
	begun := time.Now()
	location, err := l.awaitCopy(ctx, "http://"+serve.address+redirectPath(url))
	if err != nil {
		return err
	}
	wall := time.Since(begun)
	after, err := lab.CPU(serve.Pid())
	if err != nil {
		return err
	}
	peak, err := serve.peakMemory()
	if err != nil {
		return err
	}
	u.add(wall, after-before, peak)
	return l.checkLength(ctx, location, sizeBytes)
}

// awaitCopy asks until there is a redirect, which with fallback none is one to
// the copy; before, each request waits for it as long as servers let it.
func (l *laboratory) awaitCopy(ctx context.Context, url string) (location string, err error) {
	for {
		response, body, err := l.read(ctx, url)
		switch {
		case err != nil:
			return "", err
		case response.StatusCode == http.StatusFound:
			return response.Header.Get("Location"), nil
		case response.StatusCode == http.StatusGatewayTimeout:
		case response.StatusCode == http.StatusServiceUnavailable: // something is too busy to answer in time
			l.refusals.Add(1)
			if err := lab.Pause(ctx, time.Second); err != nil {
				return "", err
			}
		default:
			return "", fmt.Errorf("cloudmirror answered %s: %s", response.Status, body)
		}
	}
}

// checkLength makes sure that there is a whole copy, without reading it.
func (l *laboratory) checkLength(ctx context.Context, location string, sizeBytes int64) error {
	response, err := l.get(ctx, location)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK || response.ContentLength != sizeBytes {
		return fmt.Errorf("the copy answers %s with %d bytes, want %d", response.Status, response.ContentLength, sizeBytes)
	}
	return nil
}

// rates returns MiB per CPU second.
func (u *usage) rates(sizeBytes int64) []float64 {
	var rates []float64
	for _, cpu := range u.cpu {
		rates = append(rates, mebibytes(sizeBytes)/cpu)
	}
	return rates
}

// usageHead and row show usage in a table.
var usageHead = []string{"", "seconds", "CPU seconds", "MiB per CPU second", "MiB resident at most"}

func (u *usage) row(name string, sizeBytes int64) []string {
	return []string{name, spread(u.wall, 2), spread(u.cpu, 2), spread(u.rates(sizeBytes), 0), spread(u.peak, 0)}
}
