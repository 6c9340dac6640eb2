package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"cloudmirror/storage"
)

func sectionTests() []namedTest {
	return []namedTest{
		{"sections are read several at once and verified in order", testSections},
		{"a body that offers no sections is read on in order", testDeclined},
		{"sections are not asked of a body of unknown length", testUnknownLength},
		{"a section that fails leaves the old copy", testSectionError},
		{"a section of another length leaves nothing", testSectionLength},
		{"a body that proves false at its end leaves nothing", testUnverified},
		{"the end of the context ends all sections", testSectionsCancelled},
	}
}

// sectionsAtOnce is how many sections the suite's bodies let be read at once.
const sectionsAtOnce = 3

// A sectionedBody notes how it is read. Its sections come in any order: the first
// ones give their last byte only after those that were opened behind them.
type sectionedBody struct {
	io.Reader
	data     []byte
	declines bool
	// read takes the place of a section's Read, if it is not nil.
	read func(ctx context.Context, index int, section *bytes.Reader, p []byte) (int, error)
	// verify is what Verify returns after so many bytes.
	verify func(bytes int) error

	mu       sync.Mutex
	first    int // bytes that were read in order
	asked    int
	offsets  []int64 // of the sections that were opened
	open     int
	mostOpen int
	verified bytes.Buffer
	full     chan struct{} // closed when as many sections are open as may be
}

func newSectionedBody(data []byte) *sectionedBody {
	b := &sectionedBody{data: data, full: make(chan struct{})}
	in := stream(data)
	b.Reader = readerFunc(func(p []byte) (int, error) {
		n, err := in.Read(p)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.first += n
		return n, err
	})
	return b
}

func (b *sectionedBody) Sections(int64) storage.Sections {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	if b.declines {
		return nil
	}
	b.Reader = readerFunc(func([]byte) (int, error) { return 0, errors.New("read in order after asking for sections") })
	return b
}

func (b *sectionedBody) Open(ctx context.Context, offset, n int64) (io.ReadCloser, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == sectionsAtOnce {
		return nil, false
	}
	s := &section{ctx: ctx, body: b, index: len(b.offsets), rest: bytes.NewReader(b.data[offset : offset+n])}
	b.offsets = append(b.offsets, offset)
	b.open++
	b.mostOpen = max(b.mostOpen, b.open)
	if len(b.offsets) == sectionsAtOnce {
		close(b.full)
	}
	return s, true
}

func (b *sectionedBody) Verify(p []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.verified.Write(p)
	if b.verify != nil {
		return b.verify(b.first + b.verified.Len())
	}
	return nil
}

type section struct {
	ctx   context.Context //nolint:containedctx // as an HTTP response does
	body  *sectionedBody
	index int
	rest  *bytes.Reader
}

func (s *section) Read(p []byte) (int, error) {
	if s.body.read != nil {
		return s.body.read(s.ctx, s.index, s.rest, p)
	}
	if s.index == 0 {
		select {
		case <-s.body.full:
		case <-s.ctx.Done():
			return 0, s.ctx.Err()
		}
	}
	return s.rest.Read(p[:min(len(p), 100_003)])
}

func (s *section) Close() error {
	s.body.mu.Lock()
	defer s.body.mu.Unlock()
	s.body.open--
	return nil
}

// putSections puts a body and makes sure that nothing of it is in use afterwards.
func (f *fixture) putSections(ctx context.Context, t *testing.T, b *sectionedBody, o storage.PutOptions) error {
	t.Helper()
	_, err := f.Provider.Put(ctx, aKey(t), b, o)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open != 0 {
		t.Errorf("%d sections are open after Put", b.open)
	}
	return err
}

// sectioned returns a body of some sections, and its options.
func (f *fixture) sectioned() (*sectionedBody, storage.PutOptions) {
	size := 6*f.partBytes + 1000
	return newSectionedBody(content(1, size)), storage.PutOptions{SizeBytes: size}
}

func testSections(t *testing.T, f *fixture) {
	b, o := f.sectioned()
	if err := f.putSections(t.Context(), t, b, o); err != nil {
		t.Fatal(err)
	}
	f.wantCopy(t, aKey(t), b.data)
	beginning := int64(b.first)
	if b.asked != 1 || beginning == 0 || beginning > f.partBytes {
		t.Errorf("asked %d times for sections, after %d bytes; want once, after at most %d", b.asked, beginning, f.partBytes)
	}
	if b.mostOpen != sectionsAtOnce {
		t.Errorf("%d sections were open at once, of %d that may be", b.mostOpen, sectionsAtOnce)
	}
	var want []int64
	for offset := beginning; offset < o.SizeBytes; offset += f.partBytes {
		want = append(want, offset)
	}
	if !slices.Equal(b.offsets, want) {
		t.Errorf("sections begin at %v, want %v", b.offsets, want)
	}
	if !bytes.Equal(b.verified.Bytes(), b.data[beginning:]) {
		t.Error("what was verified is not the rest of the body in its order")
	}
}

func testDeclined(t *testing.T, f *fixture) {
	b, o := f.sectioned()
	b.declines = true
	if err := f.putSections(t.Context(), t, b, o); err != nil {
		t.Fatal(err)
	}
	f.wantCopy(t, aKey(t), b.data)
	if b.asked != 1 {
		t.Errorf("asked %d times for sections", b.asked)
	}
}

func testUnknownLength(t *testing.T, f *fixture) {
	b, _ := f.sectioned()
	if err := f.putSections(t.Context(), t, b, storage.PutOptions{SizeBytes: -1}); err != nil {
		t.Fatal(err)
	}
	f.wantCopy(t, aKey(t), b.data)
	if b.asked != 0 {
		t.Error("asked for sections of a body of unknown length")
	}
}

// testSectionError has one section fail while others wait for ever, and before
// or after those behind it were read.
func testSectionError(t *testing.T, f *fixture) {
	old := content(9, 2*f.partBytes)
	f.mustPut(t, aKey(t), old, storage.PutOptions{})
	before := f.Contents(t)
	for _, failing := range []int{0, 2, 5} {
		for _, stalls := range []bool{false, true} {
			t.Run(fmt.Sprintf("section %d, others stall: %t", failing, stalls), func(t *testing.T) {
				b, o := f.sectioned()
				b.read = func(ctx context.Context, index int, rest *bytes.Reader, p []byte) (int, error) {
					switch {
					case index == failing && rest.Len() < int(rest.Size()):
						return 0, errBody
					case index > failing-sectionsAtOnce && index != failing && stalls:
						<-ctx.Done()
						return 0, ctx.Err()
					}
					return rest.Read(p[:min(len(p), 500)])
				}
				o.Replace = true
				if err := f.putSections(t.Context(), t, b, o); !errors.Is(err, errBody) {
					t.Errorf("Put gave %v, want the section's error wrapped", err)
				}
				f.wantCopy(t, aKey(t), old)
				f.wantContents(t, before)
			})
		}
	}
}

func testSectionLength(t *testing.T, f *fixture) {
	before := f.Contents(t)
	for _, off := range []int{-1, 1} {
		b, o := f.sectioned()
		b.read = func(_ context.Context, index int, rest *bytes.Reader, p []byte) (int, error) {
			if index == 1 && off < 0 {
				if rest.Len() == 1 {
					return 0, io.EOF
				}
				p = p[:min(len(p), rest.Len()-1)]
			}
			n, err := rest.Read(p)
			if index == 1 && err == io.EOF && off > 0 {
				return 1, nil
			}
			return n, err
		}
		if err := f.putSections(t.Context(), t, b, o); err == nil {
			t.Errorf("Put succeeded with a section %+d bytes long", off)
		}
		f.wantNothing(t, aKey(t))
		f.wantContents(t, before)
	}
}

func testUnverified(t *testing.T, f *fixture) {
	before := f.Contents(t)
	b, o := f.sectioned()
	b.verify = func(n int) error {
		if n < len(b.data) {
			return nil
		}
		return errBody
	}
	if err := f.putSections(t.Context(), t, b, o); !errors.Is(err, errBody) {
		t.Errorf("Put gave %v, want what Verify said", err)
	}
	f.wantNothing(t, aKey(t))
	f.wantContents(t, before)
}

func testSectionsCancelled(t *testing.T, f *fixture) {
	before := f.Contents(t)
	ctx, cancel := context.WithCancel(t.Context())
	b, o := f.sectioned()
	b.read = func(ctx context.Context, index int, rest *bytes.Reader, p []byte) (int, error) {
		if index == 3 {
			cancel()
			<-ctx.Done()
			return 0, ctx.Err()
		}
		return rest.Read(p)
	}
	if err := f.putSections(ctx, t, b, o); !errors.Is(err, context.Canceled) {
		t.Errorf("Put gave %v, want context.Canceled", err)
	}
	f.wantNothing(t, aKey(t))
	f.wantContents(t, before)
}
