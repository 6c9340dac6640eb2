package app_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudmirror/config"
	"cloudmirror/origin/origintest"
)

// choosy returns an origin that answers clients, but not copiers under their
// usual name, and below /private/ nobody without the key.
func choosy(t *testing.T) (url string, content *origintest.Origin) {
	t.Helper()
	content = origintest.New()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.UserAgent() == "cloudmirror":
			http.Error(w, "no robots", http.StatusForbidden)
		case strings.HasPrefix(r.URL.Path, "/private/") && r.Header.Get("Authorization") != "Bearer hunter2hunter2":
			w.WriteHeader(http.StatusUnauthorized)
		default:
			content.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, content
}

// loadService returns a configuration like that of load whose service allows one
// origin, with more lines.
func loadService(t *testing.T, origin string, lines ...string) *config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cloudmirror.yaml")
	text := fmt.Sprintf("listen: 127.0.0.1:0\nadmin_listen: 127.0.0.1:0\ndata_dir: %s\nservices:\n  s3:\n    allow: ['^%s/']\n    allow_addresses: [127.0.0.0/8]\n    ports: []\n    backends: {us-east-1: {storage: {type: file}}}\n%s",
		filepath.Join(t.TempDir(), "data"), strings.ReplaceAll(origin, ".", `\.`), strings.Join(lines, "\n"))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path, nil, config.Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// getLikeCurl gets a URL as curl -L does, from wherever it is redirected to. The
// configuration cannot know the port of the front end that serves the copies.
func getLikeCurl(t *testing.T, front, url string) (status int, body string) {
	t.Helper()
	for range 5 {
		var header http.Header
		if status, header, body = get(t, url); status != http.StatusFound {
			return status, body
		}
		url = strings.Replace(header.Get("Location"), "http://127.0.0.1:0/", front+"/", 1)
	}
	t.Fatalf("too many redirects, the last to %s", url)
	return 0, ""
}

// An origin that refuses the copier, or redirects to where the copier may not go,
// costs clients nothing: they get the object from it themselves.
func TestWhatIsRefusedToCopiersIsNotRefusedToClients(t *testing.T) {
	url, content := choosy(t)
	elsewhere := origintest.Start(t)
	content.Set("/moved", origintest.Behaviour{Redirect: elsewhere.URL + "/moved?size=1000"})
	renamed := loadService(t, url, "origin: {user_agent: mirror/1}")
	for name, test := range map[string]struct {
		config      *config.Config
		path        string
		cacheStatus string
		want        string // the bytes
		refusal     string // with fallback none: status and code
	}{
		"by its name":                {loadService(t, url), "/a?size=1000", "cloudmirror; fwd=miss; fwd-status=403; detail=origin-status", "/a", "403 OriginStatus"},
		"by where it redirects":      {renamed, "/moved", "cloudmirror; fwd=miss; detail=redirect-not-allowed", "/moved", "403 RedirectNotAllowed"},
		"not under another name":     {renamed, "/a?size=1000", "cloudmirror; fwd=miss; stored", "/a", "302 "},
		"nor is what does not exist": {renamed, "/missing?status=404", "cloudmirror; fwd=miss; fwd-status=404; detail=origin-status", "", "404 OriginStatus"},
	} {
		t.Run(name, func(t *testing.T) {
			a, stop := start(t, test.config)
			front := "http://" + a.Addresses()[0].String()
			link := mustObject(t, url+test.path).RedirectURL(front, backend)
			_, header, _ := get(t, link)
			if got := header.Get("Cache-Status"); got != test.cacheStatus {
				t.Errorf("Cache-Status: %q, want %q", got, test.cacheStatus)
			}
			if location := header.Get("Location"); strings.HasPrefix(location, elsewhere.URL) {
				t.Errorf("redirected to %s, which no pattern allows", location)
			}
			wantStatus, wantBody := http.StatusOK, string(origintest.Bytes(test.want, 1000))
			status, body := getLikeCurl(t, front, link)
			if test.want == "" {
				wantStatus, wantBody = http.StatusNotFound, body
			}
			if status != wantStatus || body != wantBody {
				t.Errorf("a client that follows gets %d with %d bytes, want %d and the object", status, len(body), wantStatus)
			}
			refused, _, body := get(t, link+"?fallback=none")
			wantRefused, code, _ := strings.Cut(test.refusal, " ")
			if fmt.Sprint(refused) != wantRefused || !strings.Contains(body, code) {
				t.Errorf("without fallback: %d %s, want %s", refused, body, test.refusal)
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
	if n := elsewhere.Count(http.MethodGet, "/moved"); n != 1 {
		t.Errorf("%d requests reached the place outside the patterns, want the client's one", n)
	}
}

// The service's headers open what clients cannot, and stay between copier and
// origin.
func TestCopiersSendTheServicesHeaders(t *testing.T) {
	url, content := choosy(t)
	c := loadService(t, url, "    headers: {authorization: Bearer hunter2hunter2}", "origin: {user_agent: mirror/1}")
	a, stop := start(t, c)
	front := "http://" + a.Addresses()[0].String()
	link := mustObject(t, url+"/private/a?size=1000").RedirectURL(front, backend)
	if status, header, body := get(t, link); status != http.StatusFound || header.Get("Cache-Status") != "cloudmirror; fwd=miss; stored" {
		t.Errorf("a new object: %d %s %s", status, header.Get("Cache-Status"), body)
	}
	if status, body := getLikeCurl(t, front, link); status != http.StatusOK || body != string(origintest.Bytes("/private/a", 1000)) {
		t.Errorf("a client without the key gets %d with %d bytes", status, len(body))
	}
	if status, _ := getLikeCurl(t, front, url+"/private/a"); status != http.StatusUnauthorized {
		t.Errorf("the origin answers a client %d, want 401", status)
	}
	if n := content.Count(http.MethodGet, "/private/a"); n != 1 {
		t.Errorf("the origin sent the object %d times, want once", n)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
