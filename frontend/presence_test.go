package frontend_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudmirror/frontend"
	"cloudmirror/presence"
)

// A fixedPresence is what processes say of themselves.
type fixedPresence struct {
	notes []presence.Note
	err   error
}

func (p fixedPresence) Notes(context.Context) ([]presence.Note, error) { return p.notes, p.err }

func withPresence(p fixedPresence) func(*frontend.Options) {
	return func(o *frontend.Options) { o.Presence = p }
}

// askBackends returns the answer to /v1/backends, with a token or without.
func (w *world) askBackends(token string) map[string]any {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/v1/backends", nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return decode[map[string]any](w.t, w.do(r))
}

func (w *world) page() string {
	w.t.Helper()
	text, err := io.ReadAll(w.do(httptest.NewRequest(http.MethodGet, "/status", nil)).Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// eastOf returns the member of an answer to /v1/backends for us-east-1.
func eastOf(t *testing.T, answer map[string]any) map[string]any {
	t.Helper()
	for _, b := range answer["backends"].([]any) {
		if b := b.(map[string]any); b["region"] == east.Region {
			return b
		}
	}
	t.Fatal("the region is missing")
	return nil
}

func TestHealthOfABackend(t *testing.T) {
	self := presence.Note{ID: "1", Role: "frontend"}
	copier := presence.Note{ID: "2", Role: "copier", CopiesTo: []string{east.String(), west.String()}}
	down := func(n presence.Note, dependency string) presence.Note {
		n.Dependencies = []presence.Dependency{{Name: "queue " + west.String()}, {Name: dependency, Cause: "refused"}}
		return n
	}
	for name, test := range map[string]struct {
		presence      fixedPresence
		health, cause string
	}{
		"well":                        {fixedPresence{notes: []presence.Note{self, copier}}, "ok", ""},
		"no copier":                   {fixedPresence{notes: []presence.Note{self}}, "no-copier", "no process copies to it"},
		"a copier of another backend": {fixedPresence{notes: []presence.Note{self, {ID: "2", Role: "copier", CopiesTo: []string{west.String()}}}}, "no-copier", "no process copies to it"},
		"others are not known":        {fixedPresence{notes: []presence.Note{self}, err: errDown}, "unknown", "which processes copy to it is not known: " + errDown.Error()},
		"no cache":                    {fixedPresence{notes: []presence.Note{down(self, "cache")}, err: errDown}, "cache-down", "refused"},
		"no cache for a copier":       {fixedPresence{notes: []presence.Note{self, copier, down(copier, "cache")}}, "cache-down", "for 1 of 2 processes that copy to it: refused"},
		"no storage":                  {fixedPresence{notes: []presence.Note{down(self, "storage "+east.String()), copier}}, "storage-down", "refused"},
		"no storage for a copier":     {fixedPresence{notes: []presence.Note{self, down(copier, "storage "+east.String())}}, "storage-down", "for 1 of 1 processes that copy to it: refused"},
		"no storage of another":       {fixedPresence{notes: []presence.Note{self, down(copier, "storage "+west.String())}}, "ok", ""},
		"no queue for a copier":       {fixedPresence{notes: []presence.Note{self, down(copier, "queue "+east.String())}}, "queue-unreachable", "for 1 of 1 processes that copy to it: refused"},
		"another front end's matters": {fixedPresence{notes: []presence.Note{self, copier, down(presence.Note{ID: "3", Role: "frontend"}, "storage "+east.String())}}, "ok", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withPresence(test.presence))
			got := eastOf(t, w.askBackends(token))
			cause, _ := got["cause"].(string)
			if got["health"] != test.health || cause != test.cause {
				t.Errorf("health %v because of %q, want %s because of %q", got["health"], cause, test.health, test.cause)
			}
			words := map[string]string{
				"no-copier": "no copier", "unknown": "not known", "cache-down": "cache down", "storage-down": "storage down", "queue-unreachable": "queue unreachable",
			}[test.health]
			want := "<td>us-east-1</td><td>files</td><td class=\"down\">" + words + "</td>"
			if test.health == "ok" {
				want = "<td>us-east-1</td><td>files</td><td>ok</td>"
			}
			if page := w.page(); !strings.Contains(page, want) || test.health != "ok" && strings.Contains(page, test.health) {
				t.Errorf("the page lacks %s:\n%s", want, page)
			}
		})
	}
}

// Two front ends behind a balancer show what clients got from both.
func TestFiguresOfAllFrontEnds(t *testing.T) {
	minutes := func(counts ...uint64) presence.Minutes { return counts }
	one := presence.Note{ID: "1", Role: "frontend", Requests: map[string]map[string]presence.Minutes{
		east.String(): {"hit": minutes(1, 2), "fallback": minutes(0, 4)}, west.String(): {"hit": minutes(100)},
	}}
	other := presence.Note{ID: "2", Role: "frontend", Requests: map[string]map[string]presence.Minutes{east.String(): {"hit": minutes(30), "miss": minutes(7), "error": minutes(9)}}}
	copier := presence.Note{ID: "3", Role: "copier", CopiesTo: []string{east.String()}, Copies: []presence.Copy{
		{Backend: east.String(), State: presence.Copying}, {Backend: east.String(), State: presence.WaitsForHost}, {Backend: west.String(), State: presence.Copying},
	}}
	for _, notes := range [][]presence.Note{{one, other, copier}, {other, copier, one}} {
		w := newWorld(t, withPresence(fixedPresence{notes: notes}))
		got := eastOf(t, w.askBackends(""))
		want := map[string]any{"hit": 33.0, "backfill": 0.0, "miss": 7.0, "fallback": 4.0, "denied": 0.0, "error": 9.0, "gone": 0.0, "direct": 0.0}
		if diff := cmp.Diff(want, got["last_hour"]); diff != "" {
			t.Errorf("last_hour (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[string]any{"running": 1.0, "waiting": 1.0}, got["copies"]); diff != "" || got["copiers"] != 1.0 {
			t.Errorf("%v copiers, copies (-want +got):\n%s", got["copiers"], diff)
		}
		page := w.page()
		if want := "<td>40</td><td>4</td><td>9</td></tr>"; !strings.Contains(page, want) || !strings.Contains(page, "to all front ends") {
			t.Errorf("the page lacks %s:\n%s", want, page)
		}
	}
}

// Names of machines and what parts say are for operators.
func TestProcessesAreForOperators(t *testing.T) {
	started := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	p := fixedPresence{err: errors.New("dial tcp 10.0.0.7:6379: refused"), notes: []presence.Note{{
		ID: "1", Role: "serve", Name: "host-7:4711", Version: "1.2.3", Started: started, CopiesTo: []string{east.String()},
		Dependencies: []presence.Dependency{{Name: "cache"}, {Name: "storage " + east.String(), Cause: "refused by 10.0.0.8"}},
	}, {ID: "2", Role: "frontend", Name: "host-8:1"}}}
	w := newWorld(t, withPresence(p))
	want := []any{
		map[string]any{
			"role": "serve", "name": "host-7:4711", "version": "1.2.3", "started": "2030-01-02T03:04:05Z", "copies_to": []any{east.String()},
			"down": []any{map[string]any{"name": "storage " + east.String(), "cause": "refused by 10.0.0.8"}},
		},
		map[string]any{"role": "frontend", "name": "host-8:1", "version": "", "started": "0001-01-01T00:00:00Z", "copies_to": []any{}, "down": []any{}},
	}
	got := w.askBackends(token)
	if diff := cmp.Diff(want, got["processes"]); diff != "" || got["presence"] != "not known: dial tcp 10.0.0.7:6379: refused" {
		t.Errorf("presence %v, processes (-want +got):\n%s", got["presence"], diff)
	}
	for _, who := range []string{"", "a wrong token"} {
		got := w.askBackends(who)
		if members := slices.Sorted(maps.Keys(got)); !slices.Equal(members, []string{"backends", "presence", "version"}) || got["presence"] != "not known" || eastOf(t, got)["cause"] != nil {
			t.Errorf("with token %q: %v", who, got)
		}
	}
	if page := w.page(); strings.Contains(page, "host-") || strings.Contains(page, "10.0.0.") || !strings.Contains(page, "to this front end alone") {
		t.Errorf("the page:\n%s", page)
	}
}

func TestRequestsAreCountedForNotes(t *testing.T) {
	w := newWorld(t)
	<-w.ask(http.MethodGet, "?wait=0")
	got := w.frontend.Requests()
	if got[east.String()]["fallback"] != 1 || got[east.String()]["hit"] != 0 || len(got) != 2 {
		t.Errorf("got %v", got)
	}
}
