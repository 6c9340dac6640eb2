package frontend

import (
	"net/http"

	"cloudmirror/jobs"
)

// administration looks into single copies, jobs and dead letters, and changes them for
// requests with an admin token.
type administration struct {
	*core
	redirects *redirects // whose answers are explained
	jobs      *jobs.Jobs
}

func newAdministration(c *core, o Options, rd *redirects) *administration {
	return &administration{core: c, redirects: rd, jobs: jobs.New(jobs.Options{Engine: c.engine, Store: o.Records, Logger: c.logger})}
}

func (ad *administration) routes() []route {
	post := []string{http.MethodPost}
	return []route{
		{[]string{http.MethodDelete}, "/v1/purge/*", "/v1/purge/{service}/{region}/{url}", ad.answering(ad.purge)},
		{reading(), "/v1/status/*", "/v1/status/{service}/{region}/{url}", ad.answering(ad.status)},
		{reading(), "/v1/explain/*", "/v1/explain/{service}/{region}/{url}", ad.answering(ad.explain)},
		{post, "/v1/warm", "/v1/warm", ad.answering(ad.warm)},
		{reading(), "/v1/jobs/:id", "/v1/jobs/{id}", ad.answering(ad.job)},
		{reading(), "/v1/dead-letters/:service/:region", "/v1/dead-letters/{service}/{region}", ad.answering(ad.letters)},
		{post, "/v1/dead-letters/:service/:region" + redriveSuffix, "/v1/dead-letters/{service}/{region}/redrive", ad.answering(ad.redriveLetters)},
		{post, "/v1/dead-letters/:service/:region" + dropSuffix, "/v1/dead-letters/{service}/{region}/drop", ad.answering(ad.dropLetters)},
	}
}
