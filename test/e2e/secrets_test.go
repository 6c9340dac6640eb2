package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cloudmirror"
	"cloudmirror/origin/origintest"
	"cloudmirror/test/servers"
)

// Secrets that are planted where a deployment has them. None may be found in
// what operators, monitoring and clients without a token get to see.
const (
	redisSecret  = "planted-redis-password"
	awsSecret    = "planted-aws-secret-key"
	tokenSecret  = "planted-admin-token-0123"
	wrongSecret  = "planted-wrong-token-0123"
	urlSecret    = "planted-signature%2Fof+a%20url" // what origins repeat, they repeat in many forms
	targetSecret = "planted-location-signature"
	headerSecret = "planted-header-of-a-service"
)

func TestSecretsAreShownNowhere(t *testing.T) {
	redis := servers.StartRedis(t, "--requirepass", redisSecret)
	d := &deployment{t: t, origin: origintest.Start(t), config: filepath.Join(t.TempDir(), "cloudmirror.yaml"), env: []string{
		"AWS_ACCESS_KEY_ID=planted", "AWS_SECRET_ACCESS_KEY=" + awsSecret, "AWS_EC2_METADATA_DISABLED=true",
	}}
	text := fmt.Sprintf(`
data_dir: '%s'
admin_tokens: ['%s']
log: {level: debug}
cache: {type: redis, redis: {url: 'redis://:%s@%s/0'}}
services:
  e2e:
    allow: ['^http://127\.0\.0\.1:[0-9]+/']
    allow_addresses: ['127.0.0.0/8']
    ports: []
    wait: 3s
    headers: {Authorization: 'Bearer %s'}
    backends:
      eu-west-1: {storage: {type: file}}
      dead: {storage: {type: s3, bucket: copies, endpoint: 'http://127.0.0.1:%s', path_style: true}}
`, filepath.Join(t.TempDir(), "data"), tokenSecret, redisSecret, redis.Addr(), headerSecret, servers.FreePort(t))
	if err := os.WriteFile(d.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := d.start("serve")

	d.origin.Set("/gone", origintest.Behaviour{Status: http.StatusNotFound})
	d.origin.Set("/broken", origintest.Behaviour{Status: http.StatusInternalServerError})
	d.origin.Set("/cut", origintest.Behaviour{SizeBytes: 1000, CutAfter: 10, NoETag: true})
	d.origin.Set("/moved", origintest.Behaviour{Redirect: "/gone?to=" + targetSecret})
	d.origin.Set("/away", origintest.Behaviour{Redirect: "http://10.0.0.1/x?to=" + targetSecret})
	d.origin.Set("/odd", origintest.Behaviour{Redirect: "http://[bad/?to=" + targetSecret})
	d.origin.Set("/digest", origintest.Behaviour{SizeBytes: 1000, Digests: []string{"sha-256"}, WrongDigest: true})
	d.origin.Set("/echo", origintest.Behaviour{Redirect: "/gone/" + headerSecret}) // what it was sent
	d.origin.Set("/gone/"+headerSecret, origintest.Behaviour{Status: http.StatusNotFound})
	paths := []string{"/fine", "/echo", "/gone", "/broken", "/cut", "/moved", "/away", "/odd", "/digest"}
	var seen []string // what strangers get to see beside the answers to their own URLs
	for _, path := range paths {
		o := d.origin.Object(t, path+"?sig="+urlSecret)
		for _, region := range []string{"eu-west-1", "dead"} {
			id := cloudmirror.BackendID{Service: "e2e", Region: region}
			a := d.must(http.MethodGet, o.RedirectURL(d.frontends[0], id), nil)
			withoutOwn := strings.ReplaceAll(a.location+a.body, o.URL(), "")
			seen = append(seen, "redirect of "+path, withoutOwn)
		}
		status := d.frontends[0] + "/v1/status/e2e/eu-west-1/" + o.Target()
		seen = append(seen, "status of "+path, strings.ReplaceAll(d.must(http.MethodGet, status, nil).body, o.URL(), ""))
		for _, secret := range []string{tokenSecret, wrongSecret} {
			purge := d.frontends[0] + "/v1/purge/e2e/eu-west-1/" + o.Target()
			seen = append(seen, "purge of "+path, d.must(http.MethodDelete, purge, http.Header{"Authorization": {"Bearer " + secret}}).body)
		}
	}
	for path, answer := range echoes() {
		d.origin.Set(path, origintest.Behaviour{Raw: answer})
		o := d.origin.Object(t, path+"?sig="+urlSecret)
		d.must(http.MethodGet, o.RedirectURL(d.frontends[0], cloudmirror.BackendID{Service: "e2e", Region: "eu-west-1"}), nil)
		status := d.frontends[0] + "/v1/status/e2e/eu-west-1/" + o.Target()
		cause := d.must(http.MethodGet, status, http.Header{"Authorization": {"Bearer " + tokenSecret}}).body
		seen = append(seen, "status with a token of "+path, strings.ReplaceAll(cause, o.URL(), ""))
	}
	redis.Kill() // what follows fails
	d.must(http.MethodGet, d.redirectURL(0, "/new?sig="+urlSecret), nil)
	for _, path := range []string{"/metrics", "/v1/backends", "/readyz", "/status", "/openapi.json"} {
		seen = append(seen, path, d.must(http.MethodGet, d.frontends[0]+path, nil).body)
	}
	for _, args := range [][]string{{"config", "print"}, {"config", "check"}, {"config", "check", "--json"}} {
		command := exec.CommandContext(t.Context(), binary, append(args, "--config", d.config)...)
		command.Env = append(os.Environ(), d.env...)
		output, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, output)
		}
		seen = append(seen, strings.Join(args, " "), string(output))
	}
	p.Terminate()
	seen = append(seen, "the log", p.Output())

	if !strings.Contains(p.Output(), `"redirect"`) {
		t.Error("the log is not that of the debug level: this test looks for secrets in vain")
	}
	for line := range strings.Lines(p.Output()) {
		if !strings.HasPrefix(line, "{") {
			t.Errorf("a line of the log is not of our form: %s", line)
		}
	}
	for i := 0; i+1 < len(seen); i += 2 {
		for _, secret := range []string{redisSecret, awsSecret, tokenSecret, wrongSecret, "planted-signature", "of+a", "of%20a", "of a%20", "of a url", targetSecret, headerSecret} {
			if j := strings.Index(seen[i+1], secret); j >= 0 {
				t.Errorf("%s shows %s: …%s…", seen[i], secret, seen[i+1][max(0, j-300):min(len(seen[i+1]), j+100)])
			}
		}
	}
}

// echoes are answers that repeat the secret of their URL in all places that errors
// quote, by path.
func echoes() map[string]string {
	decoded := "planted-signature/of a url"
	answers := map[string]string{"/unasked": "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + urlSecret}
	for form, secret := range map[string]string{
		"raw": urlSecret, "decoded": decoded, "query": url.QueryEscape(decoded), "path": url.PathEscape(decoded),
		"lower": strings.ToLower(url.QueryEscape(decoded)), "twice": url.QueryEscape(urlSecret),
	} {
		for place, answer := range map[string]string{
			"header": "HTTP/1.1 200 OK\r\n%s\r\n\r\n", "status": "HTTP/1.1 %s\r\n\r\n", "version": "%s 200 OK\r\n\r\n",
			"length":   "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n",
			"coding":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n",
			"trailer":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n%s\r\n\r\n",
			"location": "HTTP/1.1 302 Found\r\nLocation: /%s?status=404\r\n\r\n",
			"hop":      "HTTP/1.1 302 Found\r\nLocation: /x?status=404&to=%%2F%s\r\n\r\n",
			"host":     "HTTP/1.1 302 Found\r\nLocation: http://%s.invalid/\r\n\r\n",
		} {
			answers["/"+place+"-"+form] = fmt.Sprintf(answer, secret)
		}
	}
	return answers
}
