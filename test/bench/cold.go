package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"cloudmirror/origin/origintest"
	"cloudmirror/storage"
	"cloudmirror/storage/filestore"
	"cloudmirror/test/lab"
)

const (
	coldBytes  = 1024
	goalCold50 = 3 // milliseconds over the direct fetch, embedded
	goalCold99 = 15
)

// A way is how the objects are fetched, and how long each took, in milliseconds.
type way struct {
	name   string
	front  *process // nil: directly from the origin
	copies string   // what URLs of copies begin with
	took   []float64
}

// warmUpObjects come first and do not count: connections are opened for them.
const warmUpObjects = 10

func measureCold(ctx context.Context, l *laboratory) (result, error) {
	origin, err := l.startOrigin(ctx)
	if err != nil {
		return result{}, err
	}
	defer origin.stop()
	onDisk, err := l.startEmbedded(ctx, "DIR")
	if err != nil {
		return result{}, err
	}
	defer onDisk.stop()
	ways := []*way{{name: "directly from the origin"}, {name: "through cloudmirror", front: onDisk, copies: copiesOf(onDisk)}}
	puts := []*way{{name: "Put of the file store alone"}}
	if puts[0].took, err = timePuts(ctx, l.path("puts"), l.coldObjects); err != nil {
		return result{}, err
	}
	if l.memory != "" {
		inMemory, err := l.startEmbedded(ctx, filepath.Join(l.memory, "cold"))
		if err != nil {
			return result{}, err
		}
		defer inMemory.stop()
		ways = append(ways, &way{name: "through cloudmirror, copies in " + memoryFileSystem, front: inMemory, copies: copiesOf(inMemory)})
		puts = append(puts, &way{name: "Put alone, in " + memoryFileSystem})
		if puts[1].took, err = timePuts(ctx, filepath.Join(l.memory, "puts"), l.coldObjects); err != nil {
			return result{}, err
		}
	}
	if err := fetchAll(ctx, l, origin, ways, l.coldObjects); err != nil {
		return result{}, err
	}
	return reportCold(ways, puts), nil
}

// copiesOf is what the URLs of copies begin with that a server keeps as files.
func copiesOf(serve *process) string { return "http://" + serve.address + "/objects/" }

// fetchAll fetches that number of objects, one after the other, each in all ways.
func fetchAll(ctx context.Context, l *laboratory, origin *process, ways []*way, objects int) error {
	for i := range objects + warmUpObjects {
		if err := fetchAllWays(ctx, l, origin, ways, i); err != nil {
			return err
		}
	}
	return nil
}

// fetchAllWays fetches the i-th object in each way, in turns another one first.
func fetchAllWays(ctx context.Context, l *laboratory, origin *process, ways []*way, i int) error {
	path := fmt.Sprintf("/cold/%d.bin", i)
	url := fmt.Sprintf("http://%s%s?size=%d", origin.address, path, coldBytes)
	want := origintest.Bytes(path, coldBytes)
	for turn := range ways {
		w := ways[(i+turn)%len(ways)]
		asked := url
		if w.front != nil {
			asked = "http://" + w.front.address + redirectPath(url)
		}
		begun := time.Now()
		body, from, err := fetch(ctx, l, asked)
		took := time.Since(begun)
		switch {
		case err != nil:
			return err
		case !bytes.Equal(body, want):
			return fmt.Errorf("%s came with other bytes than the origin's", path)
		case !strings.HasPrefix(from, w.copies):
			return fmt.Errorf("%s came from %s, which is no copy", path, from)
		case i >= warmUpObjects:
			w.took = append(w.took, milliseconds(took))
		}
	}
	return nil
}

// fetch gets a URL, or what it redirects to, and says where the body came from.
func fetch(ctx context.Context, l *laboratory, url string) (body []byte, from string, err error) {
	for range 2 {
		response, body, err := l.read(ctx, url)
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

// reportWays returns a row for each way, and for what each but the first, direct
// one adds to that; and what the second one adds.
func reportWays(ways []*way) (rows [][]string, added []float64) {
	for i, w := range ways {
		rows = append(rows, quantileRow(w.name, w.took))
		if i == 0 {
			continue
		}
		more := differences(w.took, ways[0].took)
		rows = append(rows, quantileRow("… what that adds, by object", more))
		if i == 1 {
			added = more
		}
	}
	return rows, added
}

func reportCold(ways, puts []*way) result {
	rows, added := reportWays(ways)
	for _, put := range puts {
		rows = append(rows, quantileRow(put.name, put.took))
	}
	return result{
		goals: []goal{
			atMost("a cold object of 1 KB, embedded: time added, p50", asMilliseconds, goalCold50, quantile(added, 0.5)),
			atMost("a cold object of 1 KB, embedded: p99", asMilliseconds, goalCold99, quantile(added, 0.99)),
		},
		text: fmt.Sprintf(`%d different objects of %d bytes are fetched one after the other: each directly from the origin and, by a client that follows the redirect, through an embedded `+"`cloudmirror serve`"+` that has no copy of it, in turns one or the other first, on kept connections, until the last byte. What is added is the difference for each object. The file store writes a copy to a temporary file, syncs it, names it and syncs the directories above it, so that a copy survives a power failure. In %s syncing costs nothing: what differs there is the disk, and what is left is cloudmirror. Put alone is called in a loop without cloudmirror around it.

%s`, len(added), coldBytes, memoryFileSystem, lab.Table(quantileHead, rows)),
	}
}
