package clients_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cloudmirror/test/servers"
)

// A repository of Debian packages with one package, signed with a key of its own.
type repository struct {
	home    string // of gpg
	deb     []byte
	version string
}

const poolName = "/pool/main/t/tool/tool_1.0%2bx_all.deb" // as apt writes the plus

// prepareApt makes an archive and a snapshot, and has apt believe that the
// machine's files are below the place.
func prepareApt(t *testing.T, p *place) { prepareArchive(t, p) }

func prepareArchive(t *testing.T, p *place) repository {
	t.Helper()
	r := newRepository(t, p)
	for host, base := range map[string]string{"deb.example.com": "/debian", "snapshot.example.com": "/archive/20260101T000000Z"} {
		p.origins.add(host, r.publish(t, base))
	}
	for _, name := range []string{
		"etc/apt/apt.conf.d/x", "etc/apt/preferences.d/x", "etc/apt/sources.list.d/x", "etc/apt/trusted.gpg.d/x",
		"var/lib/apt/lists/partial/x", "var/cache/apt/archives/partial/x", "var/lib/dpkg/status",
	} {
		p.makeFile(t, name, "")
	}
	p.makeFile(t, "etc/apt/keyrings/example.asc", run(t, p.dir, "gpg", "--homedir", r.home, "--armor", "--export"))
	p.makeFile(t, "apt.conf", `Dir "`+p.dir+`";
Dir::State::status "`+p.dir+`/var/lib/dpkg/status";
Dir::Log "`+p.dir+`";
APT::Sandbox::User "root";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Get::Download-Only "true";
Acquire::Retries "0";
`)
	p.env = []string{"APT_CONFIG=" + filepath.Join(p.dir, "apt.conf")}
	p.replace = []string{"/etc/apt/", p.dir + "/etc/apt/"}
	return r
}

func hasAPackage(t *testing.T, p *place) {
	t.Helper()
	files, err := filepath.Glob(p.dir + "/var/cache/apt/archives/tool_*.deb")
	if err != nil || len(files) != 1 {
		t.Errorf("apt downloaded %q, %v; want the package", files, err)
	}
}

func newRepository(t *testing.T, p *place) repository {
	t.Helper()
	t.Setenv("SOURCE_DATE_EPOCH", "1767225600") // the package never changes
	home, err := os.MkdirTemp("", "gpg")        //nolint:usetesting // sockets of gpg need a short path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() // it ends by itself without its directory
		_ = os.RemoveAll(home)
	})
	run(t, p.dir, "gpg", "--homedir", home, "--batch", "--passphrase", "", "--quick-generate-key", "archive@example.com", "ed25519", "sign", "never")
	p.makeFile(t, "package/DEBIAN/control", "Package: tool\nVersion: 1.0+x\nArchitecture: all\nMaintainer: A <a@example.com>\nDescription: a tool\n")
	run(t, p.dir, "dpkg-deb", "--build", "package", "tool.deb")
	deb, err := os.ReadFile(filepath.Join(p.dir, "tool.deb"))
	if err != nil {
		t.Fatal(err)
	}
	return repository{home: home, deb: deb, version: "1.0+x"}
}

// publish returns the objects of an archive below base.
func (r repository) publish(t *testing.T, base string) map[string][]byte {
	t.Helper()
	packages := fmt.Sprintf("Package: tool\nVersion: %s\nArchitecture: all\nMaintainer: A <a@example.com>\nDescription: a tool\n"+
		"Filename: %s\nSize: %d\nSHA256: %x\n\n", r.version, strings.Replace(poolName[1:], "%2b", "+", 1), len(r.deb), sha256.Sum256(r.deb))
	index := "main/binary-amd64/Packages"
	release := fmt.Sprintf("Origin: example\nSuite: bookworm\nCodename: bookworm\nDate: Thu, 01 Jan 2026 00:00:00 UTC\n"+
		"Architectures: amd64\nComponents: main\nSHA256:\n %x %d %s\n", sha256.Sum256([]byte(packages)), len(packages), index)
	signed := run(t, t.TempDir(), "gpg", "--homedir", r.home, "--batch", "--armor", "--clear-sign", "--output", "-", write(t, "Release", release))
	return map[string][]byte{
		base + "/dists/bookworm/InRelease": []byte(signed + "\n"), base + "/dists/bookworm/" + index: []byte(packages), base + poolName: r.deb,
	}
}

// An index that changed is seen at once by the mirror list of docs/tools.md, while
// its packages come from the mirror; and indexes are believed for their signature.
func TestAptSeesAChangedIndexThroughAMirrorList(t *testing.T) {
	page := aptExample(t)
	p, r := newAptPlace(t)
	p.run(t, page)
	hasAPackage(t, p)
	r.version = "1.0+x1" // in the index alone
	p.origins.add("deb.example.com", r.publish(t, "/debian"))
	p.run(t, page+"apt-cache policy tool | grep 'Candidate: 1.0+x1$'\n")
}

// A mirror that is down fails no build with such a list.
func TestAptFallsBackToTheArchive(t *testing.T) {
	page := aptExample(t)
	p, _ := newAptPlace(t)
	p.front = "http://127.0.0.2:9" // another address than the archive: apt remembers an address that refuses
	p.run(t, page)
	hasAPackage(t, p)
}

// A changed index without a valid signature is refused.
func TestAptRefusesAnIndexThatWasChangedOnTheWay(t *testing.T) {
	page := aptExample(t)
	p, r := newAptPlace(t)
	const target = "/debian/dists/bookworm/InRelease"
	forged := bytes.Replace(r.publish(t, "/debian")[target], []byte("Suite: bookworm"), []byte("Suite: forged"), 1)
	p.origins.add("deb.example.com", map[string][]byte{target: forged})
	p.run(t, strings.Replace(page, "apt-get update\n", "if apt-get update --error-on=any; then exit 1; else exit 0; fi\n", 1))
}

// aptExample returns the page's example of a mirror list.
func aptExample(t *testing.T) string {
	t.Helper()
	for _, command := range fixtures()["apt"].needs {
		require(t, command...)
	}
	page := readPage(t)
	for _, e := range page {
		if e.section == "apt" && strings.Contains(e.text, "mirror+file:") {
			return page[0].text + e.text
		}
	}
	t.Fatal("docs/tools.md has no mirror list")
	return ""
}

func newAptPlace(t *testing.T) (*place, repository) {
	t.Helper()
	origins := startOrigins(t)
	p := &place{dir: t.TempDir(), origins: origins, front: "http://" + servers.StartCloudmirror(t, binary, origins.url)}
	return p, prepareArchive(t, p)
}
