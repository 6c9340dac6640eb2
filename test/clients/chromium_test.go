package clients_test

import (
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudmirror/test/lab"
	"cloudmirror/test/servers"
)

// A fetch is what the script of a page asks for.
type fetch struct {
	URL  string         `json:"url"`
	Init map[string]any `json:"init"`
}

// Range, a simple one, is sent without a preflight, If-None-Match with one.
func ranged(target string) fetch {
	return fetch{target, map[string]any{"headers": map[string]string{"Range": "bytes=0-3"}}}
}

func conditional(target string) fetch {
	return fetch{target, map[string]any{"headers": map[string]string{"If-None-Match": `"another"`}}}
}

// pageWithScript asks for what its fragment lists, one after the other, and shows
// what the script may read.
const pageWithScript = `<!DOCTYPE html><pre id="read"></pre><script>
const read = async ({url, init}) => {
	try {
		const r = await fetch(url, init)
		const names = ["ETag", "Content-Range", "Cache-Status"].filter(name => r.headers.get(name))
		return [r.status, ...names, (await r.text()).slice(0, 4)].join(" ")
	} catch (e) {
		return e.name
	}
}
(async () => {
	const all = []
	for (const f of JSON.parse(decodeURIComponent(location.hash.slice(1)))) all.push(await read(f))
	document.getElementById("read").textContent = JSON.stringify(all)
})()
</script>`

// startSite starts a site with one page, and returns its origin.
func startSite(t *testing.T) string {
	t.Helper()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, pageWithScript) // the browser may go
	}))
	t.Cleanup(site.Close)
	return site.URL
}

// browse opens the page of a site in Chromium, and returns what its script could
// read of each thing that it asks for.
func browse(t *testing.T, site string, fetches []fetch) []string {
	t.Helper()
	asked, err := json.Marshal(fetches)
	if err != nil {
		t.Fatal(err)
	}
	// Virtual time stands still while a request is under way.
	document := run(t, t.TempDir(), "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server",
		"--user-data-dir="+t.TempDir(), "--virtual-time-budget=60000", "--dump-dom", site+"/#"+url.PathEscape(string(asked)))
	found := regexp.MustCompile(`(?s)<pre id="read">(.*?)</pre>`).FindStringSubmatch(document)
	var read []string
	if len(found) < 2 || json.Unmarshal([]byte(html.UnescapeString(found[1])), &read) != nil {
		t.Fatalf("the page became:\n%s", document)
	}
	return read
}

// startForPages starts the program with services that let in every site, one site
// and none. Each has a region of files and one of a bucket, which is provisioned.
func startForPages(t *testing.T, origin, site string) (front string) {
	t.Helper()
	bucket := servers.StartVersityGW(t, "eu-west-1")
	front = "127.0.0.1:" + servers.FreePort(t)
	c := lab.Config{Lines: []string{"listen: " + front, "data_dir: " + t.TempDir()}}
	for name, cors := range map[string]string{"every": `"*"`, "one": `["` + site + `"]`, "none": `[]`} {
		c.Services = append(c.Services, lab.Service{Name: name, Allow: lab.AllowOrigin(origin), Lines: []string{"cors: " + cors}, Backends: [][2]string{
			{"files", "{type: file}"}, {"bucket", bucket.Storage("copies", "prefix: "+name+"/")},
		}})
	}
	file := write(t, "cloudmirror.yaml", c.String())
	t.Setenv("AWS_ACCESS_KEY_ID", bucket.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", bucket.SecretKey)
	run(t, t.TempDir(), binary, "provision", "--config", file)
	servers.Start(t, lab.IsReady(front), nil, binary, "serve", "--config", file)
	return front
}

// A browser follows the redirect to files of the same server, and to a bucket on
// another, for which it names no site.
func TestScriptsOfPagesReadCopies(t *testing.T) {
	require(t, "chromium", "--version")
	origin := startOrigin(t, map[string][]byte{"/data.bin": []byte("0123456789")})
	page, other := startSite(t), startSite(t)
	front := "http://" + startForPages(t, origin, page)
	copyOf := func(service, region string) string {
		return front + "/v1/redirect/" + service + "/" + region + "/" + origin + "/data.bin"
	}
	const part, whole, unread = "206 ETag Content-Range 0123", "200 ETag 0123", "TypeError"
	tests := []struct {
		what                string
		fetch               fetch
		fromPage, fromOther string
	}{
		{"files, every site", ranged(copyOf("every", "files")), part, part},
		{"a bucket, every site", ranged(copyOf("every", "bucket")), part, part},
		{"files, every site, with a preflight", conditional(copyOf("every", "files")), whole, whole},
		{"a bucket, every site, with a preflight", conditional(copyOf("every", "bucket")), whole, whole},
		{"files, one site", ranged(copyOf("one", "files")), part, unread},
		{"a bucket, one site", ranged(copyOf("one", "bucket")), part, unread},
		{"files, one site, with a preflight", conditional(copyOf("one", "files")), whole, unread},
		{"files, no site", ranged(copyOf("none", "files")), unread, unread},
		{"a bucket, no site", ranged(copyOf("none", "bucket")), unread, unread},
		{"with credentials", fetch{copyOf("every", "files"), map[string]any{"credentials": "include"}}, unread, unread},
		{"a refusal", fetch{front + "/v1/redirect/every/files/https://elsewhere.test/x", nil}, `403 Cache-Status {"co`, `403 Cache-Status {"co`},
		{"what is there", fetch{front + "/v1/backends", nil}, unread, unread},
		{"a purge", fetch{strings.Replace(copyOf("every", "files"), "redirect", "purge", 1), map[string]any{"method": "DELETE"}}, unread, unread},
	}
	var fetches []fetch
	want := map[string][]string{}
	for _, tt := range tests {
		fetches = append(fetches, tt.fetch)
		want["page"], want["other"] = append(want["page"], tt.what+": "+tt.fromPage), append(want["other"], tt.what+": "+tt.fromOther)
	}
	for name, site := range map[string]string{"page": page, "other": other} {
		got := browse(t, site, fetches)
		for i := range got {
			got[i] = tests[i].what + ": " + got[i]
		}
		if diff := cmp.Diff(want[name], got); diff != "" {
			t.Errorf("the script of the %s read (-want +got):\n%s", name, diff)
		}
	}
}
