package storagetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/storage"
)

func readTests() []namedTest {
	return []namedTest{
		{"an unknown key is ErrNotExist", testUnknown},
		{"what was put is found whole", testRoundTrip},
		{"the times of a copy are kept", testTimes},
		{"a copy without expiry is kept", testNoExpiry},
		{"an expired copy is not there and gives way", testExpired},
		{"a marker is a copy of its own", testMarker},
		{"a broken storage is an error and no miss", testBroken},
	}
}

func testUnknown(t *testing.T, f *fixture) {
	f.wantNothing(t, aKey(t))
	f.mustPut(t, object(t, "https://origin.example/other").StorageKey("0"), []byte("x"), storage.PutOptions{})
	f.wantNothing(t, aKey(t))
	o := object(t, "https://origin.example/other")
	f.wantNothing(t, o.StorageKey("1"))
	f.wantNothing(t, o.StorageKey("0")+"2")
	f.wantNothing(t, o.MarkerKey())
}

func testRoundTrip(t *testing.T, f *fixture) {
	part := f.partBytes
	for _, size := range []int64{0, 1, 10_000, part - 1, part, part + 1, 2*part + 17, 3 * part} {
		for _, told := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d bytes, length told %t", size, told), func(t *testing.T) {
				key := object(t, fmt.Sprintf("https://origin.example/%d/%t", size, told)).StorageKey("0")
				data := content(uint64(size), size)
				o := storage.PutOptions{SizeBytes: -1}
				if told {
					o.SizeBytes = size
				}
				put, err := f.Provider.Put(t.Context(), key, stream(data), o)
				if err != nil {
					t.Fatalf("Put: %v", err)
				}
				info := f.wantCopy(t, key, data)
				if put.SizeBytes != info.SizeBytes || put.SHA256 != info.SHA256 {
					t.Errorf("Put returned %d bytes %q, Stat %d bytes %q", put.SizeBytes, put.SHA256, info.SizeBytes, info.SHA256)
				}
			})
		}
	}
}

func testTimes(t *testing.T, f *fixture) {
	for _, size := range []int64{10, f.partBytes + 1} {
		key := object(t, fmt.Sprintf("https://origin.example/%d", size)).StorageKey("0")
		now := time.Now()
		expires := now.Add(25 * time.Hour)
		put := f.mustPut(t, key, content(1, size), storage.PutOptions{ExpiresAt: expires})
		info, err := f.Provider.Stat(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range []storage.Info{put, info} {
			wantTime(t, "ExpiresAt", i.ExpiresAt, expires)
			if age := i.StoredAt.Sub(now); age < -2*time.Second || age > time.Minute {
				t.Errorf("StoredAt is %v, the put began at %v", i.StoredAt, now)
			}
		}
	}
}

func testNoExpiry(t *testing.T, f *fixture) {
	key := aKey(t)
	put := f.mustPut(t, key, []byte("kept"), storage.PutOptions{})
	f.Advance(10 * 366 * 24 * time.Hour)
	info := f.wantCopy(t, key, []byte("kept"))
	wantTime(t, "ExpiresAt of Put", put.ExpiresAt, time.Time{})
	wantTime(t, "ExpiresAt of Stat", info.ExpiresAt, time.Time{})
}

func testExpired(t *testing.T, f *fixture) {
	for _, size := range []int64{10, f.partBytes + 1} {
		t.Run(fmt.Sprintf("%d bytes", size), func(t *testing.T) {
			key := object(t, fmt.Sprintf("https://origin.example/%d", size)).StorageKey("0")
			empty := f.Contents(t)
			o := storage.PutOptions{SizeBytes: size, ExpiresAt: time.Now().Add(time.Hour)}
			f.mustPut(t, key, content(1, size), o)
			f.Advance(2 * time.Hour)
			f.wantNothing(t, key)

			// A put that fails does not bring it back, one that ends well does.
			o.ExpiresAt = time.Now().Add(100 * time.Hour)
			if _, err := f.Provider.Put(t.Context(), key, stream(content(2, size-1)), o); err == nil {
				t.Error("Put of too short a body succeeded")
			}
			f.wantNothing(t, key)
			f.mustPut(t, key, content(2, size), o)
			f.wantCopy(t, key, content(2, size))
			if _, err := f.Provider.Put(t.Context(), key, stream(content(3, size)), o); !errors.Is(err, storage.ErrExist) {
				t.Errorf("Put over the new copy gave %v, want ErrExist", err)
			}
			if err := f.Provider.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			f.wantContents(t, empty)
		})
	}
}

func testMarker(t *testing.T, f *fixture) {
	o := object(t, "https://origin.example/file")
	f.mustPut(t, o.StorageKey("0"), []byte("copy"), storage.PutOptions{})
	for _, generation := range []cloudmirror.Generation{"a", cloudmirror.NewGeneration(), cloudmirror.NewGeneration()} {
		f.mustPut(t, o.MarkerKey(), []byte(generation), storage.PutOptions{Replace: true})
		f.wantCopy(t, o.MarkerKey(), []byte(generation))
	}
	f.wantCopy(t, o.StorageKey("0"), []byte("copy"))
	if err := f.Provider.Delete(t.Context(), o.StorageKey("0")); err != nil {
		t.Fatal(err)
	}
	f.wantNothing(t, o.StorageKey("0"))
	if _, err := f.Provider.Stat(t.Context(), o.MarkerKey()); err != nil {
		t.Errorf("the marker did not outlive its copy: %v", err)
	}
}

func testBroken(t *testing.T, f *fixture) {
	if len(f.broken) == 0 {
		t.Error("the harness has no broken storage")
	}
	for how, newProvider := range f.broken {
		t.Run(how, func(t *testing.T) {
			p := newProvider(t)
			key := aKey(t)
			_, err := p.Stat(t.Context(), key)
			wantFailure(t, "Stat", err)
			_, _, err = p.Open(t.Context(), key)
			wantFailure(t, "Open", err)
			_, err = p.Put(t.Context(), key, stream([]byte("x")), storage.PutOptions{SizeBytes: 1})
			wantFailure(t, "Put", err)
			_, err = p.Put(t.Context(), key, stream(content(1, f.partBytes+1)), storage.PutOptions{SizeBytes: -1})
			wantFailure(t, "Put of a large body", err)
			wantFailure(t, "Delete", p.Delete(t.Context(), key))
		})
	}
}

func wantFailure(t *testing.T, call string, err error) {
	t.Helper()
	if err == nil || errors.Is(err, storage.ErrNotExist) || errors.Is(err, storage.ErrExist) {
		t.Errorf("%s gave %v, want an error that is neither ErrNotExist nor ErrExist", call, err)
	}
}
