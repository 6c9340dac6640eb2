package origin_test

import (
	"fmt"
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/origin"
	"cloudmirror/origin/origintest"
)

func TestStatus(t *testing.T) {
	server := origintest.Start(t)
	c := newClient(t, origin.Options{})
	permanent := []int{
		201, 203, 204, 205, 206, 300, 301, 302, 304, 305, 307, 308,
		400, 401, 402, 403, 404, 405, 406, 409, 410, 412, 416, 418, 421, 422, 451, 499, 508,
	}
	transient := []int{202, 408, 425, 429, 500, 501, 502, 503, 504, 507, 511, 520, 599}
	for _, status := range permanent {
		wantStatus(t, c, server, cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: status, Permanent: true})
	}
	for _, status := range transient {
		wantStatus(t, c, server, cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: status})
	}
}

func wantStatus(t *testing.T, c *origin.Client, server *origintest.Server, want cloudmirror.Failure) {
	t.Helper()
	server.Set("/a", origintest.Behaviour{Status: want.Status, HeadStatus: 200})
	_, _, err := fetch(t, c, anywhere(t), server.Object(t, "/a?secret"))
	wantFailure(t, err, want)
	wantNoSecret(t, err, "secret")
}

func TestUnaskedPartIsNoObject(t *testing.T) {
	server := origintest.Start(t)
	_, _, err := fetch(t, newClient(t, origin.Options{}), anywhere(t), server.Object(t, "/a?size=100&ranges=unasked"))
	wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 206, Permanent: true})
}

func TestFailsThenFine(t *testing.T) {
	server := origintest.Start(t)
	c := newClient(t, origin.Options{})
	o := server.Object(t, "/a?size=10&status=503&times=2&retry-after=7")
	for range 2 {
		_, _, err := fetch(t, c, anywhere(t), o)
		f := wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 503})
		if f.RetryAfter != 7*time.Second {
			t.Errorf("retry after %v", f.RetryAfter)
		}
	}
	if body, _, err := fetch(t, c, anywhere(t), o); err != nil || len(body) != 10 {
		t.Errorf("the third time: %d bytes, %v", len(body), err)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2025, 7, 1, 12, 0, 0, 0, time.UTC)
	server := origintest.Start(t)
	c := newClient(t, origin.Options{Now: func() time.Time { return now }})
	for value, want := range map[string]time.Duration{
		"120": 2 * time.Minute, "0": 0, "": 0, "-5": 0, "+5": 0, "1.5": 0, "soon": 0,
		"3601": time.Hour, "99999999999999999999999": time.Hour,
		"Tue, 01 Jul 2025 12:00:30 GMT": 30 * time.Second,
		"Tue, 01 Jul 2025 11:00:00 GMT": 0,
		"Wed, 02 Jul 2025 12:00:00 GMT": time.Hour,
		"Tue Jul  1 12:00:05 2025":      5 * time.Second,
	} {
		t.Run(fmt.Sprintf("%q", value), func(t *testing.T) {
			server.Set("/a", origintest.Behaviour{Status: 429, RetryAfter: value})
			_, _, err := fetch(t, c, anywhere(t), server.Object(t, "/a"))
			f := wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 429})
			if f.RetryAfter != want {
				t.Errorf("got %v, want %v", f.RetryAfter, want)
			}
		})
	}
}
