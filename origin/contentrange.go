package origin

import (
	"fmt"
	"strconv"
	"strings"
)

// A byteRange asks for the bytes of an object from an offset on.
type byteRange struct {
	offset int64
	until  int64     // the first byte that is not asked for; -1: all of the rest
	of     validator // the bytes must be of the same object
}

// String returns the range as a request has it (RFC 9110, section 14.2).
func (r byteRange) String() string {
	if r.until < 0 {
		return fmt.Sprintf("bytes=%d-", r.offset)
	}
	return fmt.Sprintf("bytes=%d-%d", r.offset, r.until-1)
}

// A contentRange is what a part says of its place (RFC 9110, section 14.4).
type contentRange struct {
	first, last int64
	total       int64 // -1: not known
}

// parseContentRange reads a Content-Range of bytes; ok is false for anything
// else, ranges that hold nothing or more than the whole included.
func parseContentRange(value string) (r contentRange, ok bool) {
	unit, rest, _ := strings.Cut(value, " ")
	span, total, found := strings.Cut(rest, "/")
	first, last, isSpan := strings.Cut(span, "-")
	if !strings.EqualFold(unit, "bytes") || !found || !isSpan {
		return contentRange{}, false
	}
	r.total = -1
	if total != "*" {
		if r.total, ok = parseOffset(total); !ok {
			return contentRange{}, false
		}
	}
	var okFirst, okLast bool
	r.first, okFirst = parseOffset(first)
	r.last, okLast = parseOffset(last)
	if !okFirst || !okLast || r.first > r.last || r.total >= 0 && r.last >= r.total {
		return contentRange{}, false
	}
	return r, true
}

func parseOffset(s string) (int64, bool) {
	if !isDigits(s) {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
