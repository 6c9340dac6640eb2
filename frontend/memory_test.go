package frontend_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cloudmirror"
	"cloudmirror/frontend"
)

// usually draws the first piece every other time.
func usually(first string, others ...string) *rapid.Generator[string] {
	return rapid.OneOf(rapid.Just(first), rapid.SampledFrom(others))
}

// rawTargets draws request targets of few pieces, so that the same ones, and nearly
// the same, come again and again.
func rawTargets() *rapid.Generator[string] {
	prefix := usually("/v1/redirect/", "/v1/status/", "//v1/redirect/", "http://m.test/v1/redirect/")
	backend := usually("s3/us-east-1/", "s3/us-east-1/", "s3/eu-west-1/", "s3/*/", "s3//", "s4/us-east-1/")
	object := usually("https://origin.test/", "https://origin.test/a", "https://origin.test/aa", "https://origin.test/?b", "https://origin.test/a/../b", "https://other.test/")
	form := usually("base64", "escaped", "colon", "literal", "padded")
	name := usually("", "/YWFh", "/a.whl", "/a.whl", "/", "/a", "/b.whl/", "//a.whl", "%2Fa.whl", "/a%2Fb", "/a:b", "/..", "/%", "/YW+h", "/YR", "/=")
	query := usually("", "?", "?wait=1s", "?fallback=none", "?fallback=origin", "?b", "?b&wait=1s", "?ip=1", "?w%61it=2s", "?b#", "?/a.whl", "?%")
	return rapid.Custom(func(t *rapid.T) string {
		target := object.Draw(t, "object")
		switch form.Draw(t, "form") {
		case "base64":
			target = base64.RawURLEncoding.EncodeToString([]byte(target))
		case "padded":
			target = base64.StdEncoding.EncodeToString([]byte(target))
		case "escaped":
			target = url.QueryEscape(target)
		case "colon":
			target = strings.Replace(target, ":", "%3A", 1)
		}
		return prefix.Draw(t, "prefix") + backend.Draw(t, "backend") + target + name.Draw(t, "name") + query.Draw(t, "query")
	})
}

// answerTo returns the whole answer to a request target as it came over the
// network; found is false if net/http would not hand it to the front end.
func (w *world) answerTo(method, target string) (answer string, found bool) {
	parsed, err := url.ParseRequestURI(target)
	if err != nil {
		return "", false
	}
	r := &http.Request{Method: method, URL: parsed, RequestURI: target, Host: "m.test", Header: http.Header{"X-Request-Id": {"fixed"}}, RemoteAddr: "192.0.2.1:1"}
	recorder := httptest.NewRecorder()
	w.frontend.Handler().ServeHTTP(recorder, r.WithContext(w.t.Context()))
	body := queuedSince.ReplaceAllString(recorder.Body.String(), "")
	if body != recorder.Body.String() || method == http.MethodHead && strings.HasPrefix(target, "/v1/status/") {
		recorder.Header().Del("Content-Length")
	}
	var text strings.Builder
	text.WriteString(recorder.Result().Status + "\n")
	_ = recorder.Header().Write(&text)
	return text.String() + body, true
}

// queuedSince is the member of a status that tells when a job was sent: two worlds
// send it at different times.
var queuedSince = regexp.MustCompile(`,"queued_since":"[^"]*"`)

// Whatever was asked for before, an answer is that of a front end that remembers no
// target.
func TestTheMemoryOfTargetsChangesNoAnswer(t *testing.T) {
	now := withService(func(s *frontend.Service) { s.Mode = cloudmirror.ModeRedirectNow })
	warm, fresh := newWorld(t, now), newWorld(t, now)
	remembered, asked := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		warm.frontend.ForgetTargets()
		for _, target := range rapid.SliceOfN(rawTargets(), 50, 100).Draw(t, "targets") {
			method := usually(http.MethodGet, http.MethodHead, http.MethodDelete).Draw(t, "method")
			before := warm.frontend.KnownTargets()
			got, found := warm.answerTo(method, target)
			fresh.frontend.ForgetTargets()
			want, _ := fresh.answerTo(method, target)
			if got != want {
				t.Fatalf("%s %s: the answer is\n%s\nwithout memory\n%s", method, target, got, want)
			}
			if found {
				asked++
			}
			remembered += warm.frontend.KnownTargets() - before
		}
	})
	if remembered == 0 || remembered == asked {
		t.Errorf("%d of %d targets were remembered: there should be others", remembered, asked)
	}
}
