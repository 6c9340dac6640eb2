// Package clients_test asks the real program as real clients do: curl, wget, pip
// and Chromium. A client that is missing skips its tests, but not in CI.
package clients_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"cloudmirror/test/servers"
)

// binary is the path of the program under test, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(servers.RunWithProgram(m, &binary)) }

// require skips the test if a client is not installed: if this command fails.
func require(t *testing.T, command ...string) {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput()
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatalf("%v: %v\n%s\nto install it: scripts/deps clients", command, err, output)
	default:
		t.Skipf("!!! NOT TESTED: %v: %v; to install it: scripts/deps clients", command, err)
	}
}

// run runs a command in a directory and returns what it prints.
func run(t *testing.T, dir string, command ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), command[0], command[1:]...)
	c.Dir = dir
	c.Env = append(os.Environ(), "no_proxy=*", "NO_PROXY=*")
	var complaints bytes.Buffer
	c.Stderr = &complaints
	output, err := c.Output()
	if err != nil {
		t.Fatalf("%q: %v\n%s%s", command, err, output, complaints.Bytes())
	}
	return strings.TrimSpace(string(output))
}

// startOrigin starts an origin that knows exactly these request targets.
func startOrigin(t *testing.T, objects map[string][]byte) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, ok := objects[r.RequestURI]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		_, _ = w.Write(content) // the copier may go
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// rewrite returns the redirect URL that the program prints.
func rewrite(t *testing.T, front, url string) string {
	t.Helper()
	return run(t, t.TempDir(), binary, "rewrite", "--server", "http://"+front, url)
}

func TestCurlAndWgetSaveASensibleName(t *testing.T) {
	const path, content = "/releases/tool-1.0%2Bcpu.tar.gz", "the bytes"
	origin := startOrigin(t, map[string][]byte{path + "?sig=a/b": []byte(content)})
	url := rewrite(t, servers.StartCloudmirror(t, binary, origin), origin+path+"?sig=a/b")
	for client, command := range map[string][]string{"curl": {"curl", "-sSfLO"}, "wget": {"wget", "-q"}} {
		t.Run(client, func(t *testing.T) {
			require(t, client, "--version")
			dir := t.TempDir()
			run(t, dir, append(command, url)...)
			got, err := os.ReadFile(filepath.Join(dir, "tool-1.0+cpu.tar.gz"))
			if err != nil || string(got) != content {
				files, _ := filepath.Glob(filepath.Join(dir, "*"))
				t.Errorf("%q, %v; there is %q", got, err, files)
			}
		})
	}
}

// wheel returns a wheel whose module says which one it is.
func wheel(t *testing.T, name, version, says string) []byte {
	t.Helper()
	var file bytes.Buffer
	archive := zip.NewWriter(&file)
	info := name + "-" + version + ".dist-info/"
	for _, member := range [][2]string{
		{name + ".py", "print('" + says + "')\n"},
		{info + "METADATA", "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n"},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{info + "RECORD", name + ".py,,\n" + info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n"},
	} {
		w, err := archive.CreateHeader(&zip.FileHeader{Name: member[0]}) // stored, so that its digest never changes
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(member[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// install has pip install something and returns what the module says.
func install(t *testing.T, module string, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	pip := []string{
		"python3", "-m", "pip", "--isolated", "--disable-pip-version-check", "--no-cache-dir",
		"install", "-q", "--no-index", "--no-deps", "--no-compile", "--target", dir,
	}
	run(t, dir, append(pip, args...)...)
	return run(t, dir, "python3", module+".py")
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// In links of a page, pip writes the colon of a URL in a path as %3A, and leaves
// the query where it is. Two queries are two wheels.
func TestPipInstallsTheWheelOfItsQuery(t *testing.T) {
	require(t, "python3", "-m", "pip", "--version")
	const file = "tool-1.0-py3-none-any.whl"
	origin := startOrigin(t, map[string][]byte{
		"/" + file: wheel(t, "tool", "1.0", "none"), "/" + file + "?rev=1": wheel(t, "tool", "1.0", "one"), "/" + file + "?rev=2": wheel(t, "tool", "1.0", "two"),
	})
	base := "http://" + servers.StartCloudmirror(t, binary, origin) + "/v1/redirect/s3/us-east-1/"
	for query, want := range map[string]string{"?rev=1": "one", "?rev=2": "two"} {
		page := write(t, "links.html", `<!DOCTYPE html><a href="`+base+origin+"/"+file+query+`">`+file+`</a>`)
		if got := install(t, "tool", "--find-links", page, "tool"); got != want {
			t.Errorf("a link with the query %q installed wheel %s, want %s", query, got, want)
		}
	}
	for query, want := range map[string]string{"?": "none", "?rev=2": "two"} {
		encoded := base + strings.Replace(origin, ":", "%3A", 1) + "/" + file + query
		if got := install(t, "tool", "-r", write(t, "requirements.txt", "tool @ "+encoded+"\n")); got != want {
			t.Errorf("a requirement with the query %q installed wheel %s, want %s", query, got, want)
		}
	}
}

// An origin may know the plus of a local version in one spelling only.
func TestPipInstallsALocalVersion(t *testing.T) {
	require(t, "python3", "-m", "pip", "--version")
	const path = "/whl/torch-1.0%2Bcpu-py3-none-any.whl"
	origin := startOrigin(t, map[string][]byte{path: wheel(t, "torch", "1.0+cpu", "local")})
	url := rewrite(t, servers.StartCloudmirror(t, binary, origin), origin+path)
	page := write(t, "links.html", `<!DOCTYPE html><a href="`+url+`">torch</a>`)
	for how, args := range map[string][]string{"a URL": {url}, "a link": {"--find-links", page, "torch==1.0+cpu"}} {
		if got := install(t, "torch", args...); got != "local" {
			t.Errorf("%s installed %q", how, got)
		}
	}
}

// readmePrograms are, by the language of a block of README.md, a file for the block
// and what surrounds it, and the command that prints what its function makes of the
// last argument.
var readmePrograms = map[string]struct {
	file, text string
	command    []string
}{
	"python": {"f.py", "%s\nimport sys\nprint(mirrored(sys.argv[1]))", []string{"python3", "f.py"}},
	"sh":     {"f.sh", "%s\nmirrored \"$1\"", []string{"bash", "f.sh"}},
	"js":     {"f.js", "%s\nconsole.log(mirrored(process.argv[2]))", []string{"node", "f.js"}},
	"go": {
		"f.go", "package main\nimport (\"encoding/base64\"; \"fmt\"; \"os\"; \"strings\")\n%s\nfunc main() { fmt.Println(mirrored(os.Args[1])) }",
		[]string{"go", "run", "-cover=false", "f.go"}, // of the coverage of the product it is no part
	},
}

// What README.md tells to write is what `rewrite` prints, for names with a dot;
// others are left away there, and long ones cut elsewhere.
func TestFunctionsOfTheReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	const front = "127.0.0.1:8080"
	for language, program := range readmePrograms {
		t.Run(language, func(t *testing.T) {
			require(t, "sh", "-c", "command -v "+program.command[0])
			found := regexp.MustCompile("(?s)```" + language + "\n([^`]*mirrored.*?)```").FindSubmatch(text)
			if found == nil {
				t.Fatal("README.md has no such function")
			}
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, program.file), fmt.Appendf(nil, program.text, found[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			for url, want := range map[string]string{ // a name; otherwise what rewrite prints
				"https://example.com/a/tool-1.0+cpu.tar.gz": "rewrite", "https://example.com/tool.gz?sig=/x.y": "rewrite",
				"https://example.com/a/tool?x=~~~": "", "https://example.com/": "", "https://example.com/a.b/": "",
				"https://example.com/" + strings.Repeat("%E4%B8%AD", 40) + ".pdf": "/" + (strings.Repeat("%E4%B8%AD", 40) + ".pdf")[40*9+4-255:],
			} {
				got := run(t, dir, append(program.command, url)...)
				if want == "rewrite" {
					want = rewrite(t, front, url)
				} else {
					target := rewrite(t, front, url)
					want = target[:strings.LastIndexByte(target, '/')] + want
				}
				if back := run(t, dir, binary, "rewrite", "--decode", got); got != want || back != url {
					t.Errorf("%s: %s, want %s; it is %s", url, got, want, back)
				}
			}
		})
	}
}
