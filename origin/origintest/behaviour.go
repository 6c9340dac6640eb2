package origintest

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A Behaviour says what an object is and what goes wrong with it. The zero
// Behaviour is an empty object that is served well: with its length, a strong
// ETag, and ranges.
type Behaviour struct {
	SizeBytes int64
	Header    http.Header // sent with every answer of status 200 or 206

	// Status answers with another status, the first Times requests (0: all).
	Status     int
	Times      int
	RetryAfter string // sent with Status
	// HeadStatus answers HEAD with another status than GET: 200 where GET
	// fails, 405 where HEAD is refused. 0: HEAD is like GET.
	HeadStatus int

	// Redirect is the Location that is answered, with RedirectStatus (0: 302).
	Redirect       string
	RedirectStatus int
	// Hops is how many redirects, each within this origin, come before the
	// object.
	Hops int

	Delay          time.Duration   // before the answer's header
	BodyDelay      time.Duration   // between header and first byte
	BytesPerSecond int64           // on each connection; 0: as fast as it goes
	Hang           bool            // no answer until the client leaves
	Gate           <-chan struct{} // no answer until it is closed

	// Streams is how many answers are sent at once; further requests are answered
	// with status 503, or their connections broken if StreamsBroken. 0: any number.
	Streams       int
	StreamsBroken bool

	// CutAfter breaks the connection after so many bytes of the object, the
	// first Times requests (0: all). -1 breaks it before the first byte.
	CutAfter int64
	// StallAfter sends nothing more after so many bytes, until the client
	// leaves, the first Times requests (0: all).
	StallAfter int64
	// LengthOff is added to the Content-Length. The body is not changed by it.
	LengthOff int64

	// Raw is all that is answered, byte for byte and valid HTTP or not; the
	// connection is closed behind it. It needs HTTP/1. "": an answer as all this
	// makes it.
	Raw string

	Chunked        bool // no Content-Length; the body ends with its last chunk
	CloseDelimited bool // HTTP/1.0: the body ends with the connection
	Gzip           bool // the object is a gzip file, with Content-Encoding: gzip

	// Digests lists the kinds of digests that are stated: see DigestKinds.
	Digests     []string
	WrongDigest bool // those digests are of other bytes

	WeakETag bool
	NoETag   bool
	NoDate   bool // no Last-Modified
	// ChangeAfter is after how many requests the object is another one of the same
	// length, with another ETag and Last-Modified. 0: never.
	ChangeAfter int
	SameETag    bool // the changed object keeps its ETag
	SameDate    bool // the changed object keeps its Last-Modified
	// Unconditional ignores If-Match, If-Unmodified-Since and If-Range.
	Unconditional bool
	NoRanges      bool // ranges are neither announced nor served
	// Ranges is how ranges are served wrongly: see the Ranges constants.
	Ranges string
}

// Ways to serve ranges wrongly.
const (
	RangesIgnored     = "ignored"     // announced, but 200 and the whole object
	RangesShifted     = "shifted"     // one byte early, as Content-Range says, and as many bytes
	RangesUnlabelled  = "unlabelled"  // without Content-Range
	RangesMislabelled = "mislabelled" // with more bytes than Content-Range says
	RangesEndless     = "endless"     // of an object of unknown length, as Content-Range says
	RangesLong        = "long"        // of an object ten bytes shorter, by Content-Range
	RangesOtherTotal  = "other-total" // of an object of another length
	RangesOtherETag   = "other-etag"  // of another object, by its ETag
	RangesUnasked     = "unasked"     // 206 where no range was asked for
	RangesUnbounded   = "unbounded"   // to the object's end, whatever the last byte asked for
	RangesShort       = "short"       // no more than 1000 bytes at a time
)

// parseBehaviour reads a Behaviour from a query: names in lower case with
// hyphens, as in size=1024&cut-after=100&digests=content-md5,digest.
func parseBehaviour(query url.Values) (Behaviour, error) {
	var b Behaviour
	for name, values := range query {
		if err := b.set(name, values[0]); err != nil {
			return Behaviour{}, fmt.Errorf("origintest: %s=%s: %w", name, values[0], err)
		}
	}
	return b, nil
}

func (b *Behaviour) set(name, value string) (err error) {
	switch name {
	case "size":
		b.SizeBytes, err = strconv.ParseInt(value, 10, 64)
	case "status":
		b.Status, err = strconv.Atoi(value)
	case "times":
		b.Times, err = strconv.Atoi(value)
	case "retry-after":
		b.RetryAfter = value
	case "head-status":
		b.HeadStatus, err = strconv.Atoi(value)
	case "redirect":
		b.Redirect = value
	case "redirect-status":
		b.RedirectStatus, err = strconv.Atoi(value)
	case "hops":
		b.Hops, err = strconv.Atoi(value)
	case "delay":
		b.Delay, err = time.ParseDuration(value)
	case "body-delay":
		b.BodyDelay, err = time.ParseDuration(value)
	case "rate":
		b.BytesPerSecond, err = strconv.ParseInt(value, 10, 64)
	case "streams":
		b.Streams, err = strconv.Atoi(value)
	case "cut-after":
		b.CutAfter, err = strconv.ParseInt(value, 10, 64)
	case "stall-after":
		b.StallAfter, err = strconv.ParseInt(value, 10, 64)
	case "length-off":
		b.LengthOff, err = strconv.ParseInt(value, 10, 64)
	case "digests":
		b.Digests = strings.Split(value, ",")
	case "change-after":
		b.ChangeAfter, err = strconv.Atoi(value)
	case "ranges":
		b.Ranges = value
	default:
		return b.setFlag(name, value)
	}
	return err
}

// setFlag reads the settings that are true or false. Names that it does not know
// are left alone: URLs carry queries that mean nothing to us.
func (b *Behaviour) setFlag(name, value string) (err error) {
	flags := map[string]*bool{
		"hang": &b.Hang, "chunked": &b.Chunked, "close-delimited": &b.CloseDelimited, "gzip": &b.Gzip,
		"wrong-digest": &b.WrongDigest, "weak-etag": &b.WeakETag, "no-etag": &b.NoETag, "no-ranges": &b.NoRanges,
		"no-date": &b.NoDate, "same-etag": &b.SameETag, "same-date": &b.SameDate, "streams-broken": &b.StreamsBroken, "unconditional": &b.Unconditional,
	}
	if flag, known := flags[name]; known {
		*flag, err = strconv.ParseBool(value)
	}
	return err
}
