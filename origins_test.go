package cloudmirror_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"cloudmirror"
	"cloudmirror/test/lab"
	"cloudmirror/test/servers"
)

// A realOrigin is a server of files that runs.
type realOrigin struct {
	address string
}

// startOrigin starts a program and waits until it accepts connections.
func startOrigin(t *testing.T, port, program string, arguments ...string) realOrigin {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%s is not installed: run `make deps`, or apt-get install %s", program, program)
	}
	origin := realOrigin{address: net.JoinHostPort("127.0.0.1", port)}
	servers.Start(t, lab.Accepts(origin.address), nil, path, arguments...)
	return origin
}

// startNginxOrigin returns an origin of the files in a directory, and one that
// answers with the path that nginx goes by ($uri).
func startNginxOrigin(t *testing.T, files string) (origin, normalizer realOrigin) {
	dir, port, normalizerPort := t.TempDir(), servers.FreePort(t), servers.FreePort(t)
	block := fmt.Sprintf("server { listen 127.0.0.1:%s; root %s; } server { listen 127.0.0.1:%s; location / { return 200 $uri; } }", port, files, normalizerPort)
	origin = startOrigin(t, port, "nginx", servers.NginxArguments(t, dir, block)...)
	return origin, realOrigin{address: net.JoinHostPort("127.0.0.1", normalizerPort)}
}

// ask sends a request target as it is and returns the status and the body; 0 if
// the origin hangs up, as Python does over a NUL.
func (o realOrigin) ask(t failer, target string) (status int, body string) {
	conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", o.address)
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: h.test\r\nConnection: close\r\n\r\n", target); err != nil {
		t.Fatalf("%v", err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, ""
	}
	if err != nil {
		t.Fatalf("GET %s: %v", target, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("GET %s: %v", target, err)
	}
	return response.StatusCode, string(content)
}

const privateBytes = "private bytes"

// originFiles returns a directory with public/x and private/x.
func originFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"public/x": "public bytes", "private/x": privateBytes} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Real servers give private bytes for many spellings of a public path, and for none
// of those that are accepted.
func TestRealOriginsKeepWhatIsPrivate(t *testing.T) {
	files := originFiles(t)
	nginx, _ := startNginxOrigin(t, files)
	port := servers.FreePort(t)
	python := startOrigin(t, port, "python3", "-m", "http.server", "--bind", "127.0.0.1", "--directory", files, port)
	for name, origin := range map[string]realOrigin{"nginx": nginx, "Python": python} {
		t.Run(name, func(t *testing.T) {
			check := func(t failer, path string) (leads bool) {
				_, body := origin.ask(t, path)
				if _, err := cloudmirror.ParseObject("http://h.test" + path); err == nil && body == privateBytes {
					t.Errorf("%q is accepted and gets private bytes", path)
				}
				return body == privateBytes
			}
			if status, body := origin.ask(t, "/public/x"); status != http.StatusOK || body != "public bytes" {
				t.Fatalf("the origin does not work: %d %q", status, body)
			}
			leads := 0
			for _, path := range escapes() {
				if check(t, path) {
					leads++
				}
			}
			if leads < 8 {
				t.Errorf("only %d spellings lead out of /public/: does the origin resolve them?", leads)
			}
			if t.Failed() {
				return
			}
			rapid.Check(t, func(t *rapid.T) {
				check(t, paths("/public/").Draw(t, "path"))
				check(t, paths("/public/").Draw(t, "path")+"/private/x")
			})
		})
	}
}

// The judge of the properties reads paths as the real nginx does.
func TestNginxIsReadAsItReads(t *testing.T) {
	_, normalizer := startNginxOrigin(t, t.TempDir())
	check := func(t failer, path string) {
		want, ok := nginxPath(path)
		status, got := normalizer.ask(t, path)
		if (status == http.StatusOK) != ok || ok && got != want {
			t.Errorf("%q: nginx goes by %q (%d), the judge by %q (%t)", path, got, status, want, ok)
		}
	}
	for _, path := range escapes() {
		check(t, path)
	}
	if t.Failed() {
		return
	}
	rapid.Check(t, func(t *rapid.T) {
		for _, path := range rapid.SliceOfN(paths("/"), 1, 5).Draw(t, "paths") {
			check(t, path)
		}
	})
}
