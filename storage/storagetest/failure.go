package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"cloudmirror/storage"
)

func failureTests() []namedTest {
	return []namedTest{
		{"an error of the body leaves nothing", testBodyError},
		{"an error of the body leaves the old copy", testBodyErrorReplacing},
		{"the end of the context leaves nothing", testCancel},
		{"a body of another length leaves nothing", testLength},
	}
}

var errBody = errors.New("the origin broke off")

// sizes are where a put can be when its body fails: before the first byte,
// within the first part, between parts, within a later one.
func (f *fixture) sizes() []int64 {
	return []int64{0, 1000, f.partBytes, f.partBytes + 1, 2*f.partBytes + 1000}
}

func testBodyError(t *testing.T, f *fixture) {
	before := f.Contents(t)
	for _, size := range f.sizes() {
		for _, told := range []int64{-1, size + 1000} {
			t.Run(fmt.Sprintf("after %d bytes of %d", size, told), func(t *testing.T) {
				broken := then(content(1, size), func() (int, error) { return 0, errBody })
				_, err := f.Provider.Put(t.Context(), aKey(t), broken, storage.PutOptions{SizeBytes: told})
				if !errors.Is(err, errBody) {
					t.Errorf("Put gave %v, want the body's error wrapped", err)
				}
				f.wantNothing(t, aKey(t))
				f.wantContents(t, before)
			})
		}
	}
}

func testBodyErrorReplacing(t *testing.T, f *fixture) {
	old := content(9, f.partBytes+1)
	f.mustPut(t, aKey(t), old, storage.PutOptions{Header: originHeader()})
	before := f.Contents(t)
	for _, size := range f.sizes() {
		broken := then(content(1, size), func() (int, error) { return 0, errBody })
		_, err := f.Provider.Put(t.Context(), aKey(t), broken, storage.PutOptions{SizeBytes: -1, Replace: true})
		if !errors.Is(err, errBody) {
			t.Errorf("Put gave %v after %d bytes, want the body's error wrapped", err, size)
		}
		f.wantCopy(t, aKey(t), old)
		f.wantContents(t, before)
	}
}

func testCancel(t *testing.T, f *fixture) {
	before := f.Contents(t)
	for _, size := range f.sizes() {
		t.Run(fmt.Sprintf("after %d bytes", size), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			// The body itself knows nothing of the context, and goes on for ever.
			after := int64(0)
			endless := readerFunc(func(p []byte) (int, error) {
				if after += int64(len(p)); after > 4*f.partBytes {
					t.Error("Put goes on reading after its context has ended")
					return 0, io.EOF
				}
				return len(p), nil
			})
			body := io.MultiReader(then(content(1, size), func() (int, error) { cancel(); return 0, io.EOF }), endless)
			_, err := f.Provider.Put(ctx, aKey(t), body, storage.PutOptions{SizeBytes: -1})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Put gave %v, want context.Canceled", err)
			}
			f.wantNothing(t, aKey(t))
			f.wantContents(t, before)
		})
	}
}

func testLength(t *testing.T, f *fixture) {
	before := f.Contents(t)
	for _, size := range f.sizes() {
		for _, told := range []int64{0, size - 1, size + 1, size + f.partBytes} {
			if told < 0 || told == size {
				continue
			}
			t.Run(fmt.Sprintf("%d bytes for %d", size, told), func(t *testing.T) {
				_, err := f.Provider.Put(t.Context(), aKey(t), stream(content(1, size)), storage.PutOptions{SizeBytes: told})
				if err == nil {
					t.Error("Put succeeded")
				}
				f.wantNothing(t, aKey(t))
				f.wantContents(t, before)
			})
		}
	}
}
