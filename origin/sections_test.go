package origin_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"math"
	"net/http"
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/origin"
	"cloudmirror/origin/origintest"
)

const (
	sectionBytes  = 50_000
	sectionedSize = 10*sectionBytes + 1234
)

// sectioned is an object that is large enough for sections.
func sectioned(change func(*origintest.Behaviour)) origintest.Behaviour {
	b := origintest.Behaviour{SizeBytes: sectionedSize}
	if change != nil {
		change(&b)
	}
	return b
}

// begin asks for /a and reads what comes before its sections.
func begin(t *testing.T, server *origintest.Server, o origin.Options) (*origin.Response, []byte) {
	t.Helper()
	return beginWith(t, server, anywhere(t), o)
}

// beginWith is begin under other rules.
func beginWith(t *testing.T, server *origintest.Server, rules origin.Rules, o origin.Options) (*origin.Response, []byte) {
	t.Helper()
	if o.EnoughBytesPerSecond == 0 {
		o.EnoughBytesPerSecond = math.MaxInt64 // no origin is so fast
	}
	response, err := newClient(t, o).Get(t.Context(), rules, server.Object(t, "/a"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	first := make([]byte, sectionBytes)
	if _, err := io.ReadFull(response.Body, first); err != nil {
		t.Fatal(err)
	}
	return response, first
}

// readSections reads the rest, up to so many sections at once, and verifies it.
func readSections(ctx context.Context, s *origin.Sections, atOnce int) (rest []byte, err error) {
	type outcome struct {
		index int
		data  []byte
		err   error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	outcomes := make(chan outcome)
	parts := map[int][]byte{}
	running, index, firstErr := 0, 0, error(nil)
	for offset := int64(sectionBytes); offset < sectionedSize && firstErr == nil || running > 0; {
		if offset < sectionedSize && firstErr == nil && running < atOnce {
			n := min(int64(sectionBytes), sectionedSize-offset)
			if section, ok := s.Open(ctx, offset, n); ok {
				i := index
				go func() {
					data, err := io.ReadAll(section)
					_ = section.Close()
					outcomes <- outcome{i, data, err}
				}()
				offset, index, running = offset+n, index+1, running+1
				continue
			}
		}
		o := <-outcomes
		running--
		parts[o.index] = o.data
		if o.err != nil && firstErr == nil {
			firstErr = o.err
			cancel()
		}
	}
	for i := range index {
		rest = append(rest, parts[i]...)
		if firstErr == nil {
			firstErr = s.Verify(parts[i])
		}
	}
	return rest, firstErr
}

func TestSections(t *testing.T) {
	const slow = 400_000 // bytes a second, so that sections run at once
	tests := map[string]struct {
		change  func(*origintest.Behaviour)
		refused bool // some of the requests are
		limit   int  // of what the origin sends at once; 0: none
	}{
		"plain":                        {nil, false, 0},
		"with every digest":            {func(b *origintest.Behaviour) { b.Digests = origintest.DigestKinds() }, false, 0},
		"by the time of modification":  {func(b *origintest.Behaviour) { b.NoETag = true }, false, 0},
		"refused beyond three at once": {func(b *origintest.Behaviour) { b.Streams, b.BytesPerSecond = 3, slow }, true, 3},
		"refused beyond two at once":   {func(b *origintest.Behaviour) { b.Streams, b.BytesPerSecond = 2, slow }, true, 2},
		"broken beyond three at once":  {func(b *origintest.Behaviour) { b.Streams, b.StreamsBroken, b.BytesPerSecond = 3, true, slow }, true, 3},
		"each is cut off":              {func(b *origintest.Behaviour) { b.CutAfter = 30_000 }, true, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := origintest.Start(t)
			server.Set("/a", sectioned(test.change))
			response, first := begin(t, server, origin.Options{})
			sections := response.Sections(sectionBytes)
			if sections == nil {
				t.Fatal("there are no sections")
			}
			rest, err := readSections(t.Context(), sections, 4)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(append(first, rest...), origintest.Bytes("/a", sectionedSize)) {
				t.Error("the bytes are not those of the object")
			}
			if n := server.Count(http.MethodGet, "/a"); (n > 11) != test.refused {
				t.Errorf("%d requests for 11 parts", n)
			}
			if test.limit > 0 {
				wantAtMost(t, sections, test.limit)
			}
		})
	}
}

// wantAtMost opens sections until there are no more at once.
func wantAtMost(t *testing.T, s *origin.Sections, limit int) {
	t.Helper()
	n := 0
	for {
		section, ok := s.Open(t.Context(), sectionBytes, sectionBytes)
		if !ok {
			break
		}
		t.Cleanup(func() { _ = section.Close() })
		if n++; n > limit {
			t.Fatalf("%d sections are open at once, the origin sends %d", n, limit)
		}
	}
	if n == 0 {
		t.Error("no section may be opened")
	}
}

func TestSectionsStayAtTheServerOfTheFirst(t *testing.T) {
	server := origintest.Start(t)
	server.Set("/a", origintest.Behaviour{Redirect: "/b"})
	server.Set("/b", sectioned(nil))
	response, first := begin(t, server, origin.Options{})
	sections := response.Sections(sectionBytes)
	if sections == nil {
		t.Fatal("there are no sections")
	}
	server.Set("/a", origintest.Behaviour{Redirect: "/c"}) // which has another ETag
	server.Set("/c", sectioned(nil))
	rest, err := readSections(t.Context(), sections, 4)
	if err != nil || !bytes.Equal(append(first, rest...), origintest.Bytes("/b", sectionedSize)) {
		t.Errorf("%d bytes follow that are not the rest of the object, or %v", len(rest), err)
	}
}

// Redirects may lead elsewhere each time, and to addresses that cease to be valid.
func TestSectionsGoOnWhereTheFirstRedirectLed(t *testing.T) {
	for name, invalid := range map[string]origintest.Behaviour{
		"refused":    {Status: http.StatusForbidden},
		"redirected": {Redirect: "app:login"},
	} {
		t.Run(name, func(t *testing.T) {
			server := origintest.Start(t)
			server.Set("/a", origintest.Behaviour{Redirect: "/b"})
			server.Set("/b", sectioned(nil))
			response, _ := begin(t, server, origin.Options{})
			sections := response.Sections(sectionBytes)
			if sections == nil {
				t.Fatal("there are no sections")
			}
			server.Set("/b", invalid)
			server.Set("/a", sectioned(nil))
			_, err := readSections(t.Context(), sections, 4)
			wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeObjectChanged}) // by the ETag of another path
			if n := server.Count(http.MethodGet, "/a"); n == 0 {
				t.Error("the object's own URL was not asked where its redirect leads now")
			}
		})
	}
}

func TestSectionsAskForWhatTheyNeed(t *testing.T) {
	server := origintest.Start(t)
	server.Set("/a", sectioned(nil))
	response, _ := begin(t, server, origin.Options{DeploymentID: "d"})
	if _, err := readSections(t.Context(), response.Sections(sectionBytes), 1); err != nil {
		t.Fatal(err)
	}
	requests := server.Requests()
	if len(requests) != 11 {
		t.Errorf("%d requests, want one, and one for each of 10 sections", len(requests))
	}
	for i, r := range requests[1:] {
		want := fmt.Sprintf("bytes=%d-%d", (i+1)*sectionBytes, min((i+2)*sectionBytes, sectionedSize)-1)
		if r.Header.Get("Range") != want || r.Header.Get("If-Match") == "" || r.Header.Get("Cdn-Loop") != "d" {
			t.Errorf("request %d has the header %v, want Range %s", i, r.Header, want)
		}
	}
	connections := map[string]bool{}
	for _, r := range requests[1:] {
		connections[r.RemoteAddr] = true
	}
	if len(connections) != 1 {
		t.Errorf("%d connections for one section at a time", len(connections))
	}
}

func TestSectionsAreDeclined(t *testing.T) {
	tests := map[string]struct {
		behaviour origintest.Behaviour
		requests  int
	}{
		"a small object":      {sectioned(func(b *origintest.Behaviour) { b.SizeBytes = 4*sectionBytes - 1 }), 1},
		"no known length":     {sectioned(func(b *origintest.Behaviour) { b.Chunked = true }), 1},
		"no ranges":           {sectioned(func(b *origintest.Behaviour) { b.NoRanges = true }), 1},
		"a weak ETag":         {sectioned(func(b *origintest.Behaviour) { b.WeakETag = true }), 1},
		"ranges ignored":      {sectioned(func(b *origintest.Behaviour) { b.Ranges = origintest.RangesIgnored }), 2},
		"another place":       {sectioned(func(b *origintest.Behaviour) { b.Ranges = origintest.RangesShifted }), 2},
		"no Content-Range":    {sectioned(func(b *origintest.Behaviour) { b.Ranges = origintest.RangesUnlabelled }), 2},
		"another length":      {sectioned(func(b *origintest.Behaviour) { b.Ranges = origintest.RangesMislabelled }), 2},
		"more than asked for": {sectioned(func(b *origintest.Behaviour) { b.Ranges = origintest.RangesUnbounded }), 2},
		"another total":       {sectioned(func(b *origintest.Behaviour) { b.Ranges = origintest.RangesOtherTotal }), 2},
		"another ETag":        {sectioned(func(b *origintest.Behaviour) { b.Ranges = origintest.RangesOtherETag }), 2},
		"a second connection": {sectioned(func(b *origintest.Behaviour) { b.Streams, b.BytesPerSecond = 1, 400_000 }), 2},
		"it has changed":      {sectioned(func(b *origintest.Behaviour) { b.ChangeAfter = 1 }), 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := origintest.Start(t)
			server.Set("/a", test.behaviour)
			response, first := begin(t, server, origin.Options{})
			if response.Sections(sectionBytes) != nil {
				t.Fatal("there are sections")
			}
			rest, err := io.ReadAll(response.Body)
			if err != nil || !bytes.Equal(append(first, rest...), origintest.Bytes("/a", test.behaviour.SizeBytes)) {
				t.Errorf("%d bytes follow that are not the rest of the object, or %v", len(rest), err)
			}
			if n := server.Count(http.MethodGet, "/a"); n != test.requests {
				t.Errorf("%d requests, want %d", n, test.requests)
			}
		})
	}
}

func TestSectionsAreOfNoUseWhereOneConnectionIsFast(t *testing.T) {
	server := origintest.Start(t)
	server.Set("/a", sectioned(nil))
	response, _ := begin(t, server, origin.Options{EnoughBytesPerSecond: 1})
	if response.Sections(sectionBytes) != nil {
		t.Error("there are sections")
	}
}

func TestSectionsHaveConnectionsOfTheirOwn(t *testing.T) {
	server := origintest.StartTLS(t)
	server.Set("/a", sectioned(nil))
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	response, _ := begin(t, server, origin.Options{RootCAs: pool})
	if _, err := readSections(t.Context(), response.Sections(sectionBytes), 4); err != nil {
		t.Fatal(err)
	}
	for i, r := range server.Requests() {
		if want := map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"}[i == 0]; r.Proto != want {
			t.Errorf("request %d is %s, want %s", i, r.Proto, want)
		}
	}
}

func TestSectionsFail(t *testing.T) {
	tests := map[string]struct {
		change func(*origintest.Behaviour) // from the beginning
		later  *origintest.Behaviour       // once the first section was answered
		want   cloudmirror.Failure
	}{
		"the object changes": {
			change: func(b *origintest.Behaviour) { b.ChangeAfter = 4 },
			want:   cloudmirror.Failure{Code: cloudmirror.CodeObjectChanged},
		},
		"under the same ETag, with a digest": {
			change: func(b *origintest.Behaviour) {
				b.ChangeAfter, b.SameETag, b.SameDate, b.Digests = 4, true, true, []string{"digest"}
			},
			want: cloudmirror.Failure{Code: cloudmirror.CodeDigestMismatch},
		},
		"a digest does not hold": {
			change: func(b *origintest.Behaviour) { b.Digests, b.WrongDigest = []string{"digest"}, true },
			want:   cloudmirror.Failure{Code: cloudmirror.CodeDigestMismatch},
		},
		"it is gone": {
			later: &origintest.Behaviour{Status: http.StatusGone},
			want:  cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: http.StatusGone, Permanent: true},
		},
		"it leads astray": {
			later: &origintest.Behaviour{Redirect: "http://169.254.169.254/latest/meta-data/"},
			want:  cloudmirror.Failure{Code: cloudmirror.CodeURLNotAllowed, Permanent: true},
		},
		"ranges end": {
			later: &origintest.Behaviour{SizeBytes: sectionedSize, Ranges: origintest.RangesIgnored},
			want:  cloudmirror.Failure{Code: cloudmirror.CodeOriginTruncated},
		},
		"another total": {
			later: &origintest.Behaviour{SizeBytes: sectionedSize, Ranges: origintest.RangesOtherTotal},
			want:  cloudmirror.Failure{Code: cloudmirror.CodeObjectChanged},
		},
		"nothing is sent any more": {
			later: &origintest.Behaviour{SizeBytes: sectionedSize, CutAfter: -1},
			want:  cloudmirror.Failure{Code: cloudmirror.CodeOriginTruncated},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := origintest.Start(t)
			server.Set("/a", sectioned(test.change))
			response, _ := begin(t, server, origin.Options{})
			sections := response.Sections(sectionBytes)
			if sections == nil {
				t.Fatal("there are no sections")
			}
			if test.later != nil {
				server.Set("/a", *test.later)
			}
			_, err := readSections(t.Context(), sections, 3)
			wantFailure(t, err, test.want)
		})
	}
}

func TestSectionsEndWithTheirContext(t *testing.T) {
	server := origintest.Start(t)
	server.Set("/a", sectioned(func(b *origintest.Behaviour) { b.StallAfter = sectionBytes / 2 }))
	response, err := newClient(t, origin.Options{EnoughBytesPerSecond: math.MaxInt64, IdleTimeout: time.Hour}).Get(t.Context(), anywhere(t), server.Object(t, "/a"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.ReadFull(response.Body, make([]byte, sectionBytes/2)); err != nil {
		t.Fatal(err)
	}
	sections := response.Sections(sectionBytes)
	ctx, cancel := context.WithCancel(t.Context())
	var open []io.ReadCloser
	for i := range int64(2) { // the first was asked for before, the second is asked for by Read
		section, ok := sections.Open(ctx, sectionBytes/2+i*sectionBytes, sectionBytes)
		if !ok {
			t.Fatal("there is no section")
		}
		if _, err := io.ReadFull(section, make([]byte, sectionBytes/2)); err != nil {
			t.Fatal(err)
		}
		open = append(open, section)
	}
	cancel()
	for _, section := range open {
		_, err := section.Read(make([]byte, 1))
		wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeInternal})
		_ = section.Close()
	}
	if _, err := response.Body.Read(make([]byte, 1)); err == nil {
		t.Error("the body is read in order after asking for sections")
	}
}
