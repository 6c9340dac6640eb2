package clients_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
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

// fetchScript is the script under test.
const fetchScript = "../../deploy/client/cloudmirror-fetch"

// A shell runs the script.
type shell struct {
	command []string // what reads the script
	path    string   // its PATH
}

// shells returns dash, busybox with nothing but its own programs and curl, and
// dash on a machine that has shasum instead of sha256sum.
func shells(t *testing.T) map[string]shell {
	t.Helper()
	require(t, "dash", "-c", "exit 0")
	require(t, "busybox", "sh", "-c", "exit 0")
	require(t, "curl", "--version")
	require(t, "shasum", "--version")
	applets, perl := t.TempDir(), t.TempDir()
	run(t, applets, "busybox", "--install", "-s", applets)
	link(t, applets, "curl")
	link(t, perl, "awk", "base64", "cat", "curl", "cut", "dash", "head", "mkdir", "mv", "rm", "sed", "shasum", "sort", "tail", "tr", "uniq", "wc")
	return map[string]shell{
		"dash":    {[]string{"dash"}, os.Getenv("PATH")},
		"busybox": {[]string{"busybox", "sh"}, applets},
		"shasum":  {[]string{"dash"}, perl},
	}
}

// link makes dir hold programs of this machine.
func link(t *testing.T, dir string, programs ...string) {
	t.Helper()
	for _, program := range programs {
		path, err := exec.LookPath(program)
		if err != nil {
			t.Fatal(err)
		}
		_ = os.Remove(filepath.Join(dir, program)) // busybox may have one
		if err := os.Symlink(path, filepath.Join(dir, program)); err != nil {
			t.Fatal(err)
		}
	}
}

// A fetched is what a run of the script ended with.
type fetched struct {
	status         int
	stdout, stderr string
	dir            string
}

// process returns the script as a command that reads list and works in dir.
func (s shell) process(t *testing.T, dir, list string, args ...string) *exec.Cmd {
	t.Helper()
	script, err := filepath.Abs(fetchScript)
	if err != nil {
		t.Fatal(err)
	}
	interpreter, err := exec.LookPath(s.command[0])
	if err != nil {
		t.Fatal(err)
	}
	words := append(append(append([]string{}, s.command[1:]...), script), args...)
	c := exec.CommandContext(t.Context(), interpreter, append(words, "-")...)
	c.Dir, c.Stdin = dir, strings.NewReader(list)
	c.Env = []string{"PATH=" + s.path, "HOME=" + dir, "LC_ALL=C.UTF-8", "no_proxy=*"}
	return c
}

// fetch runs the script with a list on its standard input, in a new directory.
func (s shell) fetch(t *testing.T, list string, args ...string) fetched {
	t.Helper()
	return s.fetchInto(t, t.TempDir(), list, args...)
}

func (s shell) fetchInto(t *testing.T, dir, list string, args ...string) fetched {
	t.Helper()
	c := s.process(t, dir, list, args...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".cloudmirror-fetch*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
	return fetched{c.ProcessState.ExitCode(), stdout.String(), stderr.String(), dir}
}

// want checks the exit status and the last line.
func (f fetched) want(t *testing.T, status int, summary string) {
	t.Helper()
	if f.status != status || f.stdout != "cloudmirror: "+summary+"\n" {
		t.Errorf("exit status %d, %q; want %d, %q\n%s", f.status, f.stdout, status, summary, f.stderr)
	}
}

// holds checks that files hold what they should; nil: that there is no such file.
func (f fetched) holds(t *testing.T, files map[string][]byte) {
	t.Helper()
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(f.dir, name))
		if want == nil && !os.IsNotExist(err) || want != nil && (err != nil || !bytes.Equal(got, want)) {
			t.Errorf("%s holds %.40q, %v; want %.40q\n%s", name, got, err, want, f.stderr)
		}
	}
}

func sha256Of(content string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content))) }

// redirects returns what the script takes for -m.
func redirects(server string) string { return "http://" + server + "/v1/redirect/s3/us-east-1" }

func TestFetchNamesAndVerifiesFiles(t *testing.T) {
	for name, sh := range shells(t) {
		t.Run(name, func(t *testing.T) {
			origin := startOrigin(t, map[string][]byte{
				"/a/tool-1.0%2Bcpu.gz": []byte("plus"), "/b?sig=s3cret/x.y": []byte("signed"), "/empty": {},
				"/c/-rf": []byte("dash"), "/c/$(id)'~*": []byte("odd"), "/d/[1].gz": []byte("brackets"),
			})
			list := "# a comment\n\n" +
				origin + "/a/tool-1.0%2Bcpu.gz " + sha256Of("plus") + "\r\n" +
				origin + "/b?sig=s3cret/x.y\t" +
				fmt.Sprintf("sha512:%X", sha512.Sum512([]byte("signed"))) + "  some dir/two  words ü \n" +
				origin + "/empty#fragment\n" + origin + "/c/-rf\n" + origin + "/c/$(id)'~*\n" +
				origin + "/d/[1].gz ./sha256:odd" // without a line break
			files := map[string][]byte{
				"tool-1.0%2Bcpu.gz": []byte("plus"), "some dir/two  words ü": []byte("signed"), "empty": {},
				"-rf": []byte("dash"), "$(id)'~*": []byte("odd"), "sha256:odd": []byte("brackets"),
			}
			front := servers.StartCloudmirror(t, binary, origin)
			for _, summary := range []string{"0 hits, 6 misses, 25 B, saved $0.00", "6 hits, 0 misses, 25 B, saved $0.03"} {
				got := sh.fetch(t, list, "-v", "-p", "1200000", "-m", redirects(front))
				got.want(t, 0, summary)
				got.holds(t, files)
				if strings.Contains(got.stderr, "s3cret") {
					t.Errorf("a secret was printed:\n%s", got.stderr)
				}
			}
			got := sh.fetch(t, list, "-o", "-into/this")
			got.want(t, 0, "0 hits, 0 misses, 6 from the origin, 25 B, saved $0.00")
			got.dir += "/-into/this"
			got.holds(t, files)
		})
	}
}

func TestFetchAHundredFiles(t *testing.T) {
	objects, files, list := make(map[string][]byte), make(map[string][]byte), new(strings.Builder)
	for i := range 100 {
		objects[fmt.Sprintf("/%d", i)] = bytes.Repeat([]byte{byte(i)}, 10_000+i)
	}
	origin := startOrigin(t, objects)
	for target, content := range objects {
		fmt.Fprintf(list, "%s%s sha256:%x\n", origin, target, sha256.Sum256(content))
		files[target[1:]] = content
	}
	front := servers.StartCloudmirror(t, binary, origin)
	counts := []string{"0 hits, 100 misses", "100 hits, 0 misses", "100 hits, 0 misses"}
	for name, sh := range shells(t) {
		got := sh.fetch(t, list.String(), "-j", "8", "-m", redirects(front))
		got.want(t, 0, counts[0]+", 1.0 MB, saved $0.00")
		got.holds(t, files)
		counts = counts[1:]
		t.Log(name, got.stdout)
	}
}

// A mirror that is down, or fails, costs no file.
func TestFetchFallsBackToTheOrigin(t *testing.T) {
	origin := startOrigin(t, map[string][]byte{"/1": []byte("1"), "/2": []byte("2"), "/3": []byte("3"), "/4": []byte("4"), "/5": []byte("5")})
	var list strings.Builder
	for i := range 5 {
		fmt.Fprintf(&list, "%s/%d?s3cret %s\n", origin, i+1, sha256Of(fmt.Sprint(i+1)))
	}
	lists := strings.ReplaceAll(list.String(), "?s3cret", "")
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer failing.Close()
	strange := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/copy") {
			_, _ = w.Write([]byte("not what it was")) // the client may go
			return
		}
		w.Header().Set("Cache-Status", "cloudmirror; hit; ttl=5")
		http.Redirect(w, r, "/copy", http.StatusFound)
	}))
	defer strange.Close()
	refused := httptest.NewServer(http.NotFoundHandler())
	refused.Close()
	for name, sh := range shells(t) {
		for mirror, test := range map[string]struct {
			url, complaint string
			times          int // that the mirror is asked, or is thought to be
		}{
			"down":        {refused.URL, "curl: (7)", 3},
			"failing":     {failing.URL, "503", 5},
			"wrong bytes": {strange.URL, "the digest sha256 is not that of the list", 5},
			"not allowed": {"http://" + servers.StartCloudmirror(t, binary, "http://127.0.0.1:1"), "403", 5},
		} {
			t.Run(name+"/"+mirror, func(t *testing.T) {
				got := sh.fetch(t, lists, "-j", "1", "-m", test.url+"/v1/redirect/s3/us-east-1/")
				got.want(t, 0, "0 hits, 0 misses, 5 from the origin, 5 B, saved $0.00")
				got.holds(t, map[string][]byte{"1": []byte("1"), "5": []byte("5")})
				if n := strings.Count(got.stderr, "through the mirror"); n != test.times || strings.Count(got.stderr, test.complaint) != n {
					t.Errorf("the mirror was asked %d times, want %d:\n%s", n, test.times, got.stderr)
				}
			})
		}
	}
}

// What failed is not there, and everything else is.
func TestFetchFailures(t *testing.T) {
	origin := startOrigin(t, map[string][]byte{"/right": []byte("right"), "/wrong": []byte("wrong")})
	front := servers.StartCloudmirror(t, binary, origin)
	unreachable := httptest.NewServer(http.NotFoundHandler())
	unreachable.Close()
	list := origin + "/wrong?s3cret " + sha256Of("right") + "\n" + origin + "/wrong " + sha256Of("right") + "\n" + // the first is a 404
		origin + "/none?s3cret\n" + origin + "/right directory\n" + origin + "/right below/old/it\n" + unreachable.URL + "/x?s3cret\n" + origin + "/right"
	list = strings.Replace(list, "/wrong?s3cret "+sha256Of("right"), "/wrong?s3cret also", 1)
	for name, sh := range shells(t) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, old := range []string{"wrong", "none", "below/old", "x", "directory/stays"} {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, old)), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, old), []byte("old"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got := sh.fetchInto(t, dir, list, "-j", "3", "-m", redirects(front))
			if want := regexp.MustCompile(`^cloudmirror: [01] hits?, [01] miss(es)?, 6 failed, 5 B, saved \$0\.00\n$`); got.status != 1 || !want.MatchString(got.stdout) {
				t.Errorf("exit status %d, %q\n%s", got.status, got.stdout, got.stderr)
			}
			got.holds(t, map[string][]byte{"wrong": nil, "also": nil, "none": nil, "x": nil, "right": []byte("right"), "directory/stays": []byte("old"), "below/old": []byte("old")})
			for _, complaint := range []string{
				origin + "/wrong: the digest sha256 is not that of the list", origin + "/none: curl: (22) The requested URL returned error: 404",
				origin + "/right: cannot write directory\n", origin + "/right: cannot write below/old/it\n", unreachable.URL + "/x: curl: (7)",
			} {
				if !strings.Contains(got.stderr, complaint) {
					t.Errorf("no %q in:\n%s", complaint, got.stderr)
				}
			}
			if strings.Contains(got.stderr, "s3cret") {
				t.Errorf("a secret was printed:\n%s", got.stderr)
			}
		})
	}
}

// A list or a command line that is wrong downloads nothing.
func TestFetchRefuses(t *testing.T) {
	const url = "https://origin.invalid/tool.gz?s3cret"
	all := shells(t)
	digest := sha256Of("")
	for name, test := range map[string]struct{ args, list, complaint string }{
		"no list":                {"-x", url, "try -h"},
		"a mirror without a way": {"-m https://mirror.example.com", url, "-m must be a URL such as"},
		"no downloads at a time": {"-j 0", url, "-j must be a number from 1 to 64, not 0"},
		"a price in words":       {"-p cheap", url, "-p must be a number"},
		"another digest":         {"", url + " md5:d41d8cd98f00b204e9800998ecf8427e", "line 1: a digest is sha256:HEX or sha512:HEX"},
		"a bare digest":          {"", "\n" + url + " " + digest[len("sha256:"):], "line 2: write a digest as sha256:HEX"},
		"a short digest":         {"", url + " " + digest[:20], "line 1: a digest sha256 has 64 digits, not 13"},
		"a digest of letters":    {"", url + " sha256:" + strings.Repeat("g", 64), "hexadecimal digits only"},
		"another scheme":         {"", "file:///etc/passwd?s3cret", "line 1: a URL begins with http:// or https://"},
		"an option as a URL":     {"", "-K/etc/passwd", "line 1: a URL begins with http:// or https://"},
		"a user name":            {"", "https://user:s3cret@origin.invalid/tool", "line 1: a URL must not have a user name"},
		"a quote":                {"", `https://origin.invalid/"s3cret`, "line 1: a URL must be ASCII"},
		"no file name":           {"", "https://origin.invalid/?s3cret", "line 1: this URL has no file name"},
		"no path":                {"", "https://origin.invalid", "line 1: this URL has no file name"},
		"a file elsewhere":       {"", url + " ../tool", "line 1: FILE must be a path below"},
		"a file at the top":      {"", url + " /etc/tool", "line 1: FILE must be a path below"},
		"dots in a URL":          {"", "https://origin.invalid/a/..?s3cret", "line 1: FILE must be a path below"},
		"a directory":            {"", url + " tools/", "line 1: FILE must be a path below"},
		"one file twice":         {"", url + "\n" + url + "2", "two lines write the same file: tool.gz"},
	} {
		for shellName, sh := range all {
			t.Run(name+"/"+shellName, func(t *testing.T) {
				got := sh.fetch(t, "https://origin.invalid/good\n"+test.list+"\n", strings.Fields(test.args)...)
				complaint := strings.NewReplacer("line 1", "line 2", "line 2", "line 3").Replace(test.complaint)
				if got.status != 2 || got.stdout != "" || !strings.Contains(got.stderr, complaint) || strings.Contains(got.stderr, "s3cret") {
					t.Errorf("exit status %d, %q; want 2 and %q\n%s", got.status, got.stdout, complaint, got.stderr)
				}
				if files, err := os.ReadDir(got.dir); err != nil || len(files) > 0 {
					t.Errorf("there is %v, %v", files, err)
				}
			})
		}
	}
}
