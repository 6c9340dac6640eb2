package clients_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloudmirror/test/servers"
)

// An example is a fenced block of docs/tools.md.
type example struct{ section, language, text string }

// A fixture is what the examples of a section need.
type fixture struct {
	needs   [][]string               // commands that succeed where the programs are installed
	prepare func(*testing.T, *place) // called once for each example
	check   func(*testing.T, *place) // called after each example, which exited with 0
	direct  string                   // a pattern of what clients have to ask the origin for by themselves
}

// A place is where one example runs: a directory that is its home, too.
type place struct {
	dir     string
	origins *origins
	front   string   // URL
	env     []string // in addition
	replace []string // old and new parts of the example, in turn
	page    []example
}

// fixtures are by the headings of docs/tools.md.
func fixtures() map[string]fixture {
	return map[string]fixture{
		"curl":    {needs: [][]string{{"curl", "--version"}, {"sha256sum", "--version"}}, check: holdsATool},
		"wget":    {needs: [][]string{{"wget", "--version"}}, check: holdsATool},
		"aria2":   {needs: [][]string{{"aria2c", "--version"}}, check: holdsATool},
		"pip":     {needs: [][]string{{"python3", "-m", "pip", "--version"}}, prepare: preparePip, check: importsATool},
		"apt":     {needs: [][]string{{"apt-get", "--version"}, {"gpg", "--version"}, {"dpkg-deb", "--version"}}, prepare: prepareApt, check: hasAPackage, direct: `^/deb\.example\.com/debian/dists/`},
		"npm":     {needs: [][]string{{"npm", "--version"}}, prepare: prepareNpm, check: hasAModule},
		"cargo":   {needs: [][]string{{"sh", "-c", `cargo --version | awk '{ split($2, v, "."); exit !(v[1] > 1 || v[2] >= 68) }'`}, {"nginx", "-v"}}, prepare: prepareCargo, check: hasACrate, direct: `^/(index\.crates\.io|crates\.example\.com)/`},
		"Go":      {needs: [][]string{{"go", "version"}}, prepare: prepareGo, check: hasModules},
		indexes:   {needs: [][]string{{"apt-get", "--version"}, {"gpg", "--version"}, {"dpkg-deb", "--version"}, {"python3", "-m", "pip", "--version"}, {"nginx", "-v"}}, prepare: func(t *testing.T, p *place) { prepareIndexes(t, p) }, check: hasAPackageOrATool, direct: `^/(deb\.example\.com/debian/dists|pypi\.org/simple)/`},
		"git-lfs": {needs: [][]string{{"git", "--version"}, {"git", "lfs", "version"}}, prepare: prepareLFS, check: hasALargeFile, direct: `^/git\.example\.com/`},
	}
}

// readPage returns the examples of docs/tools.md; the first is what all others
// begin with.
func readPage(t *testing.T) []example {
	t.Helper()
	text, err := os.ReadFile("../../docs/tools.md")
	if err != nil {
		t.Fatal(err)
	}
	var examples []example
	section := ""
	for _, found := range regexp.MustCompile("(?ms)^(?:#+ ([^\n]*)|```([a-z]+)\n(.*?)```)$").FindAllStringSubmatch(string(text), -1) {
		if found[1] != "" {
			section = found[1]
		} else {
			examples = append(examples, example{section, found[2], found[3]})
		}
	}
	return examples
}

// TestToolsPage runs each example of docs/tools.md. Hosts are replaced, and where
// a fixture says so, folders; nothing else is.
func TestToolsPage(t *testing.T) {
	page, all := readPage(t), fixtures()
	origins := startOrigins(t)
	front := "http://" + servers.StartCloudmirror(t, binary, origins.url)
	for section := range all {
		if !slices.ContainsFunc(page, func(e example) bool { return e.section == section && e.language == "sh" }) {
			t.Errorf("docs/tools.md has no example below %q", section)
		}
	}
	for i, e := range page {
		if i == 0 || e.language != "sh" {
			continue
		}
		t.Run(fmt.Sprintf("%s %d", e.section, i), func(t *testing.T) {
			fixture, known := all[e.section]
			if !known {
				t.Fatalf("nothing is known of %q: the example is not tested:\n%s", e.section, e.text)
			}
			for _, command := range fixture.needs {
				require(t, command...)
			}
			p := &place{dir: t.TempDir(), origins: origins, front: front, page: page}
			origins.add("releases.example.com", map[string][]byte{
				"/tool-1.0.tar.gz": []byte("tool 1.0\n"), "/data-1.bin": []byte("one"), "/data-2.bin": []byte("two"),
			})
			if fixture.prepare != nil {
				fixture.prepare(t, p)
			}
			origins.forget()
			p.run(t, page[0].text+e.text)
			fixture.check(t, p)
			origins.checkDirect(t, fixture.direct)
		})
	}
}

// fill replaces hosts, and what the fixture says.
func (p *place) fill(text string) string {
	text = strings.NewReplacer(append([]string{"https://mirror.example.com", p.front}, p.replace...)...).Replace(text)
	return regexp.MustCompile(`https://([a-z.]+\.(?:com|org|io)\b)`).ReplaceAllString(text, p.origins.url+"/$1")
}

// run runs a script, and fails the test if a command of it fails.
func (p *place) run(t *testing.T, script string) {
	t.Helper()
	client, err := filepath.Abs("../../deploy/client")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute) // apt waits for ever if no mirror of a list fits
	defer cancel()
	c := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", p.fill(script))
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that what it started ends with it
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.Dir = p.dir
	c.Env = append(os.Environ(), "HOME="+p.dir, "no_proxy=*", "NO_PROXY=*", "PATH="+filepath.Dir(binary)+":"+client+":"+os.Getenv("PATH"))
	c.Env = append(c.Env, p.env...)
	output, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, p.fill(script), output)
	}
	t.Logf("%s", output)
}

// has checks the content of a file below the place.
func (p *place) has(t *testing.T, name, want string) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil || string(got) != want {
		t.Errorf("%s holds %.60q, %v; want %.60q", name, got, err, want)
	}
}

// makeFile makes a file below the place.
func (p *place) makeFile(t *testing.T, name, content string) {
	t.Helper()
	file := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// holdsATool checks that an example downloaded the tool, or else both files of
// data.
func holdsATool(t *testing.T, p *place) {
	t.Helper()
	for _, name := range []string{"tool-1.0.tar.gz", "tool.tar.gz", "vendor/tool-1.0.tar.gz"} {
		if _, err := os.Stat(filepath.Join(p.dir, name)); err == nil {
			p.has(t, name, "tool 1.0\n")
			return
		}
	}
	p.has(t, "data-1.bin", "one")
	p.has(t, "data-2.bin", "two")
}

// Where curl -L is told, -f is told: without it our 404 is saved as the file, and
// curl exits with 0.
func TestDocumentsTellCurlToFail(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, "../../README.md", "../../deploy/README.md", "../../deploy/kubernetes/README.md", "../../cmd/cloudmirror/root.go")
	told := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, options := range regexp.MustCompile(`\bcurl((?: -[A-Za-z]+)+)`).FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(options[1], "L") {
				told++
				if !strings.Contains(options[1], "f") {
					t.Errorf("%s: curl%s: without -f a 404 is saved as the file", file, options[1])
				}
			}
		}
	}
	if told < 5 {
		t.Errorf("only %d examples of curl -L were found", told)
	}
}

// What the page says of a 404: with -f, and by wget, aria2 and pip, it is a
// failure that leaves no file.
func TestA404IsAFailure(t *testing.T) {
	origin := startOrigin(t, nil)
	url := rewrite(t, servers.StartCloudmirror(t, binary, origin), origin+"/none-1.0.tar.gz")
	for name, test := range map[string]struct {
		command []string
		fails   bool
	}{
		"curl -f":        {[]string{"curl", "-fsSLO"}, true},
		"curl without":   {[]string{"curl", "-sSLO"}, false}, // why there is -f
		"wget":           {[]string{"wget", "-nv"}, true},
		"aria2":          {[]string{"aria2c"}, true},
		"python3 -m pip": {[]string{"python3", "-m", "pip", "download", "--no-index", "--no-deps"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			require(t, test.command[0], "--version")
			dir := t.TempDir()
			c := exec.CommandContext(t.Context(), test.command[0], append(test.command[1:], url)...)
			c.Dir = dir
			err := c.Run()
			files, globErr := filepath.Glob(filepath.Join(dir, "*"))
			if globErr != nil || (err != nil) != test.fails || (len(files) == 0) != test.fails {
				t.Errorf("%v, and there is %q; fails: %v", err, files, test.fails)
			}
		})
	}
}
