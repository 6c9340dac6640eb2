package app_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
	"go.uber.org/zap/zaptest/observer"

	"cloudmirror"
	"cloudmirror/app"
	"cloudmirror/config"
	"cloudmirror/origin/origintest"
	"cloudmirror/test/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// load returns a configuration for the test: everything in one process, on free
// ports, with the origin let through.
func load(t *testing.T, origin *origintest.Server) *config.Config {
	t.Helper()
	o := config.Overrides{Listen: "127.0.0.1:0", DataDir: filepath.Join(t.TempDir(), "data"), AllowAddresses: []string{"127.0.0.0/8"}}
	if origin != nil {
		o.Allow = []string{"^" + strings.ReplaceAll(origin.URL, ".", `\.`) + "/"}
	}
	c, err := config.Load("", []string{"CLOUDMIRROR_ADMIN_LISTEN=127.0.0.1:0"}, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// start runs an App until stop is called, which returns how it ended; change may
// change its options.
func start(t *testing.T, c *config.Config, change ...func(*app.Options)) (a *app.App, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	o := app.Options{Config: c, Role: config.RoleServe, Logger: zaptest.NewLogger(t), Version: "test"}
	for _, f := range change {
		f(&o)
	}
	a, err := app.New(ctx, o)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	return a, func() error { cancel(); return <-ended }
}

func get(t *testing.T, url string) (status int, header http.Header, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(content)
}

// patience is how long what must come is waited for.
const patience = 10 * time.Second

func TestServe(t *testing.T) {
	origin := origintest.Start(t)
	origin.Set("/tool.bin", origintest.Behaviour{SizeBytes: 5000})
	a, stop := start(t, load(t, origin))
	front, admin := "http://"+a.Addresses()[0].String(), "http://"+a.Addresses()[1].String()

	status, header, body := get(t, origin.Object(t, "/tool.bin").RedirectURL(front, cloudmirror.BackendID{Service: "s3", Region: "us-east-1"}))
	if status != http.StatusFound || header.Get("Cache-Status") != "cloudmirror; fwd=miss; stored" {
		t.Fatalf("a new object: %d %s %s", status, header.Get("Cache-Status"), body)
	}
	for _, base := range []string{front, admin} {
		for path, want := range map[string]string{
			"/healthz": "ok",
			"/readyz":  "ready\nqueue s3/us-east-1: ",
			"/metrics": `cloudmirror_copies_total{region="us-east-1",result="copied",service="s3"} 1`,
		} {
			// A copy is counted right after clients may see it.
			status, body, until := 0, "", time.Now().Add(patience)
			for status != http.StatusOK || !strings.Contains(body, want) {
				if time.Now().After(until) {
					t.Fatalf("%s%s: %d without %q in\n%s", base, path, status, want, body)
				}
				status, _, body = get(t, base+path)
			}
		}
	}
	if status, _, _ := get(t, admin+"/debug/pprof/cmdline"); status != http.StatusOK {
		t.Errorf("profiles on the admin address: %d", status)
	}
	if status, _, _ := get(t, front+"/debug/pprof/cmdline"); status != http.StatusNotFound {
		t.Errorf("profiles on the front end's address: %d, want 404", status)
	}
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// A copier has no right to look at the backends of others (Policy), and no reason.
func TestACopierLooksAtItsOwnBackendsAlone(t *testing.T) {
	w := newWard(t, servers.StartVersityGW(t, "eu-west-1"))
	w.storage += "}}, eu-west-2: {storage: {type: s3, bucket: another"
	w.top += "\nadmin_listen: 127.0.0.1:0\ncopier: {backends: [s3/eu-west-1]}"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	a, err := app.New(ctx, app.Options{Config: w.config(), Role: config.RoleCopier, Logger: zaptest.NewLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	_, _, body := get(t, "http://"+a.Addresses()[0].String()+"/readyz")
	if !strings.Contains(body, "\nqueue s3/eu-west-1: ") || !strings.Contains(body, "\nstorage s3/eu-west-1: ") || strings.Contains(body, "eu-west-2") {
		t.Errorf("it looks at\n%s", body)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("stop: %v", err)
	}
}

// A region whose address nobody answers at is not what clients are redirected to.
func TestARegionThatCannotBeReached(t *testing.T) {
	storage := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer storage.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	dir := t.TempDir()
	file := filepath.Join(dir, "config.yaml")
	text := fmt.Sprintf(`
listen: 127.0.0.1:0
data_dir: %s
health: {interval: 10ms, timeout: 10ms, failures: 2}
services:
  s3:
    allow: ["^https://"]
    backends:
      us-east-1: {storage: {type: file}}
      eu-west-1: {storage: {type: s3, bucket: copies, endpoint: "%s", path_style: true}}
`, dir, storage.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file, nil, config.Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	a, stop := start(t, c)
	front := "http://" + a.Addresses()[0].String()
	const object = "https://origin.invalid/tool"
	isDown := regexp.MustCompile(`copies s3/eu-west-1: [^o]`)
	deadline := time.Now().Add(patience)
	for ready := ""; !isDown.MatchString(ready); {
		if _, _, ready = get(t, front+"/readyz"); time.Now().After(deadline) {
			t.Fatalf("nothing says within %v that the region cannot be reached:\n%s", patience, ready)
		}
		if strings.Contains(ready, "copies s3/us-east-1") {
			t.Fatalf("files that the process serves itself are probed:\n%s", ready)
		}
	}
	status, header, _ := get(t, front+"/v1/redirect/s3/eu-west-1/"+object)
	if status != http.StatusFound || header.Get("Location") != object || header.Get("Cache-Status") != "cloudmirror; fwd=miss; detail=region-unreachable" {
		t.Errorf("%d to %s: %s", status, header.Get("Location"), header.Get("Cache-Status"))
	}
	if _, _, metrics := get(t, front+"/metrics"); !strings.Contains(metrics, `cloudmirror_region_reachable{region="eu-west-1",service="s3"} 0`) {
		t.Error("the metric does not say so")
	}
	if _, _, page := get(t, front+"/status"); !strings.Contains(page, `<td>eu-west-1</td><td>s3</td><td class="down">clients cannot fetch copies</td>`) {
		t.Errorf("the page does not say so:\n%s", page)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestARestartLosesNothing(t *testing.T) {
	origin := origintest.Start(t)
	origin.Set("/tool.bin", origintest.Behaviour{SizeBytes: 5000})
	c := load(t, origin)
	for i, want := range []string{"cloudmirror; fwd=miss; stored", "cloudmirror; hit"} {
		a, stop := start(t, c)
		url := origin.Object(t, "/tool.bin").RedirectURL("http://"+a.Addresses()[0].String(), cloudmirror.BackendID{Service: "s3", Region: "us-east-1"})
		if _, header, _ := get(t, url); !strings.HasPrefix(header.Get("Cache-Status"), want) {
			t.Errorf("start %d: %q, want %q", i+1, header.Get("Cache-Status"), want)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	if n := origin.Count(http.MethodGet, "/tool.bin"); n != 1 {
		t.Errorf("the origin got %d GETs, want 1", n)
	}
}

func TestTheAdminToken(t *testing.T) {
	c := load(t, nil)
	path := filepath.Join(c.DataDir, "admin-token")
	var first string
	for range 2 {
		_, stop := start(t, c)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, error %v, want 0600", info.Mode(), err)
		}
		if len(strings.TrimSpace(string(text))) < 16 || first != "" && first != string(text) {
			t.Errorf("the token is %q after %q", text, first)
		}
		first = string(text)
	}
}

// An operator who turns the log down still learns what other operators did.
func TestTheAuditIsNotTurnedDown(t *testing.T) {
	core, audited := observer.New(zap.InfoLevel)
	c := load(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	a, err := app.New(ctx, app.Options{
		Config: c, Role: config.RoleServe, Logger: zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel)), Audit: zap.New(core),
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	token, err := os.ReadFile(filepath.Join(c.DataDir, "admin-token"))
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodDelete, "http://"+a.Addresses()[0].String()+"/v1/purge/s3/us-east-1/https://origin.test/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusNoContent || audited.FilterMessage("purge").Len() != 1 {
		t.Errorf("status %d; the audit has %v", response.StatusCode, audited.All())
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestStartErrors(t *testing.T) {
	c := load(t, nil)
	a, stop := start(t, c)
	taken := *c
	taken.Listen = a.Addresses()[0].String()
	taken.DataDir = t.TempDir()
	if _, err := app.New(t.Context(), app.Options{Config: &taken, Role: config.RoleServe, Logger: zaptest.NewLogger(t)}); err == nil || !strings.Contains(err.Error(), taken.Listen) {
		t.Errorf("an address in use: error %v, want one that names %s", err, taken.Listen)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := app.New(t.Context(), app.Options{Config: c, Role: config.RoleCopier, Logger: zaptest.NewLogger(t)}); err == nil || !strings.Contains(err.Error(), "cache.type") {
		t.Errorf("a copier on a memory cache: error %v, want one that names cache.type", err)
	}
}
