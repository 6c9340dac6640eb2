package frontend_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"cloudmirror"
	"cloudmirror/engine"
	"cloudmirror/frontend"
	"cloudmirror/storage"
)

// operate sends a request with an Authorization header, if it is not empty.
func (w *world) operate(method, path, authorization, payload string) *http.Response {
	w.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(payload))
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return w.do(r)
}

func purgePath(region string) string {
	return "/v1/purge/s3/" + region + "/" + mustObject(originURL).Target()
}

const warmPayload = `{"service":"s3","regions":["us-east-1"],"urls":["` + originURL + `"]}`

func TestStateIsChangedOnlyWithAToken(t *testing.T) {
	sum := sha256.Sum256([]byte("hashed"))
	tokens := []cloudmirror.Token{tokenOf("", token), tokenOf("ci", "hashed"), tokenOf("x", "y:of-old")}
	tests := []struct {
		name, authorization string
		tokens              []cloudmirror.Token
		status              int
		code                string
	}{
		{"a plain token", "Bearer " + token, tokens, 0, ""},
		{"a token with a name", "Bearer hashed", tokens, 0, ""},
		{"a token behind its name", "Bearer ci:hashed", tokens, 0, ""},
		{"a token with colons of its own", "Bearer x:y:of-old", tokens, 0, ""},
		{"the scheme in other letters", "bearer " + token, tokens, 0, ""},
		{"no token", "", tokens, 401, "Unauthorized"},
		{"a wrong token", "Bearer wrong", tokens, 401, "Unauthorized"},
		{"a token behind another name", "Bearer cj:hashed", tokens, 401, "Unauthorized"},
		{"a token without a name behind one", "Bearer ci:" + token, tokens, 401, "Unauthorized"},
		{"a token behind an empty name", "Bearer :" + token, tokens, 401, "Unauthorized"},
		{"a name alone", "Bearer ci:", tokens, 401, "Unauthorized"},
		{"the hash is no token", "Bearer sha256:" + hex.EncodeToString(sum[:]), tokens, 401, "Unauthorized"},
		{"a part of a token", "Bearer " + token[:8], tokens, 401, "Unauthorized"},
		{"an empty token", "Bearer ", tokens, 401, "Unauthorized"},
		{"another scheme", "Basic " + token, tokens, 401, "Unauthorized"},
		{"no scheme", token, tokens, 401, "Unauthorized"},
		{"no tokens configured", "Bearer " + token, nil, 403, "AdministrationOff"},
		{"no tokens configured, none given", "", nil, 403, "AdministrationOff"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, func(o *frontend.Options) { o.Tokens = tt.tokens })
			for _, resp := range []*http.Response{
				w.operate(http.MethodDelete, purgePath("us-east-1"), tt.authorization, ""),
				w.operate(http.MethodPost, "/v1/warm", tt.authorization, warmPayload),
				w.operate(http.MethodGet, deadLettersPath, tt.authorization, ""),
				w.operate(http.MethodPost, deadLettersPath+"/redrive", tt.authorization, `{"all":true}`),
				w.operate(http.MethodPost, deadLettersPath+"/drop", tt.authorization, `{"all":true}`),
			} {
				if tt.code == "" {
					if resp.StatusCode >= 300 {
						t.Errorf("status %d", resp.StatusCode)
					}
					continue
				}
				if got := decode[body](t, resp); resp.StatusCode != tt.status || got.Code != tt.code {
					t.Errorf("status %d, code %s, want %d %s", resp.StatusCode, got.Code, tt.status, tt.code)
				}
				if has := resp.Header.Get("WWW-Authenticate") != ""; has != (tt.status == 401) {
					t.Errorf("WWW-Authenticate: %q", resp.Header.Get("WWW-Authenticate"))
				}
			}
		})
	}
}

func TestTwoAuthorizationHeadersAreNone(t *testing.T) {
	w := newWorld(t)
	r := httptest.NewRequest(http.MethodDelete, purgePath("us-east-1"), nil)
	r.Header["Authorization"] = []string{"Bearer " + token, "Bearer " + token}
	if resp := w.do(r); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %d, want 401", resp.StatusCode)
	}
}

func TestPurge(t *testing.T) {
	tests := []struct {
		name, region string
		wantEast     string // the state that is left
		wantWest     string
	}{
		{"one region", "us-east-1", "absent", "present"},
		{"all regions", "*", "absent", "absent"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			for _, id := range []cloudmirror.BackendID{east, west} {
				if _, err := w.engine.Wait(t.Context(), engine.Want{Object: mustObject(originURL), Backend: id}, engine.Patience{}); err != nil {
					t.Fatal(err)
				}
				w.copy(id)
			}
			resp := w.operate(http.MethodDelete, purgePath(tt.region), "Bearer "+token, "")
			if resp.StatusCode != http.StatusNoContent || resp.ContentLength > 0 || resp.Header.Get("Content-Type") != "" {
				t.Errorf("answer %v, want 204 without a body", resp)
			}
			for id, want := range map[cloudmirror.BackendID]string{east: tt.wantEast, west: tt.wantWest} {
				if got := decode[map[string]any](t, w.do(httptest.NewRequest(http.MethodGet, statusPath(id), nil)))["state"]; got != want {
					t.Errorf("%s is %v, want %s", id, got, want)
				}
			}
		})
	}
}

// Copies of URLs with dot segments, which old releases made, are found and removed
// by operators alone.
func TestOldCopiesOfDotSegments(t *testing.T) {
	w := newWorld(t)
	old, err := cloudmirror.ParseLegacyObject("https://origin.test/public/../private/x")
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.storages[east].Put(t.Context(), old.StorageKey(cloudmirror.FirstGeneration), strings.NewReader(content), storage.PutOptions{SizeBytes: int64(len(content)), Source: old.URL()})
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{old.Target(), old.URL()} {
		path := east.String() + "/" + form
		for _, authorization := range []string{"", "Bearer wrong"} {
			if resp := w.operate(http.MethodGet, "/v1/status/"+path, authorization, ""); resp.StatusCode != http.StatusBadRequest {
				t.Errorf("status as %q: %s", authorization, resp.Status)
			}
			if resp := w.operate(http.MethodDelete, "/v1/purge/"+path, authorization, ""); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("purge as %q: %s", authorization, resp.Status)
			}
		}
		if resp := w.operate(http.MethodGet, "/v1/redirect/"+path, "Bearer "+token, ""); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("an operator is redirected: %s", resp.Status)
		}
	}
	state := func() any {
		resp := w.operate(http.MethodGet, "/v1/status/"+east.String()+"/"+old.Target(), "Bearer "+token, "")
		return decode[map[string]any](t, resp)["state"]
	}
	if got := state(); got != "present" {
		t.Errorf("the old copy is %v", got)
	}
	if resp := w.operate(http.MethodDelete, "/v1/purge/s3/*/"+old.Target(), "Bearer "+token, ""); resp.StatusCode != http.StatusNoContent {
		t.Errorf("purge: %s", resp.Status)
	}
	if got := state(); got != "absent" {
		t.Errorf("the purged copy is %v", got)
	}
	payload := strings.Replace(warmPayload, originURL, old.URL(), 1)
	if resp := w.operate(http.MethodPost, "/v1/warm", "Bearer "+token, payload); resp.StatusCode != http.StatusBadRequest || w.jobs(east) != 0 {
		t.Errorf("warm: %s, %d jobs", resp.Status, w.jobs(east))
	}
}

func TestPurgeAnswers(t *testing.T) {
	target := mustObject("https://not.allowed.test/a").Target()
	tests := []struct {
		name, path string
		sabotage   func(*world)
		status     int
		code       string
	}{
		{"an unknown object", purgePath("eu-west-1"), nil, 204, ""},
		{"an object that is not allowed any more", "/v1/purge/s3/us-east-1/" + target, nil, 204, ""},
		{"no URL", "/v1/purge/s3/us-east-1/nothing", nil, 400, "InvalidURL"},
		{"an unknown region", purgePath("us-east-2"), nil, 404, "UnknownBackend"},
		{"an unknown service", "/v1/purge/s4/*/" + target, nil, 404, "UnknownBackend"},
		{"the cache is down", purgePath("us-east-1"), func(w *world) { w.cache.down.Store(true) }, 502, "PurgeFailed"},
		{"the cache is down, all regions", purgePath("*"), func(w *world) { w.cache.down.Store(true) }, 502, "PurgeFailed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			if tt.sabotage != nil {
				tt.sabotage(w)
			}
			resp := w.operate(http.MethodDelete, tt.path, "Bearer "+token, "")
			if resp.StatusCode != tt.status {
				t.Errorf("status %d, want %d", resp.StatusCode, tt.status)
			}
			if tt.code != "" && decode[body](t, resp).Code != tt.code {
				t.Errorf("another code than %s", tt.code)
			}
		})
	}
}

// Half a purge would leave old copies in use.
func TestPurgeGoesOnWithoutItsClient(t *testing.T) {
	w := newWorld(t)
	w.present()
	ctx, leave := context.WithCancel(t.Context())
	leave()
	r := httptest.NewRequestWithContext(ctx, http.MethodDelete, purgePath("us-east-1"), nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w.do(r)
	if got := decode[map[string]any](t, w.do(httptest.NewRequest(http.MethodGet, statusPath(east), nil)))["state"]; got != "absent" {
		t.Errorf("the copy is %v", got)
	}
}

// A purge in the middle of a wait: the copy that was under way does not count.
func TestPurgeWhileClientsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		answer := w.ask(http.MethodGet, "")
		synctest.Wait()
		if resp := w.operate(http.MethodDelete, purgePath("us-east-1"), "Bearer "+token, ""); resp.StatusCode != http.StatusNoContent {
			t.Fatalf("status %d", resp.StatusCode)
		}
		synctest.Wait()
		stale, err := w.queues[east].Receive(t.Context(), 1)
		if err != nil || len(stale) != 1 || stale[0].Job.Generation != cloudmirror.FirstGeneration {
			t.Fatalf("jobs %v, error %v, want the old one", stale, err)
		}
		if _, outcome, err := w.engine.Begin(t.Context(), stale[0].Job); outcome != engine.Stale || err != nil {
			t.Fatalf("the old job begins with outcome %v, error %v", outcome, err)
		}
		w.copy(east) // of the new generation
		resp := <-answer
		if location := resp.Header.Get("Location"); resp.StatusCode != http.StatusFound || location == originURL || strings.Contains(location, "/0/") {
			t.Errorf("status %d, Location %q, want the new copy", resp.StatusCode, location)
		}
	})
}

func TestOperatorsLeaveATrace(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	w := newWorld(t, func(o *frontend.Options) {
		o.Logger, o.Tokens = zap.New(core), []cloudmirror.Token{tokenOf("ci", token)}
	})
	w.operate(http.MethodDelete, purgePath("*"), "Bearer "+token, "")
	w.operate(http.MethodPost, "/v1/warm", "Bearer "+token, warmPayload)
	w.operate(http.MethodGet, deadLettersPath+"?full=true", "Bearer "+token, "")
	w.operate(http.MethodPost, deadLettersPath+"/redrive", "Bearer "+token, `{"all":true}`)
	w.operate(http.MethodPost, deadLettersPath+"/drop", "Bearer "+token, `{"all":true}`)
	w.do(httptest.NewRequest(http.MethodGet, redirectPath("?wait=0"), nil))
	w.frontend.Close()
	sum := sha256.Sum256([]byte(token))
	for _, did := range []string{"purge", "warm", "read dead letters", "redrive dead letters", "drop dead letters"} {
		entries := logs.FilterMessage(did).FilterLevelExact(zap.InfoLevel).All()
		if len(entries) != 1 {
			t.Fatalf("%d entries for %s, want 1", len(entries), did)
		}
		fields := entries[0].ContextMap()
		if fields["operator"] != "192.0.2.1" || fields["token"] != hex.EncodeToString(sum[:4]) || fields["token_name"] != "ci" || fields["error"] != nil {
			t.Errorf("%s: %v", did, fields)
		}
	}
	if logs.FilterMessage("redirect").Len() != 1 {
		t.Error("the redirect is not in the debug log")
	}
	for _, entry := range logs.All() {
		for _, value := range entry.ContextMap() {
			if text, ok := value.(string); ok && (strings.Contains(text, "secret") || strings.Contains(text, token)) {
				t.Errorf("%s: a secret is in the log: %s", entry.Message, text)
			}
		}
	}
}

func TestTokensAreReplaced(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	w := newWorld(t, func(o *frontend.Options) { o.Audit = zap.New(core) })
	w.frontend.SetTokens([]cloudmirror.Token{tokenOf("second", "another-token")})
	for text, want := range map[string]int{token: http.StatusUnauthorized, "another-token": http.StatusNoContent} {
		if resp := w.operate(http.MethodDelete, purgePath("us-east-1"), "Bearer "+text, ""); resp.StatusCode != want {
			t.Errorf("status %d with %s, want %d", resp.StatusCode, text, want)
		}
	}
	if lines := logs.FilterMessage("purge").All(); len(lines) != 1 || lines[0].ContextMap()["token_name"] != "second" {
		t.Errorf("the audit has %v", lines)
	}
	w.frontend.SetTokens(nil)
	if resp := w.operate(http.MethodDelete, purgePath("us-east-1"), "Bearer another-token", ""); resp.StatusCode != http.StatusForbidden {
		t.Errorf("status %d without tokens, want 403", resp.StatusCode)
	}
}
