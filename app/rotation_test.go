package app_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"cloudmirror/app"
	"cloudmirror/config"
)

// A rotation as docs/operations.md has it, while callers go on: none of their calls
// fails, the audit tells the tokens apart, and the old one is refused in the end.
func TestTokensAreRotatedUnderLoad(t *testing.T) {
	const first, second = "the-first-token-of-ci", "the-second-token-of-ci"
	file := filepath.Join(t.TempDir(), "tokens")
	replace(t, file, "ci-1:"+first)
	c, err := config.Load("", []string{"CLOUDMIRROR_ADMIN_TOKENS_FILE=" + file}, config.Overrides{Listen: "127.0.0.1:0", DataDir: filepath.Join(t.TempDir(), "data")})
	if err != nil {
		t.Fatal(err)
	}
	core, audited := observer.New(zap.InfoLevel)
	a, stop := start(t, c, func(o *app.Options) { o.Audit = zap.New(core) })
	front := "http://" + a.Addresses()[0].String()
	if _, _, ready := get(t, front+"/readyz"); !strings.Contains(ready, "admin tokens: ok\n") {
		t.Errorf("the state of the file is not among\n%s", ready)
	}

	var token atomic.Pointer[string]
	use := func(text string) { token.Store(&text) }
	use(first)
	var callers sync.WaitGroup
	var calls atomic.Int64
	end := make(chan struct{})
	for range 4 {
		callers.Go(func() {
			for {
				select {
				case <-end:
					return
				default:
				}
				if status := callWith(t, front, *token.Load()); status != http.StatusOK {
					t.Errorf("a call with a valid token: status %d", status)
					return
				}
				calls.Add(1)
			}
		})
	}
	replace(t, file, "ci-1:"+first, "ci-2:"+second)
	awaitStatus(t, front, second, http.StatusOK)
	use(second)
	for until := calls.Load() + 8; calls.Load() < until && !t.Failed(); { // the callers have it by then
		callWith(t, front, second)
	}
	replace(t, file, "ci-2:"+second)
	awaitStatus(t, front, first, http.StatusUnauthorized)
	close(end)
	callers.Wait()
	if err := stop(); err != nil {
		t.Error(err)
	}
	names := make(map[any]int)
	for _, line := range audited.FilterMessage("read dead letters").All() {
		names[line.ContextMap()["token_name"]]++
	}
	if len(names) != 2 || names["ci-1"] == 0 || names["ci-2"] == 0 {
		t.Errorf("the audit names the tokens %v", names)
	}
}

// replace puts a file of lines in the place of another, at once.
func replace(t *testing.T, file string, lines ...string) {
	t.Helper()
	if err := os.WriteFile(file+".new", []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// callWith makes a call that needs a token, and returns its status.
func callWith(t *testing.T, front, token string) int {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, front+"/v1/dead-letters/s3/us-east-1", nil)
	if err != nil {
		t.Error(err)
		return 0
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		t.Error(err)
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

// awaitStatus calls until the answer has a status.
func awaitStatus(t *testing.T, front, token string, want int) {
	t.Helper()
	for until := time.Now().Add(patience); ; {
		got := callWith(t, front, token)
		if got == want {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("status %d, want %d", got, want)
		}
	}
}
