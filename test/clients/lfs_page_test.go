package clients_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const largeContent = "a large file\n"

// prepareLFS makes a repository with a large file, which is served as git's "dumb"
// protocol wants it, and an LFS server of basic transfers.
func prepareLFS(t *testing.T, p *place) {
	oid := fmt.Sprintf("%x", sha256.Sum256([]byte(largeContent)))
	bare, work := t.TempDir(), t.TempDir()
	git := func(dir string, args ...string) {
		c := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com"}, args...)...)
		c.Dir, c.Env = dir, append(os.Environ(), "HOME="+work, "GIT_CONFIG_NOSYSTEM=1")
		if output, err := c.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, output)
		}
	}
	files := &place{dir: work}
	files.makeFile(t, ".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
	files.makeFile(t, "large.bin", fmt.Sprintf("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", oid, len(largeContent)))
	git(work, "init", "-q", "-b", "main")
	git(work, "add", ".") // the filter is not configured in this home
	git(work, "commit", "-q", "-m", "a large file")
	git(bare, "clone", "-q", "--bare", work, ".")
	git(bare, "update-server-info")
	objects := make(map[string][]byte)
	err := filepath.WalkDir(bare, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(bare, path)
		if err == nil {
			objects["/game.git/"+name], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	refs := "/game.git/info/refs"
	objects[refs+"?service=git-upload-pack"] = objects[refs]
	p.origins.add("git.example.com", objects)
	p.origins.add("lfs.example.com", map[string][]byte{"/objects/" + oid: []byte(largeContent)})
	p.origins.addHandler("git.example.com", "/game.git/info/lfs/objects/batch", p.answerBatch)
	p.env = []string{"GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0"}
	p.makeFile(t, ".gitconfig", "")
	c := exec.CommandContext(t.Context(), "git", "lfs", "install", "--skip-repo")
	c.Dir, c.Env = p.dir, append(os.Environ(), "HOME="+p.dir)
	if output, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
}

// answerBatch answers requests of the batch API: each object has a stable address.
func (p *place) answerBatch(w http.ResponseWriter, r *http.Request) {
	type link struct {
		Href string `json:"href"`
	}
	type object struct {
		OID     string          `json:"oid"`
		Size    int64           `json:"size"`
		Actions map[string]link `json:"actions,omitempty"`
	}
	var asked struct {
		Objects []object `json:"objects"`
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for i := range asked.Objects {
		asked.Objects[i].Actions = map[string]link{"download": {p.origins.url + "/lfs.example.com/objects/" + asked.Objects[i].OID}}
	}
	w.Header().Set("Content-Type", "application/vnd.git-lfs+json")
	_ = json.NewEncoder(w).Encode(map[string]any{"transfer": "basic", "objects": asked.Objects}) // the client may go
}

func hasALargeFile(t *testing.T, p *place) {
	t.Helper()
	p.has(t, "game/large.bin", largeContent)
}
