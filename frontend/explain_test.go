package frontend_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/cache"
	"cloudmirror/engine"
	"cloudmirror/frontend"
	"cloudmirror/presence"
)

// A board is what processes said of themselves.
type board struct {
	notes []presence.Note
	err   error
}

func (b *board) Notes(context.Context) ([]presence.Note, error) { return b.notes, b.err }

// copiers returns the notes of a front end, and of a copier that holds copies of the
// object in us-east-1.
func copiers(copies ...presence.Copy) func(*frontend.Options) {
	for i := range copies {
		copies[i].Object, copies[i].Backend = mustObject(originURL).Hash(), east.String()
	}
	return func(o *frontend.Options) {
		o.Presence = &board{notes: []presence.Note{
			{ID: "1", Role: "frontend", Name: "front-1:17"},
			{ID: "2", Role: "copier", Name: "copier-1:4711", CopiesTo: []string{east.String()}, Copies: copies},
		}}
	}
}

func copying(done, total, rate int64) presence.Copy {
	return presence.Copy{State: presence.Copying, Host: "https://origin.test", DoneBytes: done, TotalBytes: total, BytesPerSecond: rate}
}

func waitsForHost(host string) presence.Copy {
	return presence.Copy{State: presence.WaitsForHost, Host: host, Turns: 8, MaxTurns: 8, TotalBytes: -1}
}

// A scenario is a state of the world that an explanation has to explain.
type scenario struct {
	url    string // "": originURL
	query  string
	change func(*frontend.Options)
	before func(*world)
}

// options returns the changes of a front end's options.
func (s *scenario) options() (changes []func(*frontend.Options)) {
	if s.change != nil {
		changes = append(changes, s.change)
	}
	return changes
}

func direct(t testing.TB) func(*frontend.Options) {
	return withService(func(s *frontend.Service) {
		s.Rules.Direct = []cloudmirror.AllowPattern{pattern(t, `^https://[^/]+/lists/`), pattern(t, `^https://origin\.test/release/`)}
	})
}

func allowing(t testing.TB, patterns ...string) func(*frontend.Options) {
	return withService(func(s *frontend.Service) {
		s.Rules.Allow = nil
		for _, p := range patterns {
			s.Rules.Allow = append(s.Rules.Allow, pattern(t, p))
		}
	})
}

func forGood(code cloudmirror.Code, message string) *cloudmirror.Failure {
	return &cloudmirror.Failure{Code: code, Message: message, Permanent: true, Err: errDown}
}

// givenUp fails as often as an object is tried.
func givenUp(w *world) {
	for range engine.MaxTries {
		w.ensure()
		w.fail(east, &cloudmirror.Failure{Code: cloudmirror.CodeOriginTruncated, Message: "the body ended early"})
		time.Sleep(time.Minute)
	}
}

// begun has the copy begun, with 3 MB of 5 MB there.
func begun(w *world) {
	w.ensure()
	attempt, _ := w.begin(east)
	if err := attempt.Renew(w.t.Context(), cache.Progress{DoneBytes: 3_000_000, TotalBytes: 5_000_000}); err != nil {
		w.t.Fatal(err)
	}
}

// delayed has a copier put the job back for 40 s.
func delayed(w *world) {
	w.ensure()
	deliveries, err := w.queues[east].Receive(w.t.Context(), 1)
	if err == nil {
		err = w.queues[east].Ack(w.t.Context(), deliveries[0])
	}
	if err == nil {
		err = w.engine.Defer(w.t.Context(), deliveries[0].Job, 40*time.Second)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// occupied lets other clients take all places of clients that wait.
func occupied(w *world) {
	go w.do(httptest.NewRequest(http.MethodGet, "/v1/redirect/"+east.String()+"/"+mustObject("https://origin.test/other").Target(), nil).WithContext(w.t.Context()))
	synctest.Wait()
}

// scenarios are all states and refusals.
func scenarios(t testing.TB) map[string]scenario {
	cutOff := new(cutOff)
	return map[string]scenario{
		"absent":           {change: copiers()},
		"absent-no-copier": {change: func(o *frontend.Options) { o.Presence = &board{notes: []presence.Note{{ID: "1", Role: "frontend"}}} }},
		"absent-presence-down": {change: func(o *frontend.Options) {
			o.Presence = &board{notes: []presence.Note{{ID: "1"}}, err: errors.New("down")}
		}},
		"purged":              {before: func(w *world) { w.operate(http.MethodDelete, purgePath("*"), "Bearer "+token, "") }},
		"queued":              {change: copiers(), before: func(w *world) { w.ensure(); time.Sleep(12 * time.Second) }},
		"queued-lost":         {before: func(w *world) { w.ensure(); time.Sleep(6 * time.Minute) }},
		"delayed":             {before: delayed},
		"waits-for-host":      {change: copiers(waitsForHost("https://origin.test")), before: (*world).ensure},
		"waits-for-next-host": {change: copiers(waitsForHost("https://elsewhere.test")), before: (*world).ensure},
		"copying":             {change: copiers(copying(31_000_000, 50_000_000, 1_300_000)), before: begun},
		"copying-by-entry":    {before: begun},
		"copying-of-unknown-length": {
			change: copiers(copying(31_000_000, -1, 0)), before: func(w *world) { w.ensure() },
		},
		"copying-twice":    {change: copiers(copying(1_000, 2_000, 10), waitsForHost("https://origin.test")), before: begun},
		"copier-lost":      {before: func(w *world) { begun(w); time.Sleep(time.Minute) }},
		"present":          {change: copiers(), before: (*world).present},
		"present-stored":   {before: func(w *world) { w.present(); w.memory.Flush() }},
		"present-unlinked": {before: func(w *world) { w.present(); w.storages[east].linkless.Store(true) }},
		"present-signed":   {before: func(w *world) { w.present(); w.storages[east].signs.Store(true) }},
		"present-gone": {before: func(w *world) { // no recheck has noticed it
			w.present()
			if err := w.storages[east].Delete(w.t.Context(), mustObject(originURL).StorageKey(cloudmirror.FirstGeneration)); err != nil {
				w.t.Fatal(err)
			}
		}},
		"failed": {before: func(w *world) { w.failed(tooSlow()) }},
		"failed-paused": {before: func(w *world) {
			w.failed(&cloudmirror.Failure{Code: cloudmirror.CodeOriginPaused, Message: "this copier leaves the origin's host alone for a while", RetryAfter: 31 * time.Second})
		}},
		"failed-soon": {before: func(w *world) {
			w.failed(&cloudmirror.Failure{Code: cloudmirror.CodeOriginTimeout, Message: "the origin is too slow", RetryAfter: 12 * time.Second})
		}},
		"failed-due": {before: func(w *world) { w.failed(tooSlow()); time.Sleep(time.Hour + time.Second) }},
		"failed-no-retry": {before: func(w *world) { // no release writes that
			key := cache.KeyOf(mustObject(originURL), east)
			at, err := w.memory.Get(w.t.Context(), key)
			if err == nil {
				_, _, err = w.memory.Swap(w.t.Context(), key, at, cache.Entry{
					State: cache.Failed, Generation: cloudmirror.FirstGeneration, Until: at.Now().Add(time.Hour), Job: "j1",
					Failure: &cache.FailedTry{Code: cloudmirror.CodeOriginTimeout, Message: "the origin is too slow"},
				})
			}
			if err != nil {
				w.t.Fatal(err)
			}
		}},
		"failed-not-found": {before: func(w *world) { w.failed(notFoundAtOrigin()) }},
		"failed-forbidden": {before: func(w *world) { w.failed(forbiddenAtOrigin()) }},
		"failed-too-large": {before: func(w *world) { w.failed(forGood(cloudmirror.CodeObjectTooLarge, "the object is too large")) }},
		"failed-redirect": {before: func(w *world) {
			w.failed(forGood(cloudmirror.CodeRedirectNotAllowed, "the origin redirects to a URL that is not allowed"))
		}},
		"failed-address": {before: func(w *world) {
			w.failed(forGood(cloudmirror.CodeURLNotAllowed, "the URL leads to an address that is not allowed"))
		}},
		"given-up": {before: givenUp},
		"given-up-lost": {before: func(w *world) {
			w.failed(forGood(cloudmirror.CodeCopierLost, "the copy was begun several times and never ended"))
		}},
		"queue-down":        {before: func(w *world) { w.queues[east].down.Store(true) }},
		"queue-down-queued": {before: func(w *world) { w.ensure(); w.queues[east].down.Store(true) }},
		"queue-down-retry": {before: func(w *world) {
			w.failed(&cloudmirror.Failure{Code: cloudmirror.CodeOriginTimeout, Message: "the origin is too slow", RetryAfter: 12 * time.Second})
			w.queues[east].down.Store(true)
		}},
		"cache-down":         {before: func(w *world) { w.cache.down.Store(true) }},
		"cache-down-present": {before: func(w *world) { w.present(); w.cache.down.Store(true) }},
		"all-down":           {before: func(w *world) { w.cache.down.Store(true); w.storages[east].down.Store(true) }},
		"region-unreachable": {change: withService(func(s *frontend.Service) { s.Backends[0].Reach = cutOff }), before: (*world).present},
		"region-unreachable-not-found": {
			query: "?fallback=none", change: withService(func(s *frontend.Service) { s.Backends[0].Reach = cutOff }),
			before: func(w *world) { w.failed(notFoundAtOrigin()) },
		},
		"draining":          {before: func(w *world) { w.frontend.Drain() }},
		"draining-failed":   {before: func(w *world) { w.failed(tooSlow()); w.frontend.Drain() }},
		"too-many-waiters":  {change: func(o *frontend.Options) { o.MaxWaiters = 1 }, before: occupied},
		"too-many-requests": {change: func(o *frontend.Options) { o.MaxWaitersPerClient = 1 }, before: occupied},
		"direct":            {change: direct(t)},
		"direct-present":    {change: direct(t), before: (*world).present},
		"wait-shortened":    {query: "?wait=5s"},
		"wait-zero":         {query: "?wait=0&fallback=none"},
		"fallback-none":     {query: "?fallback=none"},

		"refused-pattern":     {url: "https://elsewhere.test/release/tool.tar.gz"},
		"refused-scheme":      {url: "http://origin.test/release/tool.tar.gz"},
		"refused-path":        {url: "https://origin.test/private/tool.tar.gz", change: allowing(t, `^https://other\.test/`, `^https://origin\.test/pub/`, `^https://[^/]+/public/`)},
		"refused-host":        {url: "https://origin.tset/pub/tool.tar.gz", change: allowing(t, `^https://other\.test/`, `^https://origin\.test/pub/`)},
		"refused-port":        {url: "https://origin.test:8443/tool.tar.gz"},
		"refused-address":     {url: "http://169.254.169.254/latest/meta-data/", change: allowing(t, `^https?://`)},
		"refused-dots":        {url: "https://origin.test/pub/../private/key"},
		"refused-no-url":      {url: "ftp://origin.test/tool.tar.gz"},
		"refused-user":        {url: "https://me:secret@origin.test/"},
		"refused-long":        {url: "https://origin.test/" + strings.Repeat("a", cloudmirror.MaxURLBytes)},
		"refused-option":      {query: "?wait=soon"},
		"refused-option-here": {query: "?country=de"},
	}
}

// path returns the path of a scenario below a prefix. Targets are in base64,
// so that what is no URL gets there as well.
func (s *scenario) path(prefix string) string {
	url := s.url
	if url == "" {
		url = originURL
	}
	return prefix + east.String() + "/" + targetOf(url) + s.query
}

// explained is what the tests read of an explanation.
type explained struct {
	Answer struct {
		Status      int
		Code        string
		Location    string
		WaitSeconds float64 `json:"wait_seconds"`
	}
}

// TestExplainAgreesWithRedirect asks for an explanation and then for the object, in
// each state and on all terms, and holds the two answers against each other. No
// copier works meanwhile, so that a client waits in vain.
func TestExplainAgreesWithRedirect(t *testing.T) {
	for name, s := range scenarios(t) {
		for _, mode := range []cloudmirror.Mode{cloudmirror.ModeWait, cloudmirror.ModeRedirectNow} {
			for _, fallback := range []cloudmirror.Fallback{cloudmirror.FallbackOrigin, cloudmirror.FallbackNone} {
				for _, wait := range []time.Duration{0, 5 * time.Second, 28 * time.Second} {
					terms := withService(func(service *frontend.Service) { service.Mode, service.Fallback, service.Wait = mode, fallback, wait })
					t.Run(fmt.Sprintf("%s/%s/%s/%v", name, mode, fallback, wait), func(t *testing.T) {
						if strings.HasPrefix(name, "too-many") && (wait == 0 || mode == cloudmirror.ModeRedirectNow) {
							t.Skip("no client waits in this mode, so that none takes the last place")
						}
						synctest.Test(t, func(t *testing.T) { checkExplained(t, &s, terms) })
					})
				}
			}
		}
	}
}

func checkExplained(t *testing.T, s *scenario, terms func(*frontend.Options)) {
	w := newWorld(t, append(s.options(), terms)...)
	if s.before != nil {
		s.before(w)
	}
	jobs := w.jobs(east)
	resp := w.do(httptest.NewRequest(http.MethodGet, s.path("/v1/explain/"), nil))
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("the explanation has the status %d: %+v", resp.StatusCode, decode[body](t, resp))
	}
	said := decode[explained](t, resp).Answer
	if w.jobs(east) != jobs {
		t.Error("the explanation caused a job")
	}
	began := time.Now()
	resp = w.do(httptest.NewRequest(http.MethodGet, s.path("/v1/redirect/"), nil))
	took := time.Since(began)
	location := resp.Header.Get("Location")
	if unsigned, _, isSigned := strings.Cut(location, "?signed="); isSigned { // each time anew
		location = unsigned
		said.Location, _, _ = strings.Cut(said.Location, "?signed=")
	}
	if resp.StatusCode != said.Status || location != said.Location {
		t.Errorf("redirect answers %d %s, explain says %+v", resp.StatusCode, resp.Header.Get("Location"), said)
	}
	if took.Seconds() != said.WaitSeconds {
		t.Errorf("redirect waits for %v, explain says %+v", took, said)
	}
	code := decode[body](t, resp).Code
	if resp.StatusCode == http.StatusFound {
		_, code, _ = strings.Cut(resp.Header.Get("Cache-Status"), "; detail=")
		code = strings.ReplaceAll(code, "-", "")
		if code == "backfill" || code == "direct" {
			code = ""
		}
	}
	if !strings.EqualFold(code, said.Code) {
		t.Errorf("redirect gives the code %q, explain says %+v", code, said)
	}
}

// A copier of this deployment is refused, whatever is known of the copy and whatever the
// fallback is.
func TestExplainRefusesLoops(t *testing.T) {
	tests := map[string]scenario{
		"fallback none":          {query: "?fallback=none"},
		"direct":                 {change: direct(t)},
		"a failure is passed on": {before: func(w *world) { w.failed(notFoundAtOrigin()) }},
	}
	for name, s := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, s.options()...)
				if s.before != nil {
					s.before(w)
				}
				r := httptest.NewRequest(http.MethodGet, s.path("/v1/explain/"), nil)
				r.Header.Set("CDN-Loop", deploymentID)
				e := decode[api.Explanation](t, w.do(r))
				const why = "The request came from a copier of this deployment: the origin URL leads back to it."
				want := api.ExplainedDecision{Status: http.StatusLoopDetected, Code: api.CodeLoopDetected, Why: why}
				if e.Answer != want || len(e.Places) > 0 || e.Target.Refused == nil {
					t.Errorf("explained as %+v", e)
				}
			})
		})
	}
}

// targetOf returns a target of any text.
func targetOf(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
