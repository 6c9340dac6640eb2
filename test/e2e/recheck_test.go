package e2e_test

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"cloudmirror/origin/origintest"
	"cloudmirror/test/servers"
)

const lostSize = 100

// removeCopy removes a copy from its storage, unknown to cloudmirror.
func (d *deployment) removeCopy(location string) {
	d.t.Helper()
	u, err := url.Parse(location)
	if err != nil {
		d.t.Fatal(err)
	}
	if d.parts.s3 != nil {
		bucket, key, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
		if _, err := d.parts.s3.Client().DeleteObject(d.t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: &key}); err != nil {
			d.t.Fatal(err)
		}
		return
	}
	hash := strings.Split(strings.TrimPrefix(u.Path, "/objects/e2e/"+region+"/"), "/")[0]
	err = filepath.WalkDir(filepath.Join(filepath.Dir(d.config), "data", "objects"), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.Contains(path, hash) {
			err = os.Remove(path)
		}
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	if a := d.must(http.MethodGet, location, nil); a.status != http.StatusNotFound {
		d.t.Fatalf("after its removal, the copy answers %d", a.status)
	}
}

// metric returns the sum of a metric of the i-th front end, over all lines that begin
// like this.
func (d *deployment) metric(i int, begin string) (sum float64) {
	d.t.Helper()
	for line := range strings.Lines(d.must(http.MethodGet, d.frontends[i]+"/metrics", nil).body) {
		if strings.HasPrefix(line, begin) {
			var n float64
			if _, err := fmt.Sscan(line[strings.LastIndex(line, " ")+1:], &n); err != nil {
				d.t.Fatal(err)
			}
			sum += n
		}
	}
	return sum
}

const rechecks = `cloudmirror_rechecks_total{region="` + region + `",result=`

// A copy that storage lost is redirected to until a front end looks again behind a hit.
// Then it is made again.
func TestStorageLosesACopy(t *testing.T) {
	for name, storage := range map[string]string{"files": "file", "S3": "s3", "S3 with signed links": "s3, presign: true"} {
		t.Run(name, func(t *testing.T) {
			p := parts{}
			if storage != "file" {
				p.s3 = servers.StartVersityGW(t, region)
			}
			d := newDeployment(t, p, "memory", "memory", storage, "wait: 10s", "recheck: 1s")
			d.start("serve")
			d.origin.Set("/lost", origintest.Behaviour{SizeBytes: lostSize})
			old := d.get("/lost")
			d.removeCopy(old.location)
			d.eventually("the copy is made again", func() bool {
				a := d.get("/lost")
				if !d.isCopy(a) {
					t.Fatalf("a client got %d to %q, %s", a.status, a.location, a.header.Get("Cache-Status"))
				}
				return d.must(http.MethodGet, a.location, nil).body == string(origintest.Bytes("/lost", lostSize))
			})
			if n := d.metric(0, rechecks+`"gone"`); n != 1 {
				t.Errorf("%v copies were found gone, want 1", n)
			}
		})
	}
}

// One front end finds out that a copy is gone, and no other redirects there any more,
// although both had it in memory. A storage that is silent has lost nothing.
func TestNoFrontendRedirectsToWhatStorageLost(t *testing.T) {
	d, _, _ := newCluster(t, "wait: 0s", "recheck: 1s", "negative_ttl: 1s")
	d.origin.Set("/lost", origintest.Behaviour{SizeBytes: lostSize})
	var old answer
	for i := range d.frontends {
		before := d.nearHits(i)
		d.eventually("the copy is in memory", func() bool {
			old = d.must(http.MethodGet, d.redirectURL(i, "/lost"), nil)
			return d.isCopy(old) && d.nearHits(i) > before
		})
	}
	d.parts.s3.Stop()
	d.eventually("a look fails", func() bool {
		d.get("/lost")
		return d.metric(0, rechecks+`"failed"`) > 0
	})
	d.parts.s3.Continue()
	d.eventually("clients are sent to the copy again", func() bool { return d.isCopy(d.get("/lost")) })
	if n := d.metric(0, rechecks+`"gone"`); n != 0 {
		t.Errorf("a silent storage was taken for one that lost %v copies", n)
	}

	d.origin.Set("/lost", origintest.Behaviour{Status: http.StatusNotFound}) // no new copy yet
	d.removeCopy(old.location)
	d.eventually("the first front end redirects there no more", func() bool { return !d.isCopy(d.get("/lost")) })
	d.eventually("the second one remembers nothing of it", func() bool { return d.metric(1, "cloudmirror_near_cache_entries ") == 0 })
	if a := d.must(http.MethodGet, d.redirectURL(1, "/lost"), nil); d.isCopy(a) {
		t.Errorf("the second front end redirects to %s all the same", a.location)
	}
	d.origin.Set("/lost", origintest.Behaviour{SizeBytes: lostSize})
	d.eventually("the copy is made again", func() bool { return d.isCopy(d.get("/lost")) })
	if got := d.must(http.MethodGet, d.get("/lost").location, nil); got.body != string(origintest.Bytes("/lost", lostSize)) {
		t.Errorf("the new copy answers %d with %d bytes", got.status, len(got.body))
	}
}
