package filestore

import (
	"fmt"
	"net/http"
	"strings"
)

// maxRanges bounds the ranges of one answer, each of which is a part with a header
// of its own.
const maxRanges = 16

// A byteRange is a place in a copy that a client asks for.
type byteRange struct{ first, last int64 }

// A wanted is what a Range header asks for.
type wanted int

const (
	wantsAll     wanted = iota // the header is to be ignored
	wantsRanges                // there is at least one range
	wantsNothing               // no range is satisfiable: 416
)

// readRange reads a request's Range header for a copy of that size (RFC 9110,
// section 14). It returns the ranges that are satisfiable, cut to the copy, in the
// order in which they were asked for.
//
// As RFC 9110 demands, the header is ignored for other methods than GET and for
// other units than bytes. As it allows (section 14.2), it is also ignored if it is
// malformed or comes twice, if the copy is empty, if it has more than maxRanges
// ranges, and if these have more bytes than the copy. nginx does the same beyond its
// max_ranges: the client gets all that it asked for, where a 416 would make it
// fail. No answer is larger than the copy and the headers of maxRanges parts.
func readRange(r *http.Request, size int64) ([]byteRange, wanted) {
	values := r.Header["Range"]
	if len(values) != 1 || r.Method != http.MethodGet || size == 0 {
		return nil, wantsAll
	}
	unit, set, found := strings.Cut(values[0], "=")
	if !found || !strings.EqualFold(unit, "bytes") || strings.Count(set, ",") >= maxRanges {
		return nil, wantsAll
	}
	var ranges []byteRange
	var sum int64
	specs := 0
	for spec := range strings.SplitSeq(set, ",") {
		if spec = strings.Trim(spec, " \t"); spec == "" {
			continue // a list may have empty elements (section 5.6.1.2)
		}
		specs++
		one, valid, satisfiable := parseSpec(spec, size)
		switch {
		case !valid:
			return nil, wantsAll
		case satisfiable:
			ranges = append(ranges, one)
			sum += one.last - one.first + 1
		}
	}
	switch {
	case specs == 0 || sum > size:
		return nil, wantsAll
	case len(ranges) == 0:
		return nil, wantsNothing
	}
	return ranges, wantsRanges
}

// parseSpec reads `first-last`, `first-` or `-suffix` (RFC 9110, section 14.1.1).
func parseSpec(spec string, size int64) (r byteRange, valid, satisfiable bool) {
	first, last, found := strings.Cut(spec, "-")
	from, fromOK := parsePosition(first)
	to, toOK := parsePosition(last)
	switch {
	case !found || first == "" && last == "", first != "" && !fromOK, last != "" && !toOK:
		return byteRange{}, false, false
	case first == "":
		return byteRange{max(size-to, 0), size - 1}, true, to > 0
	case last == "":
		to = size - 1
	case to < from:
		return byteRange{}, false, false
	}
	return byteRange{from, min(to, size-1)}, true, from < size
}

// maxPosition is more than any copy has bytes.
const maxPosition = 1 << 56

// parsePosition reads digits, however many: what is beyond maxPosition is as good.
func parsePosition(digits string) (n int64, ok bool) {
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int64(c-'0'), maxPosition)
	}
	return n, digits != ""
}

// formatRanges returns a Range header.
func formatRanges(ranges []byteRange) string {
	texts := make([]string, len(ranges))
	for i, r := range ranges {
		texts[i] = fmt.Sprintf("%d-%d", r.first, r.last)
	}
	return "bytes=" + strings.Join(texts, ",")
}
