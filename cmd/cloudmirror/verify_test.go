package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/storage"
	"cloudmirror/storage/filestore"
)

const (
	verifyURL  = "https://example.com/file?a=b"
	verifyText = "the bytes of the copy, of which one will be another"
)

// storeCopy makes a copy in the file storage of the working directory, and
// returns the path of its file.
func storeCopy(t *testing.T, region, url string, generation cloudmirror.Generation, expires time.Time) (path string) {
	t.Helper()
	dir := filepath.Join("data", "objects", "s3", region)
	files, err := filestore.New(filestore.Options{Dir: dir, PublicURL: "http://files.test/"})
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	object, err := cloudmirror.ParseLegacyObject(url)
	if err != nil {
		t.Fatal(err)
	}
	before := make(map[string]bool)
	for _, file := range copies(t, dir) {
		before[file] = true
	}
	_, err = files.Put(t.Context(), object.StorageKey(generation), strings.NewReader(verifyText), storage.PutOptions{
		SizeBytes: int64(len(verifyText)), ExpiresAt: expires,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range copies(t, dir) {
		if !before[file] {
			path = file
		}
	}
	return path
}

// copies returns the files below a directory.
func copies(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// flip changes one bit of the copy's bytes.
func flip(t *testing.T, path string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(content, []byte(verifyText)) {
		t.Fatalf("%s holds %q, error %v", path, content, err)
	}
	content[bytes.Index(content, []byte(verifyText))+7] ^= 1
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func sumOf(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

func TestVerifyTellsGoodFromDamagedFromAbsent(t *testing.T) {
	w := newWorld(t)
	storeCopy(t, "us-east-1", verifyURL, cloudmirror.FirstGeneration, time.Time{})
	flip(t, storeCopy(t, "us-east-1", "https://example.com/bad", cloudmirror.FirstGeneration, time.Time{}))
	storeCopy(t, "us-east-1", "https://example.com/old", cloudmirror.FirstGeneration, time.Now().Add(-time.Hour))

	got := w.run(t.Context(), "verify", verifyURL, "https://example.com/none", "https://example.com/old")
	want := result{stdout: fmt.Sprintf("good     %s in s3/us-east-1: %d bytes, sha256 %s\n", verifyURL, len(verifyText), sumOf(verifyText)) +
		"absent   https://example.com/none in s3/us-east-1\nabsent   https://example.com/old in s3/us-east-1\n"}
	if got != want {
		t.Errorf("%+v\nis not %+v", got, want)
	}
	w.stdin = "https://example.com/bad\n" + verifyURL + "\n"
	got = w.run(t.Context(), "verify", "-")
	if got.status != exitFailed || !strings.HasPrefix(got.stdout, "damaged  https://example.com/bad in s3/us-east-1: ") || !strings.Contains(got.stdout, "\ngood ") ||
		got.stderr != "cloudmirror: https://example.com/bad: in s3/us-east-1: "+errDamaged.Error()+"\n" {
		t.Errorf("%+v", got)
	}
	got = w.run(t.Context(), "verify", "--json", "https://example.com/bad")
	var line verified
	if err := json.Unmarshal([]byte(strings.Split(got.stdout, "\n")[0]), &line); err != nil || line.State != "damaged" ||
		line.SHA256 != sumOf(verifyText) || len(line.Found) != 64 || line.Found == line.SHA256 || *line.FoundBytes != int64(len(verifyText)) || line.Purged {
		t.Errorf("%+v, error %v, from %s", line, err, got.stdout)
	}
}

// The copy of an earlier generation, damaged or not, is nobody's.
func TestVerifyReadsTheCurrentGeneration(t *testing.T) {
	w := newWorld(t)
	flip(t, storeCopy(t, "us-east-1", verifyURL, cloudmirror.FirstGeneration, time.Time{}))
	object, err := cloudmirror.ParseObject(verifyURL)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filestore.New(filestore.Options{Dir: filepath.Join("data", "objects", "s3", "us-east-1"), PublicURL: "http://files.test/"})
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	generation := cloudmirror.NewGeneration()
	if _, err := files.Put(t.Context(), object.MarkerKey(), strings.NewReader(string(generation)), storage.PutOptions{SizeBytes: -1}); err != nil {
		t.Fatal(err)
	}
	if got := w.run(t.Context(), "verify", verifyURL); got.status != exitOK || !strings.HasPrefix(got.stdout, "absent ") {
		t.Errorf("%+v", got)
	}
	storeCopy(t, "us-east-1", verifyURL, generation, time.Time{})
	if got := w.run(t.Context(), "verify", verifyURL); got.status != exitOK || !strings.HasPrefix(got.stdout, "good ") {
		t.Errorf("%+v", got)
	}
}

func TestVerifyPurgesWhatIsDamaged(t *testing.T) {
	w, server := newWorld(t), newFakeServer(t)
	write(t, "mirror.yaml", "services:\n  s3:\n    allow: ['^https://']\n    backends:\n"+
		"      us-east-1: {storage: {type: file}}\n      eu-west-1: {storage: {type: file}}\n")
	flip(t, storeCopy(t, "eu-west-1", verifyURL, cloudmirror.FirstGeneration, time.Time{}))
	storeCopy(t, "us-east-1", verifyURL, cloudmirror.FirstGeneration, time.Time{})
	args := []string{"verify", "--config", "mirror.yaml", "--region", "*", "--purge", "--server", server.URL, "--json", verifyURL}
	if got := w.run(t.Context(), args...); got.status != exitUsage || !strings.Contains(got.stderr, "a token is needed") {
		t.Errorf("without a token: %+v", got)
	}
	got := w.run(t.Context(), append(args, "--token", fakeToken)...)
	if got.status != exitFailed || !strings.Contains(got.stdout, `"region":"us-east-1","state":"good"`) ||
		!strings.Contains(got.stdout, `"purged":true`) || !strings.Contains(got.stderr, errPurged.Error()) {
		t.Errorf("%+v", got)
	}
	if log := server.log(); len(log) != 1 || log[0] != "DELETE /v1/purge/s3/eu-west-1/"+fileTarget+" Bearer "+fakeToken {
		t.Errorf("requests %q, want a purge of the damaged copy alone", log)
	}
	got = w.run(t.Context(), append(args, "--token", "wrong")...)
	if got.status != exitFailed || !strings.Contains(got.stderr, "it could not be purged: Unauthorized") || strings.Contains(got.stdout, "purged") {
		t.Errorf("with a wrong token: %+v", got)
	}
}

func TestVerifyWithoutItsStorage(t *testing.T) {
	w := newWorld(t)
	got := w.run(t.Context(), "verify", verifyURL)
	if got.status != exitFailed || !strings.Contains(got.stderr, "open the files of backend s3/us-east-1") || got.stdout != "" {
		t.Errorf("without files: %+v", got)
	}
	if _, err := os.Stat("data"); !os.IsNotExist(err) {
		t.Errorf("a directory was made: %v", err)
	}
	if got := w.run(t.Context(), "verify", "--region", "mars", verifyURL); got.status != exitFailed || !strings.Contains(got.stderr, "no backend s3/mars") {
		t.Errorf("an unknown region: %+v", got)
	}
	if got := w.run(t.Context(), "verify", "--service", "s4", "--region", "*", verifyURL); got.status != exitUsage || !strings.Contains(got.stderr, "does not know service s4") {
		t.Errorf("an unknown service: %+v", got)
	}
}
