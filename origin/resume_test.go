package origin_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/origin"
	"cloudmirror/origin/origintest"
)

func TestBrokenBodyIsContinued(t *testing.T) {
	const size = 1_000_000
	tests := map[string]struct {
		behaviour origintest.Behaviour
		requests  int
	}{
		"cut off once":                           {origintest.Behaviour{CutAfter: 5000, Times: 1}, 2},
		"cut off before the first byte":          {origintest.Behaviour{CutAfter: -1, Times: 1}, 2},
		"cut off one byte early":                 {origintest.Behaviour{CutAfter: size - 1, Times: 1}, 2},
		"cut off again and again, with progress": {origintest.Behaviour{CutAfter: 100_000}, 10},
		"cut off, not announced":                 {origintest.Behaviour{CutAfter: 5000, Times: 1, Chunked: true}, 2},
		"stalled":                                {origintest.Behaviour{StallAfter: 5000, Times: 1}, 2},
		"announced too long":                     {origintest.Behaviour{CutAfter: 300_000, Times: 3}, 4},
		"through redirects":                      {origintest.Behaviour{CutAfter: 5000, Times: 3, Hops: 2}, 6},
		"with every digest":                      {origintest.Behaviour{CutAfter: 5000, Times: 1, Digests: origintest.DigestKinds()}, 2},
		"three times without progress":           {origintest.Behaviour{CutAfter: 10, Times: 3}, 4},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := origintest.Start(t)
			test.behaviour.SizeBytes = size
			server.Set("/a", test.behaviour)
			var o origin.Options
			if test.behaviour.StallAfter != 0 {
				o.IdleTimeout = 200 * time.Millisecond
			}
			c := newClient(t, o)
			body, _, err := fetch(t, c, anywhere(t), server.Object(t, "/a"))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(body, origintest.Bytes("/a", size)) {
				t.Errorf("the %d bytes are not those of the object", len(body))
			}
			if n := server.Count(http.MethodGet, "/a"); n != test.requests {
				t.Errorf("%d requests, want %d", n, test.requests)
			}
		})
	}
}

func TestContinuationAsksForTheSameObject(t *testing.T) {
	server := origintest.Start(t)
	server.Set("/a", origintest.Behaviour{SizeBytes: 100_000, CutAfter: 5000, Times: 1})
	if _, _, err := fetch(t, newClient(t, origin.Options{DeploymentID: "d"}), anywhere(t), server.Object(t, "/a")); err != nil {
		t.Fatal(err)
	}
	second := server.Requests()[1].Header
	if got := second.Get("Range"); got != "bytes=5000-" {
		t.Errorf("Range: %q", got)
	}
	if second.Get("If-Range") == "" || second.Get("If-Match") != second.Get("If-Range") || second.Get("If-Unmodified-Since") != "" {
		t.Errorf("header %v", second)
	}
	if second.Get("Cdn-Loop") != "d" || second.Get("Accept-Encoding") != "identity" {
		t.Errorf("header %v", second)
	}
}

// Without an ETag the time of modification will do, if it is well past.
func TestContinuationByTheTimeOfModification(t *testing.T) {
	const size = 100_000
	soon := func(before time.Duration) http.Header {
		return http.Header{"Last-Modified": {time.Now().Add(-before).UTC().Format(http.TimeFormat)}}
	}
	tests := map[string]struct {
		behaviour origintest.Behaviour
		continued bool
	}{
		"long ago":                      {origintest.Behaviour{NoETag: true}, true},
		"two minutes ago":               {origintest.Behaviour{NoETag: true, Header: soon(2 * time.Minute)}, true},
		"half a minute ago":             {origintest.Behaviour{NoETag: true, Header: soon(30 * time.Second)}, false},
		"in the future":                 {origintest.Behaviour{NoETag: true, Header: soon(-time.Hour)}, false},
		"no time at all":                {origintest.Behaviour{NoETag: true, NoDate: true}, false},
		"no time that can be read":      {origintest.Behaviour{NoETag: true, Header: http.Header{"Last-Modified": {"yesterday"}}}, false},
		"beside an ETag that is weak":   {origintest.Behaviour{WeakETag: true}, false},
		"but the origin knows no parts": {origintest.Behaviour{NoETag: true, NoRanges: true}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := origintest.Start(t)
			b := test.behaviour
			b.SizeBytes, b.CutAfter, b.Times, b.Unconditional = size, 5000, 1, true
			server.Set("/a", b)
			body, _, err := fetch(t, newClient(t, origin.Options{}), anywhere(t), server.Object(t, "/a"))
			if !test.continued {
				wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeOriginTruncated})
				if n := server.Count(http.MethodGet, "/a"); n != 1 {
					t.Errorf("%d requests, want 1", n)
				}
				return
			}
			if err != nil || !bytes.Equal(body, origintest.Bytes("/a", size)) {
				t.Errorf("%d bytes, %v", len(body), err)
			}
			second := server.Requests()[1].Header
			if date := second.Get("If-Unmodified-Since"); date == "" || second.Get("If-Range") != date || second.Get("If-Match") != "" {
				t.Errorf("header %v", second)
			}
		})
	}
}

// An object that changes midway, into other bytes of the same length, is never
// pieced together, whatever the origin honours of the conditions that it is sent.
func TestAnObjectThatChangesMidway(t *testing.T) {
	changed, mixed := cloudmirror.CodeObjectChanged, cloudmirror.CodeDigestMismatch
	digests := []string{"repr-digest"}
	tests := map[string]struct {
		behaviour origintest.Behaviour
		want      cloudmirror.Code
	}{
		"another ETag":                             {origintest.Behaviour{}, changed},
		"another ETag, conditions ignored":         {origintest.Behaviour{Unconditional: true}, changed},
		"another ETag, the same date":              {origintest.Behaviour{SameDate: true, Unconditional: true}, changed},
		"no ETag, another date":                    {origintest.Behaviour{NoETag: true}, changed},
		"no ETag, another date, not honoured":      {origintest.Behaviour{NoETag: true, Unconditional: true}, changed},
		"the same ETag, another date":              {origintest.Behaviour{SameETag: true}, changed},
		"the same ETag, no dates, but a digest":    {origintest.Behaviour{SameETag: true, NoDate: true, Digests: digests}, mixed},
		"the same ETag and date, but a digest":     {origintest.Behaviour{SameETag: true, SameDate: true, Digests: digests}, mixed},
		"no ETag and the same date, but a digest":  {origintest.Behaviour{NoETag: true, SameDate: true, Digests: digests}, mixed},
		"another ETag, in the end of many parts":   {origintest.Behaviour{ChangeAfter: 3, Times: 3}, changed},
		"gone over to an answer of the whole":      {origintest.Behaviour{Unconditional: true, NoDate: true, Ranges: origintest.RangesIgnored}, changed},
		"another ETag, and a digest of the second": {origintest.Behaviour{Digests: digests, Unconditional: true}, changed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := origintest.Start(t)
			b := test.behaviour
			b.SizeBytes, b.CutAfter = 500_000, 100_000
			b.Times, b.ChangeAfter = max(b.Times, 1), max(b.ChangeAfter, 1)
			server.Set("/a", b)
			_, _, err := fetch(t, newClient(t, origin.Options{}), anywhere(t), server.Object(t, "/a"))
			wantFailure(t, err, cloudmirror.Failure{Code: test.want})
			if n := server.Count(http.MethodGet, "/a"); n != b.Times+1 {
				t.Errorf("%d requests, want %d", n, b.Times+1)
			}
		})
	}
}

// What the origin asks for holds while an object is continued, too.
func TestContinuationHeedsRetryAfter(t *testing.T) {
	server := origintest.Start(t)
	server.Set("/a", origintest.Behaviour{SizeBytes: 100_000, CutAfter: 5000})
	response, err := newClient(t, origin.Options{}).Get(t.Context(), anywhere(t), server.Object(t, "/a"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	server.Set("/a", origintest.Behaviour{Status: 503, RetryAfter: "120"})
	buffer := make([]byte, 100_000)
	for err == nil {
		_, err = response.Body.Read(buffer)
	}
	if f := wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 503}); f.RetryAfter != 2*time.Minute {
		t.Errorf("the failure says to retry after %v", f.RetryAfter)
	}
	if n := server.Count(http.MethodGet, "/a"); n != 1 {
		t.Errorf("%d requests in spite of Retry-After", n)
	}
}

func TestContinuationsThatAreRefused(t *testing.T) {
	const size = 500_000
	changed := cloudmirror.Failure{Code: cloudmirror.CodeObjectChanged}
	truncated := cloudmirror.Failure{Code: cloudmirror.CodeOriginTruncated}
	cut := origintest.Behaviour{SizeBytes: size, CutAfter: 5000, Times: 1}
	with := func(change func(*origintest.Behaviour)) origintest.Behaviour {
		b := cut
		change(&b)
		return b
	}
	tests := map[string]struct {
		behaviour origintest.Behaviour
		want      cloudmirror.Failure
		requests  int
	}{
		"object changed":               {with(func(b *origintest.Behaviour) { b.ChangeAfter = 1 }), changed, 2},
		"range of another object":      {with(func(b *origintest.Behaviour) { b.Ranges = origintest.RangesOtherETag }), changed, 2},
		"range of another length":      {with(func(b *origintest.Behaviour) { b.Ranges = origintest.RangesOtherTotal }), changed, 2},
		"range from elsewhere":         {with(func(b *origintest.Behaviour) { b.Ranges = origintest.RangesShifted }), truncated, 2},
		"range of unknown length":      {with(func(b *origintest.Behaviour) { b.Ranges, b.Chunked = origintest.RangesEndless, true }), truncated, 2},
		"range longer than its label":  {with(func(b *origintest.Behaviour) { b.Ranges = origintest.RangesMislabelled }), truncated, 2},
		"range longer than the object": {with(func(b *origintest.Behaviour) { b.Ranges, b.Chunked = origintest.RangesLong, true }), truncated, 2},
		"range without a label":        {with(func(b *origintest.Behaviour) { b.Ranges = origintest.RangesUnlabelled }), truncated, 2},
		"shorter than announced":       {origintest.Behaviour{SizeBytes: size, LengthOff: 1}, changed, 2},
		"range ignored":                {with(func(b *origintest.Behaviour) { b.Ranges = origintest.RangesIgnored }), truncated, 2},
		"never gets further":           {with(func(b *origintest.Behaviour) { b.CutAfter, b.Times = 10, 0 }), truncated, 4},
		"sends nothing, each time":     {with(func(b *origintest.Behaviour) { b.CutAfter, b.Times = -1, 0 }), truncated, 4},
		"digest of the whole":          {with(func(b *origintest.Behaviour) { b.Digests, b.WrongDigest = []string{"digest"}, true }), cloudmirror.Failure{Code: cloudmirror.CodeDigestMismatch}, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := origintest.Start(t)
			server.Set("/a", test.behaviour)
			_, _, err := fetch(t, newClient(t, origin.Options{}), anywhere(t), server.Object(t, "/a"))
			wantFailure(t, err, test.want)
			if n := server.Count(http.MethodGet, "/a"); n != test.requests {
				t.Errorf("%d requests, want %d", n, test.requests)
			}
		})
	}
}

func TestContinuationWaitsLongerEachTime(t *testing.T) {
	server := origintest.Start(t)
	c := newClient(t, origin.Options{ResumeDelay: 20 * time.Millisecond})
	start := time.Now()
	_, _, err := fetch(t, c, anywhere(t), server.Object(t, "/a?size=10000&cut-after=-1"))
	wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeOriginTruncated})
	if took := time.Since(start); took < (20+40+80)*time.Millisecond {
		t.Errorf("three tries took %v", took)
	}
}

func TestIgnoredRangeIsSaidToBe(t *testing.T) {
	server := origintest.Start(t)
	server.Set("/a", origintest.Behaviour{SizeBytes: 10_000, CutAfter: 500, Times: 1, Ranges: origintest.RangesIgnored})
	_, _, err := fetch(t, newClient(t, origin.Options{}), anywhere(t), server.Object(t, "/a"))
	wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeOriginTruncated})
	if !strings.Contains(err.Error(), "ignores ranges") {
		t.Errorf("the error does not say so: %v", err)
	}
}

func TestShortPartsAreContinued(t *testing.T) {
	server := origintest.Start(t)
	server.Set("/a", origintest.Behaviour{SizeBytes: 7500, CutAfter: 5000, Times: 1, Ranges: origintest.RangesShort})
	body, _, err := fetch(t, newClient(t, origin.Options{}), anywhere(t), server.Object(t, "/a"))
	if err != nil || !bytes.Equal(body, origintest.Bytes("/a", 7500)) {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}

func TestContinuationMeetsAnErrorStatus(t *testing.T) {
	server := origintest.Start(t)
	// The object is cut off, and gone when it is asked for again.
	server.Set("/a", origintest.Behaviour{SizeBytes: 100_000, CutAfter: 5000})
	response, err := newClient(t, origin.Options{}).Get(t.Context(), anywhere(t), server.Object(t, "/a"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	server.Set("/a", origintest.Behaviour{Status: 410})
	buffer := make([]byte, 100_000)
	for err == nil {
		_, err = response.Body.Read(buffer)
	}
	wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 410, Permanent: true})
	if n := server.Count(http.MethodGet, "/a"); n != 1 {
		t.Errorf("%d requests for what is gone", n)
	}
}

func TestContinuationIsCheckedLikeTheFirstRequest(t *testing.T) {
	server := origintest.Start(t)
	server.Set("/a", origintest.Behaviour{SizeBytes: 100_000, CutAfter: 5000})
	response, err := newClient(t, origin.Options{}).Get(t.Context(), anywhere(t), server.Object(t, "/a"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	server.Set("/a", origintest.Behaviour{Redirect: "http://169.254.169.254/latest/meta-data/"})
	buffer := make([]byte, 100_000)
	for err == nil {
		_, err = response.Body.Read(buffer)
	}
	wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeURLNotAllowed, Permanent: true})
}
