package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"cloudmirror/origin/origintest"
	"cloudmirror/test/lab"
)

const (
	smallBytes   = 10_000
	smallClients = 32
	goalSmall    = 1_000 // copies per CPU second, on a disk
)

// measureSmall has many small objects copied at once, to files on a disk and to
// files in memory, where syncing costs nothing.
func measureSmall(ctx context.Context, l *laboratory) (result, error) {
	origin, err := l.startOrigin(ctx)
	if err != nil {
		return result{}, err
	}
	defer origin.stop()
	dirs := []string{"DIR"}
	if l.memory != "" {
		dirs = append(dirs, filepath.Join(l.memory, "small"))
	}
	var rows [][]string
	var rates []float64 // copies per CPU second: on a disk, in memory
	for i, dir := range dirs {
		serve, err := l.startEmbedded(ctx, dir)
		if err != nil {
			return result{}, err
		}
		perSecond, perCPU, err := copySmall(ctx, l, origin, serve)
		serve.stop()
		if err != nil {
			return result{}, err
		}
		rows = append(rows, []string{[]string{"files on a disk", "files in " + memoryFileSystem}[i], fmt.Sprintf("%.0f", perSecond), fmt.Sprintf("%.0f", perCPU)})
		rates = append(rates, perCPU)
	}
	return result{goals: []goal{
		atLeast("many objects of 10 KB: copies per CPU second, files on a disk", unit{0, ""}, goalSmall, rates[0]),
	}, text: fmt.Sprintf(`%d different objects of %d bytes are asked for by %d clients at once, and each copy is fetched and compared. CPU seconds are those of an embedded `+"`cloudmirror serve`"+`, which makes the copies, redirects the clients and serves them the files. Each copy is synced before it is visible; what that costs is the difference between the two file systems.

%s`, l.smallObjects, smallBytes, smallClients, lab.Table([]string{"copies to", "copies per second", "copies per CPU second"}, rows))}, nil
}

func copySmall(ctx context.Context, l *laboratory, origin, serve *process) (perSecond, perCPU float64, err error) {
	before, err := lab.CPU(serve.Pid())
	if err != nil {
		return 0, 0, err
	}
	begun := time.Now()
	clients, ctx := errgroup.WithContext(ctx)
	clients.SetLimit(smallClients)
	for i := range l.smallObjects {
		clients.Go(func() error {
			path := fmt.Sprintf("/small/%d.bin", i)
			url := fmt.Sprintf("http://%s%s?size=%d", origin.address, path, smallBytes)
			body, from, err := fetch(ctx, l, "http://"+serve.address+redirectPath(url))
			if err == nil && !bytes.Equal(body, origintest.Bytes(path, smallBytes)) {
				err = fmt.Errorf("%s came from %s with other bytes than the origin's", path, from)
			}
			return err
		})
	}
	if err := clients.Wait(); err != nil {
		return 0, 0, err
	}
	took := time.Since(begun)
	after, err := lab.CPU(serve.Pid())
	if err != nil {
		return 0, 0, err
	}
	n := float64(l.smallObjects)
	return n / took.Seconds(), n / (after - before).Seconds(), nil
}
