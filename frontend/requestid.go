package frontend

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	"cloudmirror"
)

// maxRequestIDBytes bounds the ids that clients and proxies give their requests.
const maxRequestIDBytes = 64

// requestIDs names requests: a random part for this process, and a number.
type requestIDs struct {
	prefix string
	last   *atomic.Uint64
}

func newRequestIDs() requestIDs {
	return requestIDs{prefix: cloudmirror.NewID()[:12] + "-", last: new(atomic.Uint64)}
}

// of returns the id that a request brings along, if it is harmless in logs and
// headers, or a new one.
func (ids requestIDs) of(r *http.Request) string {
	if given := r.Header["X-Request-Id"]; len(given) == 1 && isRequestID(given[0]) {
		return given[0]
	}
	var stack [32]byte
	return string(strconv.AppendUint(append(stack[:0], ids.prefix...), ids.last.Add(1), 36))
}

func isRequestID(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20 // letters in lower case; digits and "-.:" as they are
		if isLetter := 'a' <= c && c <= 'z'; !isLetter && strings.IndexByte("0123456789-._:", s[i]) < 0 {
			return false
		}
	}
	return s != "" && len(s) <= maxRequestIDBytes
}
