package origin

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
)

// A patientOrigin is one that takes its time, on connections within a bubble of
// testing/synctest.
type patientOrigin struct {
	first time.Duration // from a request to the answer's header
	idle  time.Duration // in the middle of each body
	cut   bool          // the first body ends there
}

const patientBytes = 32 << 10

// newPatientClient returns a client whose connections all lead to the origin.
func newPatientClient(o Options, to patientOrigin) *Client {
	c := New(o)
	number := 0
	c.transport(newGuard(nil), false).DialContext = func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		number++
		go to.serve(theirs, to.cut && number == 1)
		return ours, nil
	}
	return c
}

// serve answers one request with the object, or with the range that is asked for.
func (o patientOrigin) serve(conn net.Conn, cut bool) {
	defer conn.Close()
	request, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	time.Sleep(o.first)
	from, status, extra := 0, "200 OK", ""
	if r := request.Header.Get("Range"); r != "" {
		if _, err := fmt.Sscanf(r, "bytes=%d-", &from); err != nil {
			return
		}
		status, extra = "206 Partial Content", fmt.Sprintf("Content-Range: bytes %d-%d/%d\r\n", from, patientBytes-1, patientBytes)
	}
	fmt.Fprintf(conn, "HTTP/1.1 %s\r\nContent-Length: %d\r\nEtag: \"one\"\r\nAccept-Ranges: bytes\r\nConnection: close\r\n%s\r\n", status, patientBytes-from, extra)
	half := (patientBytes - from) / 2
	fmt.Fprint(conn, strings.Repeat("x", half))
	if cut {
		return
	}
	time.Sleep(o.idle)
	fmt.Fprint(conn, strings.Repeat("x", patientBytes-from-half))
}

// TestOriginsAreWaitedForAsLongAsTheOptionsSay asks origins that need 40 s for
// something, with and without 60 s for it.
func TestOriginsAreWaitedForAsLongAsTheOptionsSay(t *testing.T) {
	minute := Options{FirstByteTimeout: time.Minute, IdleTimeout: time.Minute, MinRateOver: time.Minute}
	for name, test := range map[string]struct {
		options Options
		origin  patientOrigin
		took    time.Duration
		fails   bool
	}{
		"a first byte in 40 s, by default":     {Options{}, patientOrigin{first: 40 * time.Second}, defaultFirstByteTimeout, true},
		"a first byte in 40 s of 60":           {minute, patientOrigin{first: 40 * time.Second}, 40 * time.Second, false},
		"a first byte in 61 s of 60":           {minute, patientOrigin{first: 61 * time.Second}, time.Minute, true},
		"nothing for 40 s, by default":         {Options{}, patientOrigin{idle: 40 * time.Second}, 30500 * time.Millisecond, true},
		"nothing for 40 s of 60":               {minute, patientOrigin{idle: 40 * time.Second}, 40 * time.Second, false},
		"cut off, and continued in 40 s of 60": {minute, patientOrigin{first: 40 * time.Second, cut: true}, 80500 * time.Millisecond, false},
		"the same, judged over 30 s": {
			Options{FirstByteTimeout: time.Minute}, patientOrigin{first: 40 * time.Second, cut: true}, 80500 * time.Millisecond, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newPatientClient(test.options, test.origin)
				defer c.Close()
				object, err := cloudmirror.ParseObject("http://origin.test/object")
				if err != nil {
					t.Fatal(err)
				}
				pattern, err := cloudmirror.ParseAllowPattern("^http://")
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer time.Sleep(2 * time.Minute) // the origin ends
				defer cancel()
				began := time.Now()
				n, err := readAll(c.Get(ctx, Rules{Allow: []cloudmirror.AllowPattern{pattern}}, object))
				if took := time.Since(began); took != test.took {
					t.Errorf("it took %v, want %v", took, test.took)
				}
				if f := cloudmirror.AsFailure(err); test.fails && (f == nil || f.Code != cloudmirror.CodeOriginTimeout) ||
					!test.fails && (err != nil || n != patientBytes) {
					t.Errorf("%d bytes, error %v", n, err)
				}
			})
		})
	}
}

func readAll(r *Response, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	return io.Copy(io.Discard, r.Body)
}
