package runbook_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/redis/go-redis/v9"
)

// A fault is what a symptom comes from.
type fault struct {
	make     func(*run)
	isMended func(*run) // fails the test if the symptom is still there
}

// faults are by the titles of the symptoms.
func faults() map[string]fault {
	return map[string]fault{
		"A copy is corrupt":               {corrupt, (*run).mustBeGood},
		"Copies are slow":                 {holdTheHost, (*run).mustBeCopied},
		"The queue grows":                 {fillTheQueue, (*run).mustBeEmpty},
		"No copier":                       {endTheCopier, (*run).mustBeCopied},
		"A region is down":                {killTheStorage, (*run).mustBeCopied},
		"The disk is full":                {fillTheDisk, (*run).mustHaveRoom},
		"Rotate a token":                  {func(*run) {}, (*run).mustRefuseTheOldToken},
		"Clients get the origin":          {refuseTheCopier, (*run).mustBeCopied},
		"Clients get 404 for what exists": {removeTheCopy, (*run).mustBeGood},
		"Clients get 503":                 {killTheStorage, (*run).mustBeCopied},
		"A purge failed in a region":      {killTheStorageOfACopy, (*run).mustBePurged},
		"Redis is down":                   {killRedis, (*run).mustBeHits},
		"Redis refuses writes":            {makeRedisRefuse, (*run).mustBeHits},
		"There are dead letters":          {sendALetter, (*run).mustHaveNoLetters},
	}
}

// corrupt has the object copied to the near region, and changes a byte of the copy.
func corrupt(r *run) {
	r.t.Helper()
	key := r.keyOf(r.copyTo(near))
	r.copyTo(far)
	client := r.s3[near].Client()
	got, err := client.GetObject(r.t.Context(), &s3.GetObjectInput{Bucket: aws.String(r.buckets[near]), Key: &key})
	if err != nil {
		r.t.Fatal(err)
	}
	defer got.Body.Close()
	content, err := io.ReadAll(got.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	content[0] ^= 1
	_, err = client.PutObject(r.t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(r.buckets[near]), Key: &key, Body: strings.NewReader(string(content)), Metadata: got.Metadata,
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// keyOf returns the key of the copy at an address.
func (r *run) keyOf(location string) string {
	return strings.TrimPrefix(location, r.s3[near].Endpoint+"/"+r.buckets[near]+"/")
}

// mustBeGood checks that clients of the near region get the object's bytes.
func (r *run) mustBeGood() {
	r.t.Helper()
	if content := r.fetch(r.copyTo(near)); r.url != r.origin.url+content {
		r.t.Errorf("the copy holds %q", content)
	}
}

func (r *run) mustBeCopied() { r.t.Helper(); r.copyTo(near) }

// fetch returns the body at a URL; "" unless the status is 200.
func (r *run) fetch(url string) string {
	r.t.Helper()
	return r.send(http.MethodGet, url, "", "")
}

// send returns the body of an answer; "" unless the status is 2xx.
func (r *run) send(method, url, token, body string) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), waitLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 300 {
		return ""
	}
	return string(content)
}

// drip answers with a body of 64 KiB for each second, in that time. Once over is
// closed the rest comes at once.
func drip(seconds int, over <-chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		const perTick = 64 << 10 / 4
		w.Header().Set("Content-Length", fmt.Sprint(seconds*4*perTick))
		tick := time.NewTicker(time.Second / 4)
		defer tick.Stop()
		for range seconds * 4 {
			if _, err := w.Write(make([]byte, perTick)); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			select {
			case <-tick.C:
			case <-over:
			case <-r.Context().Done():
				return
			}
		}
	}
}

// holdTheHost has the only copy that may run of the origin take minutes.
func holdTheHost(r *run) {
	r.setCopier("CLOUDMIRROR_LIMITS_COPIES_PER_HOST=1")
	r.origin.set("/large.iso", drip(600, r.t.Context().Done()))
	r.warm(r.origin.url + "/large.iso")
	eventually(r.t, "the large copy runs", r.aCopyRuns)
	eventually(r.t, "the object waits for its host", func() bool {
		return !r.isCopied(near) && strings.Contains(r.fetch(r.admin+"/metrics"), "\ncloudmirror_copies_waiting 1\n")
	})
}

func (r *run) aCopyRuns() bool {
	return strings.Contains(r.fetch(r.admin+"/metrics"), `cloudmirror_copies_running{region="`+near+`",service="s3"} 1`)
}

// setCopier restarts the copier with one setting more than its own.
func (r *run) setCopier(setting string) {
	r.t.Helper()
	r.writeFile("etc/systemd/system/cloudmirror-copier.service.d/test.conf", "[Service]\nEnvironment="+setting+"\n")
	r.restart("cloudmirror-copier")
	r.writeFile("etc/systemd/system/cloudmirror-copier.service.d/test.conf", "[Service]\n") // the page's own settings count from now on
}

// warm has objects copied to the near region.
func (r *run) warm(urls ...string) {
	r.t.Helper()
	body := `{"service":"s3","regions":["` + near + `"],"urls":["` + strings.Join(urls, `","`) + `"]}`
	if r.send(http.MethodPost, r.front+"/v1/warm", token, body) == "" {
		r.t.Fatal("the objects cannot be warmed")
	}
}

// fillTheQueue has 24 objects wait for a copier that makes one copy at a time.
func fillTheQueue(r *run) {
	r.setCopier("CLOUDMIRROR_COPIER_CONCURRENCY=1")
	var urls []string
	for i := range 24 {
		path := fmt.Sprintf("/medium-%d", i)
		r.origin.set(path, drip(2, nil))
		urls = append(urls, r.origin.url+path)
	}
	r.warm(urls...)
	eventually(r.t, "the first copy runs", r.aCopyRuns)
}

func (r *run) mustBeEmpty() {
	r.t.Helper()
	eventually(r.t, "the queue is empty", func() bool {
		near, _, _ := strings.Cut(r.fetch(r.front+"/v1/backends"), "us-east-1")
		return strings.Contains(near, `"ready":0,"delayed":0,"in_flight":0,`)
	})
}

func endTheCopier(r *run) {
	r.mustBeEmpty()
	r.units["cloudmirror-copier"].Terminate() // one that is killed is seen 10 s later: test/e2e
	if r.isCopied(near) {
		r.t.Error("the object is copied without a copier")
	}
	// The server may have handed the job to a connection of the copier that ended.
	eventually(r.t, "the job is ready again", func() bool {
		return strings.Contains(r.fetch(r.front+"/v1/backends"), `"ready":1,"delayed":0,"in_flight":0,`)
	})
}

// killTheStorage ends the S3 server of the near region, and waits until the front
// end knows.
func killTheStorage(r *run) {
	r.s3[near].Kill()
	eventually(r.t, "the front end knows that the region is down", func() bool {
		return !strings.Contains(r.fetch(r.front+"/readyz"), "\ncopies s3/"+near+": ok\n")
	})
}

func killTheStorageOfACopy(r *run) {
	r.copyTo(near)
	killTheStorage(r)
}

func (r *run) mustBePurged() {
	r.t.Helper()
	if state := r.fetch(r.front + "/v1/status/s3/" + near + "/" + r.url); !strings.Contains(state, `"state":"absent"`) {
		r.t.Errorf("the status is %s", state)
	}
}

// refuseTheCopier has the origin refuse the name by which copiers call themselves.
func refuseTheCopier(r *run) {
	path := strings.TrimPrefix(r.url, r.origin.url)
	r.origin.set(path, func(w http.ResponseWriter, request *http.Request) {
		if strings.HasPrefix(request.UserAgent(), "cloudmirror") {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		fmt.Fprint(w, path)
	})
}

func removeTheCopy(r *run) {
	key := r.keyOf(r.copyTo(near))
	if _, err := r.s3[near].Client().DeleteObject(r.t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(r.buckets[near]), Key: &key}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *run) redisClient() *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: r.redis.Addr()})
	r.t.Cleanup(func() { c.Close() })
	return c
}

func killRedis(r *run) {
	r.copyTo(near)
	r.redis.Kill()
	eventually(r.t, "the front end knows that Redis is down", func() bool {
		return !strings.Contains(r.fetch(r.front+"/readyz"), "\ncache: ok\n")
	})
}

// makeRedisRefuse makes Redis a replica of nothing, whose memory is full.
func makeRedisRefuse(r *run) {
	c := r.redisClient()
	for _, command := range [][]any{{"config", "set", "maxmemory", "100kb"}, {"replicaof", "127.0.0.1", "1"}} {
		if err := c.Do(r.t.Context(), command...).Err(); err != nil {
			r.t.Fatal(err)
		}
	}
	if r.isCopied(near) {
		r.t.Error("the object is copied although Redis refuses writes")
	}
}

// mustBeHits checks that clients are sent to copies by what the cache knows.
func (r *run) mustBeHits() {
	r.t.Helper()
	r.copyTo(near)
	if n := r.redisClient().DBSize(r.t.Context()).Val(); n == 0 {
		r.t.Error("Redis knows nothing")
	}
}

// sendALetter has a copy fail five times, and its origin be well after that.
func sendALetter(r *run) {
	failed := 0
	path := strings.TrimPrefix(r.url, r.origin.url)
	r.origin.set(path, func(w http.ResponseWriter, _ *http.Request) { // one at a time: there is one job
		if failed++; failed <= 5 {
			http.Error(w, "no", http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, path)
	})
	eventually(r.t, "there is a letter", func() bool {
		r.location(near)
		return strings.Contains(r.letters(), r.url)
	})
}

func (r *run) letters() string {
	return r.send(http.MethodGet, r.front+"/v1/dead-letters/s3/"+near, token, "")
}

func (r *run) mustHaveNoLetters() {
	r.t.Helper()
	r.copyTo(near)
	if letters := r.letters(); strings.Contains(letters, r.url) {
		r.t.Errorf("there are letters: %s", letters)
	}
}

// mustRefuseTheOldToken checks that the token is refused, and lets it in again for the
// symptoms behind.
func (r *run) mustRefuseTheOldToken() {
	r.t.Helper()
	eventually(r.t, "the old token is refused", func() bool { return r.letters() == "" })
	if n := strings.Count(r.units["cloudmirror-frontend"].Output(), "admin tokens were read again"); n != 2 {
		r.t.Errorf("the tokens were read again %d times: was the front end restarted?", n)
	}
	r.writeFile("etc/cloudmirror/tokens", "ci-1:"+token+"\n")
	r.restart("cloudmirror-frontend") // which is sooner than that it looks at the file
	if r.letters() == "" {
		r.t.Error("the token is not let in again")
	}
}
