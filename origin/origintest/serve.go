package origintest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// An object is what is served for one request.
type object struct {
	body     *io.SectionReader
	etag     string
	modified string
}

func newObject(path string, b Behaviour, number int) object {
	seed, modified := path, "Tue, 01 Jul 2025 00:00:00 GMT"
	if b.ChangeAfter > 0 && number > b.ChangeAfter {
		seed += "\x00changed"
		if !b.SameDate {
			modified = "Wed, 02 Jul 2025 00:00:00 GMT"
		}
	}
	o := object{body: Content(seed, b.SizeBytes), modified: modified}
	if b.Gzip {
		zipped := GzipBytes(seed, b.SizeBytes)
		o.body = io.NewSectionReader(bytes.NewReader(zipped), 0, int64(len(zipped)))
	}
	if b.SameETag {
		seed = path
	}
	o.etag = fmt.Sprintf(`"%x-%x"`, newWords(seed).seed, o.body.Size())
	if b.WeakETag {
		o.etag = "W/" + o.etag
	}
	return o
}

// serve answers with the object, or the part of it that was asked for.
func serve(w http.ResponseWriter, r *http.Request, b Behaviour, number int) {
	o := newObject(r.URL.Path, b, number)
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	if !b.NoDate {
		h.Set("Last-Modified", o.modified)
	}
	if b.Gzip {
		h.Set("Content-Encoding", "gzip")
	}
	if !b.NoETag {
		h.Set("ETag", o.etag)
	}
	if !b.NoRanges {
		h.Set("Accept-Ranges", "bytes")
	}
	for name, values := range b.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	if !o.holds(r, b) {
		w.WriteHeader(http.StatusPreconditionFailed)
		return
	}
	o.stateDigests(h, b)
	from, until, status := o.selectRange(h, r, b)
	if status == http.StatusRequestedRangeNotSatisfiable {
		w.WriteHeader(status)
		return
	}
	send(w, r, b, number, status, io.NewSectionReader(o.body, from, until-from))
}

// holds reports whether the preconditions of a request hold (RFC 9110, section
// 13.2.2).
func (o object) holds(r *http.Request, b Behaviour) bool {
	if match := r.Header.Get("If-Match"); match != "" || b.Unconditional {
		return match == o.etag || b.Unconditional
	}
	since := r.Header.Get("If-Unmodified-Since")
	return since == "" || since == o.modified
}

func (o object) stateDigests(h http.Header, b Behaviour) {
	for _, kind := range b.Digests {
		body := io.Reader(io.NewSectionReader(o.body, 0, o.body.Size()))
		if b.WrongDigest {
			body = io.MultiReader(body, strings.NewReader("!"))
		}
		stateDigest(h, kind, body)
	}
}

// selectRange returns the bytes to be sent and the status, and sets
// Content-Range. Only single ranges with a first byte are known.
func (o object) selectRange(h http.Header, r *http.Request, b Behaviour) (from, until int64, status int) {
	size := o.body.Size()
	from, until, ok := parseRange(r.Header.Get("Range"), size)
	condition := r.Header.Get("If-Range")
	asked := ok && !b.NoRanges && b.Ranges != RangesIgnored &&
		(condition == "" || condition == o.etag || condition == o.modified || b.Unconditional || b.Ranges == RangesOtherETag)
	if !asked && b.Ranges != RangesUnasked {
		return 0, size, http.StatusOK
	}
	if !asked {
		from, until = 0, size
	}
	if from >= size {
		h.Set("Content-Range", fmt.Sprintf("bytes */%d", size))
		return 0, 0, http.StatusRequestedRangeNotSatisfiable
	}
	switch b.Ranges {
	case RangesShifted:
		from, until = max(from-1, 0), until-1
	case RangesUnbounded:
		until = size
	case RangesShort:
		until = min(until, from+1000)
	case RangesOtherETag:
		h.Set("ETag", `"another"`)
	}
	label(h, b, from, until, size)
	return from, until, http.StatusPartialContent
}

// parseRange reads `bytes=first-` and `bytes=first-last`.
func parseRange(header string, size int64) (from, until int64, ok bool) {
	span, ok := strings.CutPrefix(header, "bytes=")
	first, last, isSpan := strings.Cut(span, "-")
	from, err := strconv.ParseInt(first, 10, 64)
	if !ok || !isSpan || err != nil {
		return 0, 0, false
	}
	if last == "" {
		return from, size, true
	}
	until, err = strconv.ParseInt(last, 10, 64)
	return from, min(until+1, size), err == nil && until >= from
}

// label sets the Content-Range of a part.
func label(h http.Header, b Behaviour, from, until, size int64) {
	total := strconv.FormatInt(size, 10)
	switch b.Ranges {
	case RangesUnlabelled:
		return
	case RangesMislabelled:
		until -= 10
	case RangesEndless:
		total = "*"
	case RangesLong:
		until -= 10
		total = strconv.FormatInt(size-10, 10)
	case RangesOtherTotal:
		total = strconv.FormatInt(size+1, 10)
	}
	h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%s", from, until-1, total))
}
