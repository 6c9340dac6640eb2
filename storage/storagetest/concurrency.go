package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"cloudmirror/storage"
)

func concurrencyTests() []namedTest {
	return []namedTest{
		{"a put that was overtaken leaves the other's copy alone", testOvertaken},
		{"of concurrent puts one wins", testOneWinner},
		{"readers see whole versions while others replace", testWholeVersions},
		{"puts and deletes at once leave no remains", testPutDelete},
	}
}

// versions are bodies that writers put under one key, some in parts, some not.
func (f *fixture) versions() [][]byte {
	return [][]byte{
		content(0, 1000), content(1, f.partBytes+1), content(2, 2000), content(3, f.partBytes+2),
		content(4, 0), content(5, 2*f.partBytes), content(6, f.partBytes), content(7, 77),
	}
}

// testOvertaken has one put begin and end while another one waits for its body.
func testOvertaken(t *testing.T, f *fixture) {
	for _, size := range []int64{10, f.partBytes + 1} {
		key := object(t, fmt.Sprintf("https://origin.example/%d", size)).StorageKey("0")
		begun, overtaken := make(chan struct{}), make(chan struct{})
		body := then(content(1, size), func() (int, error) {
			close(begun)
			<-overtaken
			return 0, io.EOF
		})
		result := make(chan error, 1)
		go func() {
			_, err := f.Provider.Put(t.Context(), key, body, storage.PutOptions{SizeBytes: -1})
			result <- err
		}()
		select {
		case <-begun:
		case err := <-result:
			t.Fatalf("the first put ended before its body: %v", err)
		}
		f.mustPut(t, key, content(2, size), storage.PutOptions{})
		close(overtaken)
		if err := <-result; !errors.Is(err, storage.ErrExist) {
			t.Errorf("the overtaken put of %d bytes gave %v, want ErrExist", size, err)
		}
		f.wantCopy(t, key, content(2, size))
	}
}

func testOneWinner(t *testing.T, f *fixture) {
	key := aKey(t)
	empty := f.Contents(t)
	var winners atomic.Int64
	var winner atomic.Pointer[[]byte]
	f.race(t, key, func(ctx context.Context, _ int, data []byte) {
		_, err := f.Provider.Put(ctx, key, stream(data), storage.PutOptions{SizeBytes: int64(len(data))})
		switch {
		case err == nil:
			winners.Add(1)
			winner.Store(&data)
		case !errors.Is(err, storage.ErrExist):
			t.Errorf("Put gave %v, want ErrExist or nil", err)
		}
	})
	if winners.Load() != 1 {
		t.Fatalf("%d of 8 concurrent puts succeeded", winners.Load())
	}
	f.wantCopy(t, key, *winner.Load())
	if err := f.Provider.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	f.wantContents(t, empty)
}

func testWholeVersions(t *testing.T, f *fixture) {
	key := aKey(t)
	f.mustPut(t, key, content(9, 9), storage.PutOptions{})
	missing := f.race(t, key, func(ctx context.Context, _ int, data []byte) {
		_, err := f.Provider.Put(ctx, key, stream(data), storage.PutOptions{SizeBytes: -1, Replace: true})
		if err != nil {
			t.Errorf("Put gave %v", err)
		}
	})
	if missing > 0 {
		t.Errorf("a copy that was only replaced was missing %d times", missing)
	}
	info, err := f.Provider.Stat(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	data, _, err := f.read(t.Context(), key)
	if err != nil || digest(data) != info.SHA256 {
		t.Errorf("after all, %d bytes %s…, want %s… (%v)", len(data), digest(data)[:8], info.SHA256[:8], err)
	}
}

// testPutDelete has each writer delete what it put, as copiers do whose attempt
// turned out to be another's. A storage may break off some of the puts.
func testPutDelete(t *testing.T, f *fixture) {
	key := aKey(t)
	empty := f.Contents(t)
	var deleted atomic.Int64
	f.race(t, key, func(ctx context.Context, _ int, data []byte) {
		if _, err := f.Provider.Put(ctx, key, stream(data), storage.PutOptions{SizeBytes: -1}); err != nil {
			return
		}
		if err := f.Provider.Delete(ctx, key); err != nil {
			t.Errorf("Delete gave %v", err)
		}
		deleted.Add(1)
	})
	if deleted.Load() == 0 {
		t.Error("none of the puts succeeded")
	}
	f.wantNothing(t, key)
	f.wantContents(t, empty)
}

// race runs one writer for each version while readers check that what they see
// is one whole version. It returns how often they saw nothing.
func (f *fixture) race(t *testing.T, key string, write func(ctx context.Context, i int, data []byte)) (missing int64) {
	t.Helper()
	var writers, readers sync.WaitGroup
	var absent atomic.Int64
	var done atomic.Bool
	for range 2 {
		readers.Go(func() {
			for !done.Load() {
				data, info, err := f.read(t.Context(), key)
				switch {
				case errors.Is(err, storage.ErrNotExist):
					absent.Add(1)
				case err != nil:
					t.Errorf("Open or read: %v", err)
				case digest(data) != info.SHA256:
					t.Errorf("a reader saw %d bytes %s… under the digest %s…", len(data), digest(data)[:8], info.SHA256[:8])
				}
			}
		})
	}
	for i, data := range f.versions() {
		writers.Go(func() { write(t.Context(), i, data) })
	}
	writers.Wait()
	done.Store(true)
	readers.Wait()
	return absent.Load()
}
