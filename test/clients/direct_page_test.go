package clients_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cloudmirror/test/servers"
)

// indexes is the section of docs/tools.md about `direct`.
const indexes = "Indexes behind the same prefix"

// prepareIndexes starts a mirror with the section's configuration, and what apt and
// pip need to ask it.
func prepareIndexes(t *testing.T, p *place) repository {
	t.Helper()
	r := prepareArchive(t, p)
	env := p.env
	preparePip(t, p)
	p.env = slices.Concat(env, slices.DeleteFunc(p.env, func(variable string) bool { return variable == "PIP_NO_INDEX=1" }))
	p.publishWheel(t, "1.0")

	i := slices.IndexFunc(p.page, func(e example) bool { return e.section == indexes && e.language == "yaml" })
	if i < 0 {
		t.Fatalf("docs/tools.md has no configuration below %q", indexes)
	}
	p.front = "http://127.0.0.1:" + servers.FreePort(t)
	index := "http://" + p.startIndex(t, indexes) + "/"
	p.replace = append(p.replace, "https://pypi.example.com/", index)
	config := strings.NewReplacer(
		`^https://pypi\.example\.com/`, "^"+regexp.QuoteMeta(index),
		"^https://", "^"+regexp.QuoteMeta(p.origins.url)+"/",
		"  s3:\n", "  s3:\n    allow_addresses: ['127.0.0.0/8']\n    ports: []\n",
	).Replace(p.page[i].text)
	listen := strings.TrimPrefix(p.front, "http://")
	servers.StartConfigured(t, binary, listen, "serve", fmt.Sprintf("listen: %s\ndata_dir: '%s'\n%s", listen, t.TempDir(), config))
	return r
}

// publishWheel has PyPI's stand-in know one version of the tool, whose module says
// which it is.
func (p *place) publishWheel(t *testing.T, version string) {
	t.Helper()
	content := wheel(t, "tool", version, version)
	target := "/packages/tool-" + version + "-py3-none-any.whl"
	p.origins.add("files.pythonhosted.org", map[string][]byte{target: content})
	p.origins.add("pypi.org", map[string][]byte{"/simple/tool/": fmt.Appendf(nil, `<!DOCTYPE html><a href="%s/files.pythonhosted.org%s#sha256=%x">tool</a>`,
		p.origins.url, target, sha256.Sum256(content))})
}

// hasAPackageOrATool checks that an example of either program downloaded its tool.
func hasAPackageOrATool(t *testing.T, p *place) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(p.dir, "lib")); err == nil {
		p.says(t, "1.0")
		return
	}
	hasAPackage(t, p)
}

// says checks what the installed module says.
func (p *place) says(t *testing.T, want string) {
	t.Helper()
	if got := run(t, filepath.Join(p.dir, "lib"), "python3", "tool.py"); got != want {
		t.Errorf("the module says %q, want %q", got, want)
	}
}

// Indexes that changed are seen at once through the prefix that packages come by.
func TestIndexesAreFreshBehindOnePrefix(t *testing.T) {
	for _, command := range fixtures()[indexes].needs {
		require(t, command...)
	}
	page := readPage(t)
	p := &place{dir: t.TempDir(), origins: startOrigins(t), page: page}
	r := prepareIndexes(t, p)
	for _, e := range page {
		if e.section == indexes && e.language == "sh" {
			p.run(t, page[0].text+e.text)
		}
	}
	p.says(t, "1.0")
	r.version = "1.0+x1" // in the index alone
	p.origins.add("deb.example.com", r.publish(t, "/debian"))
	p.publishWheel(t, "1.1")
	p.origins.forget()
	for _, e := range page {
		if e.section == indexes && strings.Contains(e.text, "apt-get update") {
			p.run(t, page[0].text+e.text+"apt-cache policy tool | grep 'Candidate: 1.0+x1$'\n")
		} else if e.section == indexes && e.language == "sh" {
			p.run(t, page[0].text+strings.Replace(e.text, "install", "install --upgrade", 1))
		}
	}
	p.says(t, "1.1")
	p.origins.checkDirect(t, fixtures()[indexes].direct)
}
