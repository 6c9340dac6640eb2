package main

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/storage"
)

const purgedURL = "https://example.com/file?a=b"

// The next command asks the server that this one asked, also where the configuration
// names it.
func TestPurgesNextCommandAsksTheSameServer(t *testing.T) {
	w, server := newWorld(t), newFakeServer(t)
	server.down["eu-west-2"] = true
	file := filepath.Join(t.TempDir(), "my mirror.yaml")
	write(t, file, "public_url: "+server.URL+"\nservices: {s3: {allow: [\"^https://\"], backends: {eu-west-2: {storage: {type: file}}}}}\n")
	got := w.run(t.Context(), "purge", "--config", file, "--token", fakeToken, purgedURL)
	if want := "next: cloudmirror purge --config '" + file + "' --service s3 --region eu-west-2 'URL'\n"; !strings.HasSuffix(got.stdout, want) {
		t.Errorf("%+v, want %s", got, want)
	}
}

func TestPurgeSaysWhatHappenedInEachRegion(t *testing.T) {
	w, server := newWorld(t), newFakeServer(t)
	w.environ = []string{"CLOUDMIRROR_TOKEN=" + fakeToken}
	server.copies["eu-west-1/"+fileTarget] = json.RawMessage(`{}`)
	server.down["eu-west-2"] = true
	args := []string{"purge", "--server", server.URL, "--region", "*", purgedURL}
	got := w.run(t.Context(), args...)
	want := result{
		status: exitFailed,
		stdout: "purged " + purgedURL + " from s3/eu-west-1\n" +
			"failed: " + purgedURL + " in s3/eu-west-2: it is down\n  next: cloudmirror purge --server " + server.URL + " --service s3 --region eu-west-2 'URL'\n" +
			"nothing there: " + purgedURL + " in s3/us-east-1\n",
		stderr: "cloudmirror: https://example.com/file?…: not purged in eu-west-2\n",
	}
	if got != want {
		t.Errorf("%+v\nis not %+v", got, want)
	}
	got = w.run(t.Context(), append(args, "--json")...)
	if got.status != exitFailed || strings.Count(got.stdout, "\n") != 1 || !strings.Contains(got.stdout, `"purged":false,"regions":[`) || !strings.Contains(got.stdout, `"cause":"it is down","next":"cloudmirror purge `) {
		t.Errorf("as JSON: %+v", got)
	}
	server.down["eu-west-2"] = false
	got = w.run(t.Context(), append(args, "--json")...)
	if got.status != exitAbsent || got.stderr != "" || !strings.Contains(got.stdout, `"purged":false`) {
		t.Errorf("with nothing there: %+v", got)
	}
	server.copies["us-east-1/"+fileTarget] = json.RawMessage(`{}`)
	if got := w.run(t.Context(), append(args, "https://example.com/other")...); got.status != exitAbsent || !strings.HasSuffix(got.stdout, "nothing there: https://example.com/other in s3/us-east-1\n") {
		t.Errorf("with one of two: %+v", got)
	}
}

func TestPurgeOnAnOlderServer(t *testing.T) {
	w, server := newWorld(t), newFakeServer(t)
	w.environ = []string{"CLOUDMIRROR_TOKEN=" + fakeToken}
	server.isOld = true
	if got := w.run(t.Context(), "purge", "--server", server.URL, purgedURL); got.status != exitOK || !strings.HasPrefix(got.stdout, "purged "+purgedURL+" from s3/us-east-1; the server is of an older release") {
		t.Errorf("%+v", got)
	}
	address := "https://bucket.test/" + sumOf(purgedURL) + "/0/file"
	if got := w.run(t.Context(), "purge", "--server", server.URL, address); got.status != exitFailed || !strings.Contains(got.stderr, "give the origin's URL") || got.stdout != "" {
		t.Errorf("a copy's address: %+v", got)
	}
}

// redirects returns URLs by which a server is asked for purgedURL, in every form.
func redirects(server string) []string {
	base := server + "/v1/redirect/s3/us-east-1/"
	return []string{
		base + fileTarget + "/file", base + fileTarget, base + fileTarget + "?wait=0", base + purgedURL, base + "https:/example.com/file?a=b",
		base + url.QueryEscape(purgedURL), base + "https%3A//example.com%2Ffile%3Fa=b", strings.Replace(base, "http://", "HTTP://", 1) + fileTarget,
	}
}

func TestCommandsTakeRedirectURLs(t *testing.T) {
	w, server := newWorld(t), newFakeServer(t)
	write(t, "several.yaml", strings.ReplaceAll(severalYAML, "media", "s3"))
	w.environ = []string{"CLOUDMIRROR_TOKEN=" + fakeToken}
	storeCopy(t, "us-east-1", purgedURL, cloudmirror.FirstGeneration, time.Time{})
	for _, raw := range redirects(server.URL) {
		for command, wants := range map[string][]string{
			"purge":   {"nothing there: " + purgedURL + " in s3/us-east-1\n", "DELETE /v1/purge/s3/us-east-1/" + fileTarget},
			"status":  {purgedURL + " in s3/us-east-1\n  state          absent\n", "GET /v1/status/s3/us-east-1/" + fileTarget},
			"rewrite": {server.URL + "/v1/redirect/s3/us-east-1/" + fileTarget + "/file\n", ""},
			"verify":  {"good     " + purgedURL + " in s3/us-east-1: ", ""},
		} {
			got := w.run(t.Context(), command, "--config", "several.yaml", "--server", server.URL, raw) // with two services, of which one has two regions
			if !strings.HasPrefix(got.stdout, wants[0]) || got.stderr != "" || got.status != exitOK && command != "purge" {
				t.Errorf("%s %s: %+v", command, raw, got)
			}
			if log := strings.Join(server.log(), " "); !strings.HasPrefix(log, wants[1]) || wants[1] == "" && log != "" {
				t.Errorf("%s %s: requests %s", command, raw, log)
			}
		}
		// The flags win.
		got := w.run(t.Context(), "rewrite", "--config", "several.yaml", "--server", server.URL, "--region", "eu-west-1", raw)
		if got.stdout != server.URL+"/v1/redirect/s3/eu-west-1/"+fileTarget+"/file\n" {
			t.Errorf("to another region: %+v", got)
		}
	}
}

func TestCommandsRefuseWhatIsAnothers(t *testing.T) {
	w, server := newWorld(t), newFakeServer(t)
	w.environ = []string{"CLOUDMIRROR_TOKEN=" + fakeToken}
	for raw, want := range map[string]string{
		"https://other.test/v1/redirect/s3/us-east-1/" + fileTarget:      "the URL is one of another mirror: --server https://other.test asks that one, and `cloudmirror rewrite --decode` prints the origin's",
		server.URL + "/v1/redirect/pkg/us-east-1/" + fileTarget:          "the URL is one of the service pkg, and --service says s3",
		server.URL + "/v1/redirect/s3/us-east-1/" + fileTarget[:9] + "/": "the URL is one of this mirror, and no redirect's: give it whole, or the origin's",
	} {
		for _, command := range []string{"purge", "status", "verify", "rewrite"} {
			got := w.run(t.Context(), command, "--server", server.URL, "--service", "s3", "--region", "us-east-1", raw)
			if got.status != exitFailed || !strings.Contains(got.stderr, want) || got.stdout != "" {
				t.Errorf("%s %s: %+v", command, raw, got)
			}
		}
	}
	if log := server.log(); len(log) != 0 {
		t.Errorf("requests %q", log)
	}
}

func TestCommandsTakeCopyAddresses(t *testing.T) {
	w, server := newWorld(t), newFakeServer(t)
	write(t, "several.yaml", strings.ReplaceAll(severalYAML, "media", "s3"))
	w.environ = []string{"CLOUDMIRROR_TOKEN=" + fakeToken}
	flip(t, storeCopy(t, "us-east-1", purgedURL, cloudmirror.FirstGeneration, time.Time{}))
	object, err := cloudmirror.ParseObject(purgedURL)
	if err != nil {
		t.Fatal(err)
	}
	key := storage.EscapeKey(object.StorageKey(cloudmirror.FirstGeneration))
	served, inBucket := server.URL+"/objects/s3/us-east-1/"+key, "https://bucket.s3.us-east-1.amazonaws.com/pre/"+key
	for _, address := range []string{served, inBucket, inBucket + "?X-Amz-Signature=abc"} {
		region := []string{"--region", "us-east-1", "--service", "s3"}
		if address == served {
			region = nil // it is in the address
		}
		run := func(command string) result {
			return w.run(t.Context(), append([]string{command, "--config", "several.yaml", "--server", server.URL, address}, region...)...)
		}
		// The server is the one that tells what the address is.
		sent := base64.RawURLEncoding.EncodeToString([]byte(address))
		for command, want := range map[string]string{"purge": "DELETE /v1/purge/s3/us-east-1/" + sent, "status": "GET /v1/status/s3/us-east-1/" + sent} {
			run(command)
			if log := server.log(); len(log) != 1 || !strings.HasPrefix(log[0], want) {
				t.Errorf("%s %s: requests %q", command, address, log)
			}
		}
		shown, _, _ := strings.Cut(address, "?")
		if got := run("verify"); got.status != exitFailed || !strings.HasPrefix(got.stdout, "damaged  "+shown+" in s3/us-east-1: ") {
			t.Errorf("verify %s: %+v", address, got)
		}
	}
	if got := w.run(t.Context(), "rewrite", "--server", server.URL, served); got.status != exitFailed || !strings.Contains(got.stderr, "the URL is a copy's address") {
		t.Errorf("rewrite: %+v", got)
	}
	if got := w.run(t.Context(), "purge", "--config", "several.yaml", "--server", server.URL, "--service", "s3", inBucket); got.status != exitUsage || !strings.Contains(got.stderr, "--region must say which one") {
		t.Errorf("without a region: %+v", got)
	}
}
