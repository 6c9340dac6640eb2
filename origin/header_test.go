package origin_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"cloudmirror"
	"cloudmirror/origin"
	"cloudmirror/origin/origintest"
)

const serviceSecret = "hunter2/hunter2+hunter2="

// withHeaders returns rules that allow everything, with a service's headers.
func withHeaders(t testing.TB) origin.Rules {
	t.Helper()
	rules := anywhere(t)
	rules.Headers = map[string]string{"Authorization": "Bearer " + serviceSecret, "X-Api-Key": serviceSecret}
	return rules
}

// wantHeaders checks that a server saw requests, and that all of them or none had
// the service's headers.
func wantHeaders(t *testing.T, server *origintest.Server, want bool) {
	t.Helper()
	requests := server.Requests()
	if len(requests) == 0 {
		t.Fatal("the server was not asked")
	}
	for _, request := range requests {
		has := request.Header.Get("Authorization") == "Bearer "+serviceSecret && request.Header.Get("X-Api-Key") == serviceSecret
		hasSome := request.Header.Get("Authorization") != "" || request.Header.Get("X-Api-Key") != ""
		if has != want || hasSome != want {
			t.Errorf("%s %s: headers of the service: %t, want %t", server.URL, request.Target, hasSome, want)
		}
	}
}

func TestHeadersGoToTheOriginAskedForOnly(t *testing.T) {
	t.Run("a redirect to another port", func(t *testing.T) {
		server, elsewhere := origintest.Start(t), origintest.Start(t)
		if _, _, err := fetch(t, newClient(t, origin.Options{}), withHeaders(t), server.Object(t, "/a?redirect="+elsewhere.URL+"/b?size=10")); err != nil {
			t.Fatal(err)
		}
		wantHeaders(t, server, true)
		wantHeaders(t, elsewhere, false)
	})
	t.Run("a redirect to another host", func(t *testing.T) {
		server := origintest.Start(t)
		c := newClient(t, origin.Options{Resolver: origintest.Resolver(func(string) []netip.Addr { return []netip.Addr{netip.MustParseAddr("127.0.0.1")} })})
		other := "http://name.test:" + port(t, server)
		if _, _, err := fetch(t, c, withHeaders(t), server.Object(t, "/a?redirect="+other+"/b?size=10")); err != nil {
			t.Fatal(err)
		}
		requests := server.Requests()
		if len(requests) != 2 || requests[0].Header.Get("Authorization") == "" || requests[1].Header.Get("Authorization") != "" {
			t.Errorf("%d requests, or a redirect to another name of the server got the headers", len(requests))
		}
	})
	t.Run("a redirect to another path and back", func(t *testing.T) {
		server, elsewhere := origintest.Start(t), origintest.Start(t)
		server.Set("/a", origintest.Behaviour{Redirect: "/b"})
		server.Set("/b", origintest.Behaviour{Redirect: elsewhere.URL + "/c"})
		elsewhere.Set("/c", origintest.Behaviour{Redirect: server.URL + "/d"})
		if _, _, err := fetch(t, newClient(t, origin.Options{}), withHeaders(t), server.Object(t, "/a")); err != nil {
			t.Fatal(err)
		}
		wantHeaders(t, server, true)
		wantHeaders(t, elsewhere, false)
	})
	t.Run("a body that is continued", func(t *testing.T) {
		server, elsewhere := origintest.Start(t), origintest.Start(t)
		target := elsewhere.URL + "/b"
		elsewhere.Set("/b", origintest.Behaviour{SizeBytes: 100_000, CutAfter: 50_000, Times: 1})
		server.Set("/a", origintest.Behaviour{Redirect: target})
		if _, _, err := fetch(t, newClient(t, origin.Options{}), withHeaders(t), server.Object(t, "/a")); err != nil {
			t.Fatal(err)
		}
		wantHeaders(t, server, true)
		wantHeaders(t, elsewhere, false)
		if n := elsewhere.Count(http.MethodGet, "/b"); n != 2 {
			t.Errorf("%d requests, want one and its continuation", n)
		}
	})
}

// Sections are asked for where the redirects led, which does not make that place
// the one that was asked for.
func TestHeadersOfSections(t *testing.T) {
	for name, isRedirected := range map[string]bool{"without a redirect": false, "behind a redirect": true} {
		t.Run(name, func(t *testing.T) {
			server, elsewhere := origintest.Start(t), origintest.Start(t)
			asked, from := server.Object(t, "/b"), server
			server.Set("/b", origintest.Behaviour{SizeBytes: 1_000_000})
			if isRedirected {
				elsewhere.Set("/b", origintest.Behaviour{SizeBytes: 1_000_000})
				server.Set("/a", origintest.Behaviour{Redirect: elsewhere.URL + "/b"})
				asked, from = server.Object(t, "/a"), elsewhere
			}
			c := newClient(t, origin.Options{EnoughBytesPerSecond: 1 << 60})
			response, err := c.Get(t.Context(), withHeaders(t), asked)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if _, err := io.CopyN(io.Discard, response.Body, 1000); err != nil {
				t.Fatal(err)
			}
			sections := response.Sections(100_000)
			if sections == nil {
				t.Fatal("the origin has no sections")
			}
			for offset := int64(1000); offset < 300_000; offset += 100_000 {
				section, ok := sections.Open(t.Context(), offset, 100_000)
				if !ok {
					t.Fatal("a section is refused")
				}
				if _, err := io.Copy(io.Discard, section); err != nil {
					t.Fatal(err)
				}
				section.Close()
			}
			if n := len(from.Requests()); n < 4 {
				t.Errorf("%d requests, want the first and three sections", n)
			}
			wantHeaders(t, from, !isRedirected)
			wantHeaders(t, server, true)
		})
	}
}

// What is ours stays ours, but for Accept and User-Agent.
func TestHeadersReplaceOnlyWhatTheyMay(t *testing.T) {
	server := origintest.Start(t)
	c := newClient(t, origin.Options{UserAgent: "ours/1", DeploymentID: "deployment-1"})
	rules := anywhere(t)
	rules.Headers = map[string]string{"User-Agent": "theirs/1", "Accept": "text/plain", "Accept-Encoding": "br", "Cdn-Loop": "x"}
	if _, _, err := fetch(t, c, rules, server.Object(t, "/a?redirect=/b")); err != nil {
		t.Fatal(err)
	}
	for _, request := range server.Requests() {
		for name, want := range map[string]string{
			"User-Agent": "theirs/1", "Accept": "text/plain", "Accept-Encoding": "identity", "Cdn-Loop": "deployment-1",
		} {
			if got := request.Header.Values(name); len(got) != 1 || got[0] != want {
				t.Errorf("%s: %s: %q, want %q", request.Target, name, got, want)
			}
		}
	}
}

// Origins that repeat what they were sent do not bring it into errors.
func TestHeadersAreInNoError(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"in the path of a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/"+strings.ReplaceAll(r.Header.Get("X-Api-Key"), "/", "%2F"), http.StatusFound)
		},
		"as it is, in a circle": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/"+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), http.StatusFound)
		},
		"in a header line that is none": func(w http.ResponseWriter, r *http.Request) {
			answerRaw(w, "HTTP/1.1 200 OK\r\n"+r.Header.Get("Authorization")+"\r\n\r\n")
		},
		"in a length that is none": func(w http.ResponseWriter, r *http.Request) {
			answerRaw(w, "HTTP/1.1 200 OK\r\nContent-Length: "+r.Header.Get("X-Api-Key")+"\r\n\r\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(handler)
			defer server.Close()
			_, _, err := fetch(t, newClient(t, origin.Options{}), withHeaders(t), object(t, server.URL+"/a"))
			wantNoSecret(t, err, "hunter2")
			if f, ok := errors.AsType[*cloudmirror.Failure](err); !ok || f.Err == nil || !strings.Contains(f.Err.Error(), "…") {
				t.Errorf("%v does not say that something was left out", err)
			}
		})
	}
}

// answerRaw sends bytes in the place of an answer.
func answerRaw(w http.ResponseWriter, text string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, text)
}
