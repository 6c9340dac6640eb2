package clients_test

import (
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloudmirror/test/lab"
	"cloudmirror/test/servers"
)

const libRs = "pub fn tool() {}\n"

// prepareCargo makes a project whose lockfile names a crate of crates.io, and
// starts the page's nginx in front of an index.
func prepareCargo(t *testing.T, p *place) {
	crate := tarball(t,
		[2]string{"tool-1.0.0/Cargo.toml", "[package]\nname = \"tool\"\nversion = \"1.0.0\"\nedition = \"2021\"\n"}, [2]string{"tool-1.0.0/src/lib.rs", libRs})
	sum := fmt.Sprintf("%x", sha256.Sum256(crate))
	p.origins.add("static.crates.io", map[string][]byte{"/crates/tool/tool-1.0.0.crate": crate})
	p.origins.add("index.crates.io", map[string][]byte{
		"/to/ol/tool":  []byte(`{"name":"tool","vers":"1.0.0","deps":[],"cksum":"` + sum + `","features":{},"yanked":false}` + "\n"),
		"/config.json": []byte(`{"dl":"` + p.origins.url + `/static.crates.io/past-the-mirror"}`),
	})
	p.makeFile(t, "Cargo.toml", "[package]\nname = \"project\"\nversion = \"1.0.0\"\nedition = \"2021\"\n\n[dependencies]\ntool = \"1\"\n")
	p.makeFile(t, "src/lib.rs", "")
	p.makeFile(t, "Cargo.lock", "version = 3\n\n[[package]]\nname = \"project\"\nversion = \"1.0.0\"\ndependencies = [\n \"tool\",\n]\n\n"+
		"[[package]]\nname = \"tool\"\nversion = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \""+sum+"\"\n")
	p.env = []string{"CARGO_HOME=" + filepath.Join(p.dir, "cargo"), "CARGO_NET_RETRY=0"}
	if home, err := os.UserHomeDir(); err == nil { // a cargo of rustup looks there
		p.env = append(p.env, "RUSTUP_HOME="+filepath.Join(home, ".rustup"))
	}
	p.replace = []string{"https://crates.example.com/", "http://" + p.startIndex(t, "cargo") + "/"}
}

// startIndex starts the nginx of a section of the page, and returns its address.
func (p *place) startIndex(t *testing.T, section string) string {
	t.Helper()
	i := slices.IndexFunc(p.page, func(e example) bool { return e.section == section && e.language == "nginx" })
	if i < 0 {
		t.Fatalf("docs/tools.md has no configuration of nginx below %q", section)
	}
	listen := net.JoinHostPort("127.0.0.1", servers.FreePort(t))
	server := strings.Replace(p.fill(p.page[i].text), "listen 8081", "listen "+listen, 1)
	dir := t.TempDir()
	servers.Start(t, lab.Accepts(listen), nil, "nginx", servers.NginxArguments(t, dir, server)...)
	return listen
}

func hasACrate(t *testing.T, p *place) {
	t.Helper()
	files, err := filepath.Glob(p.dir + "/cargo/registry/src/*/tool-1.0.0/src/lib.rs")
	if err != nil || len(files) != 1 {
		t.Fatalf("cargo unpacked %q, %v", files, err)
	}
	name, err := filepath.Rel(p.dir, files[0])
	if err != nil {
		t.Fatal(err)
	}
	p.has(t, name, libRs)
}
