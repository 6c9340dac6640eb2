package origin_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloudmirror"
	"cloudmirror/origin"
	"cloudmirror/origin/origintest"
)

// A door notes what enters and leaves, by path, and refuses one path.
type door struct {
	mu     sync.Mutex
	events []string
	inside int
	refuse string
}

var errRefused = errors.New("refused by the test")

func (d *door) enter(_ context.Context, hop cloudmirror.Object) (leave func(), err error) {
	_, path, _ := strings.Cut(strings.TrimPrefix(hop.URL(), "http://"), "/")
	d.note("enter "+path, 1)
	if path == d.refuse {
		d.note("refuse "+path, -1)
		return nil, errRefused
	}
	return func() { d.note("leave "+path, -1) }, nil
}

func (d *door) note(event string, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, event)
	d.inside += n
}

func TestEveryRequestIsEnteredAndLeft(t *testing.T) {
	hop := origintest.Behaviour{Redirect: "/b"}
	for name, test := range map[string]struct {
		a, b   origintest.Behaviour
		refuse string
		want   string
	}{
		"an answer":         {origintest.Behaviour{SizeBytes: 10}, hop, "", "enter a, leave a"},
		"a redirect":        {hop, origintest.Behaviour{SizeBytes: 10}, "", "enter a, leave a, enter b, leave b"},
		"an error":          {hop, origintest.Behaviour{Status: 404}, "", "enter a, leave a, enter b, leave b"},
		"a broken answer":   {hop, origintest.Behaviour{SizeBytes: 10, CutAfter: -1, NoRanges: true}, "", "enter a, leave a, enter b, leave b"},
		"a continued body":  {hop, origintest.Behaviour{SizeBytes: 200_000, CutAfter: 100_000, Times: 1}, "", "enter a, leave a, enter b, leave b, enter a, leave a, enter b, leave b"},
		"outside the rules": {origintest.Behaviour{Redirect: "http://elsewhere.test/"}, hop, "", "enter a, leave a"},
		"nobody listens":    {origintest.Behaviour{Redirect: "http://127.0.0.1:1/c"}, hop, "", "enter a, leave a, enter c, leave c"},
		"a refusal":         {hop, origintest.Behaviour{SizeBytes: 10}, "b", "enter a, leave a, enter b, refuse b"},
	} {
		t.Run(name, func(t *testing.T) {
			server, d := origintest.Start(t), &door{refuse: test.refuse}
			server.Set("/a", test.a)
			server.Set("/b", test.b)
			rules := origin.Rules{Allow: patterns(t, `^http://127\.0\.0\.1:1/`, "^"+strings.ReplaceAll(server.URL, ".", `\.`)+"/"), AllowAddresses: origintest.Loopback()}
			rules.Enter = d.enter
			_, _, err := fetch(t, newClient(t, origin.Options{}), rules, server.Object(t, "/a"))
			if got := strings.Join(d.events, ", "); got != test.want {
				t.Errorf("events %s, want %s (error %v)", got, test.want, err)
			}
			if test.refuse != "" && (!errors.Is(err, errRefused) || server.Count("GET", "/"+test.refuse) != 0) {
				t.Errorf("error %v after %d requests, want the refusal, and none", err, server.Count("GET", "/"+test.refuse))
			}
		})
	}
}

// Sections are requests as others, those that begin anew at the object's own URL
// included.
func TestSectionsAreEnteredAndLeft(t *testing.T) {
	server, d := origintest.Start(t), &door{}
	server.Set("/a", origintest.Behaviour{Redirect: "/b"})
	server.Set("/b", sectioned(nil))
	rules := anywhere(t)
	rules.Enter = d.enter
	response, _ := beginWith(t, server, rules, origin.Options{})
	s := response.Sections(sectionBytes)
	if s == nil {
		t.Fatal("the object is not read in sections")
	}
	if _, err := readSections(t.Context(), s, 3); err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	entered := slices.DeleteFunc(slices.Clone(d.events), func(e string) bool { return !strings.HasPrefix(e, "enter") })
	if requests := len(server.Requests()); len(entered) != requests || requests < 10 || d.inside != 0 {
		t.Errorf("%d of %d requests were entered, %d are not left", len(entered), requests, d.inside)
	}
}
