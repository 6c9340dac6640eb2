package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"cloudmirror/origin/origintest"
	"cloudmirror/storage"
	"cloudmirror/storage/filestore"
)

const (
	coldBytes = 1024
	goalCold  = 20 * time.Millisecond
)

// cold is what was measured, in milliseconds, by object.
type cold struct {
	direct, through, added []float64
	putDisk, putMemory     []float64
}

func measureCold(ctx context.Context, l *lab) (result, error) {
	origin, err := l.startOrigin(ctx)
	if err != nil {
		return result{}, err
	}
	defer origin.stop()
	serve, err := l.startEmbedded(ctx)
	if err != nil {
		return result{}, err
	}
	defer serve.stop()
	var c cold
	for i := range l.coldObjects + coldWarmUp {
		if err := c.compare(ctx, l, origin, serve, i); err != nil {
			return result{}, err
		}
	}
	if c.putDisk, err = timePuts(ctx, l.path("puts"), l.coldObjects); err != nil {
		return result{}, err
	}
	if memory, err := os.MkdirTemp("/dev/shm", "cloudmirror-bench-"); err == nil {
		defer os.RemoveAll(memory)
		if c.putMemory, err = timePuts(ctx, memory, l.coldObjects); err != nil {
			return result{}, err
		}
	}
	return c.report(), nil
}

// coldWarmUp is how many objects come first that do not count: connections are
// opened for them.
const coldWarmUp = 10

// compare fetches the i-th object both ways, in turns one or the other first.
func (c *cold) compare(ctx context.Context, l *lab, origin, serve *process, i int) error {
	path := fmt.Sprintf("/cold/%d.bin", i)
	url := fmt.Sprintf("http://%s%s?size=%d", origin.address, path, coldBytes)
	mirrored := "http://" + serve.address + redirectPath(url)
	want := origintest.Bytes(path, coldBytes)
	var took [2]time.Duration
	for _, way := range [2]int{i % 2, 1 - i%2} {
		begun := time.Now()
		body, from, err := fetch(ctx, l, [2]string{url, mirrored}[way])
		took[way] = time.Since(begun)
		switch {
		case err != nil:
			return err
		case !bytes.Equal(body, want):
			return fmt.Errorf("%s came with other bytes than the origin's", path)
		case way == 1 && !strings.HasPrefix(from, "http://"+serve.address+"/objects/"):
			return fmt.Errorf("%s came from %s, which is no copy", path, from)
		}
	}
	if i >= coldWarmUp {
		c.direct = append(c.direct, milliseconds(took[0]))
		c.through = append(c.through, milliseconds(took[1]))
		c.added = append(c.added, milliseconds(took[1]-took[0]))
	}
	return nil
}

// fetch gets a URL, or what it redirects to, and says where the body came from.
func fetch(ctx context.Context, l *lab, url string) (body []byte, from string, err error) {
	for range 2 {
		response, err := l.get(ctx, url)
		if err != nil {
			return nil, "", err
		}
		body, err = io.ReadAll(response.Body)
		response.Body.Close()
		switch {
		case err != nil:
			return nil, "", err
		case response.StatusCode == http.StatusOK:
			return body, url, nil
		case response.StatusCode != http.StatusFound:
			return nil, "", fmt.Errorf("GET %s: %s: %s", url, response.Status, body)
		}
		url = response.Header.Get("Location")
	}
	return nil, "", fmt.Errorf("one redirect too many, to %s", url)
}

// timePuts puts objects into a file store of its own, one after the other, and
// returns how long each took, in milliseconds.
func timePuts(ctx context.Context, dir string, objects int) ([]float64, error) {
	store, err := filestore.New(filestore.Options{Dir: dir, PublicURL: "http://127.0.0.1/objects"})
	if err != nil {
		return nil, err
	}
	defer store.Close()
	var took []float64
	for i := range objects {
		key := fmt.Sprintf("%064x/0/put.bin", i)
		begun := time.Now()
		_, err := store.Put(ctx, key, origintest.Content(key, coldBytes), storage.PutOptions{SizeBytes: coldBytes})
		if err != nil {
			return nil, err
		}
		took = append(took, milliseconds(time.Since(begun)))
	}
	return took, nil
}

func (c *cold) report() result {
	row := func(what string, values []float64) []string {
		cells := []string{what}
		for _, q := range []float64{0, 0.5, 0.9, 0.99, 1} {
			cells = append(cells, fmt.Sprintf("%.2f", quantile(values, q)))
		}
		return cells
	}
	rows := [][]string{
		row("directly from the origin", c.direct),
		row("through cloudmirror, which has no copy", c.through),
		row("added, by object", c.added),
		row("Put of the file store alone", c.putDisk),
	}
	syncing := "There is no /dev/shm here to tell what syncing costs."
	if len(c.putMemory) > 0 {
		rows = append(rows, row("the same in /dev/shm, where syncing costs nothing", c.putMemory))
		syncing = fmt.Sprintf("So syncing, which makes a copy survive a power failure, costs %.2f ms of a Put at the median, which is %.0f %% of what is added.",
			median(c.putDisk)-median(c.putMemory), 100*(median(c.putDisk)-median(c.putMemory))/median(c.added))
	}
	p50, p99 := median(c.added), quantile(c.added, 0.99)
	goalOf := func(name string, added float64) goal {
		return goal{
			what: "a cold object of 1 KB: time added, " + name, want: fmt.Sprintf("< %.0f ms", milliseconds(goalCold)),
			measured: fmt.Sprintf("%.2f ms", added), verdict: judge(added < milliseconds(goalCold)),
		}
	}
	return result{
		goals: []goal{goalOf("p50", p50), goalOf("p99", p99)},
		text: fmt.Sprintf(`%d different objects of %d bytes are fetched one after the other, each directly from the origin and, by a client that follows the redirect, through an embedded `+"`cloudmirror serve`"+` that has no copy of it: until the last byte, in turns the one or the other first, on kept connections. What is added is the difference for each object. The file store writes a copy to a temporary file, syncs it, names it and syncs the directories.

%s
%s
`, len(c.added), coldBytes, table([]string{"milliseconds", "least", "p50", "p90", "p99", "greatest"}, rows), syncing),
	}
}
