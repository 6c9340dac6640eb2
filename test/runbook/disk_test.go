package runbook_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"cloudmirror/test/lab"
	"cloudmirror/test/servers"
)

// fillTheDisk starts a process with file storage on a file system of 16 MiB, and
// fills that with copies, which it makes four days old.
func fillTheDisk(r *run) {
	r.t.Helper()
	data := r.t.TempDir()
	if err := syscall.Mount("none", data, "tmpfs", 0, "size=16m"); err != nil {
		r.t.Skipf("!!! NOT TESTED: a full disk: this machine lets the test mount no file system: %v", err)
	}
	r.t.Cleanup(func() {
		if p := r.units["cloudmirror"]; p != nil {
			p.Kill()
		}
		if err := syscall.Unmount(data, 0); err != nil {
			r.t.Error(err)
		}
	})
	link := filepath.Join(r.t.TempDir(), "cloudmirror") // as systemd makes it for a DynamicUser
	if err := os.Symlink(data, link); err != nil {
		r.t.Fatal(err)
	}
	r.replace = append(r.replace, "/var/lib/cloudmirror", link, "/etc/cloudmirror/cloudmirror.yaml", r.path("etc/cloudmirror/disk.yaml"))
	r.disk = &disk{data: link, front: "http://127.0.0.1:" + servers.FreePort(r.t)}
	r.restart("cloudmirror")
	for i := range 8 {
		path := fmt.Sprintf("/part-%d", i)
		r.origin.set(path, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) }) // the copier may go
		eventually(r.t, "an old object is copied", func() bool { return r.isKept(r.origin.url + path) })
	}
	if err := fill(filepath.Join(data, "other")); !errors.Is(err, syscall.ENOSPC) {
		r.t.Fatalf("fill the disk: %v", err)
	}
	if r.isKept(r.url) {
		r.t.Fatal("an object is copied to the full disk")
	}
	old := time.Now().Add(-5 * 24 * time.Hour)
	aged := 0
	err := filepath.WalkDir(data, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.Contains(path, "/copies/") {
			return err
		}
		aged++
		return os.Chtimes(path, old, old)
	})
	if err != nil || aged != 8 {
		r.t.Fatalf("%d copies were made older, error %v", aged, err)
	}
}

// fill writes a file until that fails.
func fill(name string) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer file.Close()
	for {
		if _, err := file.Write(make([]byte, 4<<10)); err != nil {
			return err
		}
	}
}

// A disk is the site's process with file storage.
type disk struct{ data, front string }

// isKept reports whether a client of that process is sent to a copy.
func (r *run) isKept(url string) bool {
	r.t.Helper()
	_, location := r.ask(r.disk.front + "/v1/redirect/s3/" + near + "/" + url)
	return strings.HasPrefix(location, r.disk.front)
}

func (r *run) mustHaveRoom() {
	r.t.Helper()
	eventually(r.t, "an object is copied", func() bool { return r.isKept(r.origin.url + "/after-the-disk-was-full") })
}

// diskConfig is the configuration of a process that keeps copies on a disk.
func (s *site) diskConfig() string {
	return lab.Config{
		Lines: []string{
			"listen: " + strings.TrimPrefix(s.disk.front, "http://"), "data_dir: '" + s.disk.data + "'",
			"admin_tokens_file: '" + s.path("etc/cloudmirror/tokens") + "'",
		},
		Services: []lab.Service{{
			Name: "s3", Allow: lab.AllowOrigin(s.origin.url), Lines: []string{"wait: 3s"}, Backends: [][2]string{{near, "{type: file}"}},
		}},
	}.String()
}
