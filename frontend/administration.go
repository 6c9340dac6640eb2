package frontend

import (
	"net/http"

	"cloudmirror/api"
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

func (ad *administration) endpoints() []endpoint {
	post := []string{http.MethodPost}
	const (
		deadLetters         = api.DeadLettersPrefix + ":service/:region"
		deadLettersTemplate = api.DeadLettersPrefix + "{service}/{region}"
	)
	return []endpoint{
		{[]string{http.MethodDelete}, api.PurgePrefix + "*", api.PurgePrefix + objectTemplate, ad.answering(ad.purge)},
		{reading(), api.StatusPrefix + "*", api.StatusPrefix + objectTemplate, ad.answering(ad.status)},
		{reading(), api.ExplainPrefix + "*", api.ExplainPrefix + objectTemplate, ad.answering(ad.explain)},
		{post, api.WarmPath, api.WarmPath, ad.answering(ad.warm)},
		{reading(), api.JobPrefix + ":id", api.JobPrefix + "{id}", ad.answering(ad.job)},
		{reading(), deadLetters, deadLettersTemplate, ad.answering(ad.deadLetters)},
		{post, deadLetters + api.RedriveSuffix, deadLettersTemplate + api.RedriveSuffix, ad.answering(ad.redriveDeadLetters)},
		{post, deadLetters + api.DropSuffix, deadLettersTemplate + api.DropSuffix, ad.answering(ad.dropDeadLetters)},
	}
}
