package app_test

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"cloudmirror/test/servers"
)

// editCORS changes the bucket's one CORS rule.
func (w *ward) editCORS(edit func(*types.CORSRule)) {
	w.Helper()
	out, err := w.s3.Client().GetBucketCors(w.Context(), &s3.GetBucketCorsInput{Bucket: &w.bucket})
	if err != nil {
		w.Fatal(err)
	}
	edit(&out.CORSRules[0])
	_, err = w.s3.Client().PutBucketCors(w.Context(), &s3.PutBucketCorsInput{Bucket: &w.bucket, CORSConfiguration: &types.CORSConfiguration{CORSRules: out.CORSRules}})
	if err != nil {
		w.Fatal(err)
	}
}

// throughCDN has clients come by a CDN that leaves a header of answers out.
func (w *ward) throughCDN(leavesOut string) {
	w.Helper()
	target, err := url.Parse(w.s3.Endpoint + "/" + w.bucket)
	if err != nil {
		w.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:        func(p *httputil.ProxyRequest) { p.SetURL(target) },
		ModifyResponse: func(r *http.Response) error { r.Header.Del(leavesOut); return nil },
	}
	w.storage += ", access: public, public_url: '" + serveHTTP(w.T, proxy.ServeHTTP) + "'"
}

// TestDoctorAsksAsAPageDoes, where a service has cors.
func TestDoctorAsksAsAPageDoes(t *testing.T) {
	server := servers.StartVersityGW(t, "eu-west-1")
	const pages = "\n    cors: ['https://app.example.com']"
	for name, test := range map[string]struct {
		before, after func(*ward)
		want          []string
	}{
		"no fault":               {before: func(w *ward) { w.service += pages }},
		"it was not provisioned": {after: func(w *ward) { w.service += pages }, want: []string{"copy-cors", "cors-missing"}},
		"the rule hides which range it is": {
			before: func(w *ward) { w.service += pages },
			after:  func(w *ward) { w.editCORS(func(r *types.CORSRule) { r.ExposeHeaders = []string{"ETag"} }) },
			want:   []string{"copy-cors", "cors-differs"},
		},
		"the rule lists sites, which a browser that was redirected does not name": {
			before: func(w *ward) { w.service += pages },
			after: func(w *ward) {
				w.editCORS(func(r *types.CORSRule) { r.AllowedOrigins = []string{"https://app.example.com"} })
			},
			want: []string{"copy-cors", "cors-differs"},
		},
		"ranges need leave and have none": {
			before: func(w *ward) { w.service += pages },
			after:  func(w *ward) { w.editCORS(func(r *types.CORSRule) { r.AllowedHeaders = nil }) },
			want:   []string{"copy-cors", "cors-differs"},
		},
		"a CDN lets no page in": {
			before: func(w *ward) { w.service += pages },
			after:  func(w *ward) { w.throughCDN("Access-Control-Allow-Origin") }, want: []string{"copy-cors"},
		},
		"a CDN that passes all on": {
			before: func(w *ward) { w.service += pages },
			after:  func(w *ward) { w.throughCDN("X-Nothing") },
		},
		"nobody asks for pages": {after: func(w *ward) { w.throughCDN("Access-Control-Allow-Origin") }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWard(t, server)
			if test.before != nil {
				test.before(w)
			}
			w.provision()
			if test.after != nil {
				test.after(w)
			}
			// versitygw has no lifecycle rules, which is said every time.
			if got := slices.DeleteFunc(w.diagnose(), func(id string) bool { return id == "lifecycle-manual" }); !slices.Equal(got, test.want) {
				t.Errorf("findings %v, want %v", got, test.want)
			}
		})
	}
}
