package clients_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"cloudmirror/test/servers"
)

func TestFetchScriptIsClean(t *testing.T) {
	require(t, "shellcheck", "--version")
	run(t, ".", "shellcheck", "-s", "sh", fetchScript)
}

// With -j 3, three downloads run at a time: the first ones wait for each other,
// and there is no fourth worker, whenever one looks.
func TestFetchBoundsItsDownloads(t *testing.T) {
	for name, sh := range shells(t) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var mu sync.Mutex
			requests, most, three := 0, 0, make(chan struct{})
			origin := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				workers, _ := filepath.Glob(filepath.Join(dir, ".cloudmirror-fetch.*", "worker.*")) // the pattern is one
				mu.Lock()
				most = max(most, len(workers))
				if requests++; requests == 3 {
					close(three)
				}
				mu.Unlock()
				select {
				case <-three:
				case <-r.Context().Done():
				}
			}))
			defer origin.Close()
			var list strings.Builder
			for i := range 12 {
				fmt.Fprintf(&list, "%s/%d\n", origin.URL, i)
			}
			sh.fetchInto(t, dir, list.String(), "-j", "3").want(t, 0, "0 hits, 0 misses, 12 from the origin, 0 B, saved $0.00")
			if most != 3 {
				t.Errorf("%d workers, want 3", most)
			}
		})
	}
}

// A signal ends the script and its downloads, and leaves nothing behind.
func TestFetchIsStopped(t *testing.T) {
	all := shells(t)
	for signal, status := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143, syscall.SIGHUP: 129} {
		for name, sh := range all {
			t.Run(name+"/"+signal.String(), func(t *testing.T) {
				begun, ended := make(chan struct{}), make(chan struct{})
				origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, _ = w.Write([]byte("some"))
					_ = http.NewResponseController(w).Flush() // the client may be gone
					close(begun)
					<-r.Context().Done()
					close(ended)
				}))
				defer origin.Close()
				dir := t.TempDir()
				c := sh.process(t, dir, origin.URL+"/large\n")
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				<-begun
				if err := c.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				_ = c.Wait() // the status says it
				<-ended
				if got := c.ProcessState.ExitCode(); got != status {
					t.Errorf("exit status %d, want %d", got, status)
				}
				if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
					t.Errorf("left behind: %v, %v", files, err)
				}
			})
		}
	}
}

// Every user of a machine sees the arguments of all programs.
func TestFetchKeepsSecretsFromOtherUsers(t *testing.T) {
	origin := startOrigin(t, map[string][]byte{"/tool?sig=s3cret": []byte("tool")})
	front := servers.StartCloudmirror(t, binary, origin)
	sh, dir := shells(t)["dash"], t.TempDir()
	wrapper, seen := filepath.Join(dir, "curl"), filepath.Join(dir, "seen")
	script := fmt.Sprintf("#!/bin/sh\nprintf '%%s\\n' \"$@\" >>%s\nPATH=%s exec curl \"$@\"\n", seen, sh.path)
	if err := os.WriteFile(wrapper, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	sh.path = dir + ":" + sh.path
	sh.fetch(t, origin+"/tool?sig=s3cret\n", "-m", redirects(front)).want(t, 0, "0 hits, 1 miss, 4 B, saved $0.00")
	args, err := os.ReadFile(seen)
	encoded := strings.TrimPrefix(rewrite(t, front, origin+"/tool?sig=s3cret"), redirects(front))
	if err != nil || len(args) == 0 || bytes.Contains(args, []byte("s3cret")) || bytes.Contains(args, []byte(encoded[:20])) {
		t.Errorf("curl got %s, %v", args, err)
	}
}
