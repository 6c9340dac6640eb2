package balancers_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"cloudmirror/origin/origintest"
	"cloudmirror/test/servers"
)

// get sends a request whose target is exactly this, whatever a URL would make of
// it.
func (b *balancer) get(t *testing.T, base, target string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.URL.Opaque = target                        // is sent as it is
	request.Header.Set("X-Forwarded-For", "192.0.2.7") // somebody who is not to be believed
	request.Header.Set("CDN-Loop", "another")
	response, err := b.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// echo answers with the target, the address of the client and CDN-Loop as they
// arrived.
func echo(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		clients := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
		fmt.Fprintf(w, "%s\n%s\n%s", r.RequestURI, strings.TrimSpace(clients[len(clients)-1]), r.Header.Get("CDN-Loop"))
	}))
	t.Cleanup(server.Close)
	return server
}

func address(s *httptest.Server) string { return strings.TrimPrefix(s.URL, "http://") }

// targets are request targets that a proxy may be tempted to change.
var targets = map[string]string{
	"base64url":             "/v1/redirect/s3/eu-west-1/aHR0cHM6Ly9ob3N0L2EvYi4uL2M_eD15",
	"a file name":           "/v1/redirect/s3/eu-west-1/aHR0cHM6Ly9ob3N0L2EvYi4uL2M_eD15/a%2Bb+c%20(d).whl?wait=5s",
	"padded base64":         "/v1/redirect/s3/eu-west-1/aHR0cHM6Ly9ob3N0L2E+Yi8vYw==",
	"a plain URL":           "/v1/redirect/s3/eu-west-1/https://host/path?query=1&b=%20",
	"slashes in it":         "/v1/redirect/s3/eu-west-1/https://host//a///b/?q=//x",
	"dots in it":            "/v1/redirect/s3/eu-west-1/https://host/a/../b/./c",
	"an encoded URL":        "/v1/redirect/s3/eu-west-1/https%3A%2F%2Fhost%2Fa%252Fb?wait=5s",
	"an encoded slash":      "/v1/redirect/s3/eu-west-1/https://host/a%2Fb%2fc",
	"an encoded percent":    "/v1/redirect/s3/eu-west-1/https://host/a%252Fb",
	"an empty query":        "/v1/redirect/s3/eu-west-1/https://host/a?",
	"other characters":      "/v1/redirect/s3/eu-west-1/https://host/a;b=c,(d)'e'!*$~@:+",
	"encoded UTF-8":         "/v1/redirect/s3/eu-west-1/https://host/%C3%BC",
	"a long URL":            "/v1/redirect/s3/eu-west-1/https://host/" + strings.Repeat("a", 8000),
	"a long URL in base64":  "/v1/redirect/s3/eu-west-1/" + strings.Repeat("YWFh", 2800),
	"a long URL in percent": "/v1/redirect/s3/eu-west-1/https%3A%2F%2Fhost%2F" + strings.Repeat("%25", 8000),
}

func TestRequestsArriveAsTheyWereSent(t *testing.T) {
	for name, start := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := echo(t)
			b := start(t, [2]string{address(up), address(up)})
			for form, target := range targets {
				for _, base := range []string{b.plain, b.secure} {
					response := b.get(t, base, target)
					body, err := io.ReadAll(response.Body)
					response.Body.Close()
					if want := target + "\n127.0.0.1\nanother"; err != nil || string(body) != want {
						t.Errorf("%s, %s: %s: what arrived is %.300q (%v), want %.300q", form, response.Proto, response.Status, body, err, want)
					}
					if base == b.secure && response.ProtoMajor != 2 {
						t.Errorf("%s is answered by %s", base, response.Proto)
					}
				}
			}
			response := b.get(t, b.plain, "/metrics")
			response.Body.Close()
			if response.StatusCode != http.StatusNotFound {
				t.Errorf("clients get metrics: %s", response.Status)
			}
		})
	}
}

// A client whose wait is over is redirected to the origin, whose URL may be 8 KiB.
func TestLongRedirectsGetThrough(t *testing.T) {
	location := "https://host/" + strings.Repeat("a", 8000)
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", location)
		w.WriteHeader(http.StatusFound)
		fmt.Fprintf(w, `{"status":"pending","url":%q}`, location)
	}))
	t.Cleanup(up.Close)
	for name, start := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t, [2]string{address(up), address(up)})
			for _, base := range []string{b.plain, b.secure} {
				response := b.get(t, base, "/v1/redirect/s3/eu-west-1/x")
				body, err := io.ReadAll(response.Body)
				response.Body.Close()
				if response.Header.Get("Location") != location || err != nil || !strings.Contains(string(body), location) {
					t.Errorf("%s: %s, error %v: %.100q", response.Proto, response.Status, err, body)
				}
			}
		})
	}
}

func TestAFrontEndThatIsGoneIsGoneAround(t *testing.T) {
	for name, start := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stays, goes := echo(t), echo(t)
			b := start(t, [2]string{address(goes), address(stays)})
			for i := range 40 {
				if i == 10 {
					goes.Close()
				}
				response := b.get(t, b.plain, "/v1/ping")
				response.Body.Close()
				if response.StatusCode != http.StatusOK {
					t.Errorf("request %d: %s", i, response.Status)
				}
			}
		})
	}
}

// The time that a balancer waits for an answer must be longer than clients wait
// for copies, 28 s by default.
func TestBalancersHaveMorePatienceThanClients(t *testing.T) {
	for file, pattern := range map[string]string{
		"nginx.conf": `proxy_read_timeout (\d+)s`, "haproxy.cfg": `timeout (?:server|client) (\d+)s`,
	} {
		data, err := os.ReadFile(filepath.Join("..", "..", "deploy", file))
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(pattern).FindAllStringSubmatch(string(data), -1)
		if len(found) == 0 {
			t.Errorf("%s says nothing like %s", file, pattern)
		}
		for _, match := range found {
			if seconds, err := strconv.Atoi(match[1]); err != nil || seconds < 40 {
				t.Errorf("%s: %s", file, match[0])
			}
		}
	}
}

// TestEveryFormIsTheSameObject asks the real program, through each balancer, for
// an object with an awkward URL in every form.
func TestEveryFormIsTheSameObject(t *testing.T) {
	const path, query = "/a%2Fb//c/.d/%252Fe;f", "?size=1024&x=%20y"
	for name, start := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			origin := origintest.Start(t)
			up := servers.StartCloudmirror(t, binary, origin.URL)
			b := start(t, [2]string{up, up})
			object := origin.URL + path + query
			forms := map[string]string{
				"base64url": base64.RawURLEncoding.EncodeToString([]byte(object)),
				"a name":    base64.RawURLEncoding.EncodeToString([]byte(object)) + "/a%2Fb+c.whl",
				"encoded":   url.QueryEscape(object),
				"plain":     object,
			}
			copies := make(map[string]bool)
			for form, text := range forms {
				response := b.get(t, b.plain, "/v1/redirect/s3/us-east-1/"+text)
				body, _ := io.ReadAll(response.Body)
				response.Body.Close()
				if response.StatusCode != http.StatusFound || !strings.Contains(string(body), `"present"`) {
					t.Errorf("%s: %s %s", form, response.Status, body)
				}
				copies[response.Header.Get("Location")] = true
			}
			if len(copies) != 1 {
				t.Errorf("the forms lead to %d copies", len(copies))
			}
		})
	}
}
