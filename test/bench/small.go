package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"cloudmirror/origin/origintest"
)

const (
	smallBytes   = 10_000
	smallClients = 32
)

// measureSmall has many small objects copied at once, to files on a disk and to
// files in memory, where syncing costs nothing.
func measureSmall(ctx context.Context, l *lab) (result, error) {
	origin, err := l.startOrigin(ctx)
	if err != nil {
		return result{}, err
	}
	defer origin.stop()
	dirs := []string{"DIR"}
	if memory, err := os.MkdirTemp(memoryDir, "cloudmirror-bench-"); err == nil {
		defer os.RemoveAll(memory)
		dirs = append(dirs, memory+"/data")
	}
	var rows [][]string
	for i, dir := range dirs {
		serve, err := l.startEmbedded(ctx, dir)
		if err != nil {
			return result{}, err
		}
		row, err := copySmall(ctx, l, origin, serve)
		serve.stop()
		if err != nil {
			return result{}, err
		}
		rows = append(rows, append([]string{[]string{"files on a disk", "files in " + memoryDir}[i]}, row...))
	}
	return result{text: fmt.Sprintf(`%d different objects of %d bytes are asked for by %d clients at once, and each copy is fetched and compared. CPU seconds are those of an embedded `+"`cloudmirror serve`"+`, which makes the copies, redirects the clients and serves them the files. Each copy is synced before it is visible; what that costs is the difference between the two file systems.

%s`, l.smallObjects, smallBytes, smallClients, table([]string{"copies to", "copies per second", "copies per CPU second"}, rows))}, nil
}

func copySmall(ctx context.Context, l *lab, origin, serve *process) ([]string, error) {
	before, err := serve.cpu()
	if err != nil {
		return nil, err
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
		return nil, err
	}
	took := time.Since(begun)
	after, err := serve.cpu()
	if err != nil {
		return nil, err
	}
	n := float64(l.smallObjects)
	return []string{fmt.Sprintf("%.0f", n/took.Seconds()), fmt.Sprintf("%.0f", n/(after-before).Seconds())}, nil
}
