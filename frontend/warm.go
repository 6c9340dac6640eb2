package frontend

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/jobs"
)

// warm answers POST of /v1/warm: a job in the background asks for the copies,
// like a patient client of each.
func (ad *administration) warm(r *http.Request) answer {
	who, refusal := ad.guard.authorize(r)
	if refusal != nil {
		return *refusal
	}
	var body api.WarmRequest
	if refusal = readBody(r, &body); refusal != nil {
		return *refusal
	}
	s := ad.services[body.Service]
	if s == nil {
		return unknownBackend()
	}
	backends, ok := s.some(body.Regions)
	if !ok {
		return unknownBackend()
	}
	request, refusal := s.request(body)
	if refusal != nil {
		return *refusal
	}
	for _, b := range backends {
		request.Backends = append(request.Backends, b.id)
	}
	if n := len(request.Items) * len(backends); n > api.MaxWarmCopies {
		return invalidRequest(fmt.Errorf("the request asks for %d copies, at most %d are allowed", n, api.MaxWarmCopies))
	}
	if ad.draining.Err() != nil {
		return draining()
	}
	report, err := ad.jobs.Start(r.Context(), request)
	switch {
	case errors.Is(err, jobs.ErrTooMany):
		return tooManyJobs()
	case err != nil: // it is closed: the process stops
		return draining()
	}
	ad.guard.audit(who, "warm", nil, zap.String("service", s.name), zap.Strings("regions", report.Regions), zap.Int("urls", report.URLs), zap.String("job", report.ID))
	return accepted(strings.TrimSuffix(ad.publicURL, "/")+api.JobPrefix+report.ID, shownJob(report))
}

// job answers GET of /v1/jobs/:id. The id is secret: a client that
// has it may see the job.
func (ad *administration) job(r *http.Request) answer {
	id, _, _ := strings.Cut(strings.TrimPrefix(requestTarget(r), api.JobPrefix), "?")
	report, err := ad.jobs.Find(r.Context(), id)
	switch {
	case errors.Is(err, jobs.ErrUnknown):
		return unknownJob()
	case err != nil:
		ad.outages.Do(func() { ad.logger.Warn("a job of another front end cannot be looked up", zap.Error(err)) })
		return unavailable("The job is none of this front end, and what others have noted of theirs cannot be read now; try again later.")
	}
	return okJSON(shownJob(report))
}

// shownJob returns a job as clients see it.
func shownJob(r api.Job) api.Job {
	r.Failures = slices.Clone(r.Failures)
	for i := range r.Failures {
		r.Failures[i].Message = sentence(r.Failures[i].Message)
	}
	return r
}

// all returns the backends of a service, by region.
func (s *service) all() []*backend {
	all := make([]*backend, 0, len(s.backends))
	for _, b := range s.backends {
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b *backend) int { return strings.Compare(a.id.Region, b.id.Region) })
	return all
}

// some returns the backends of the named regions, each once.
func (s *service) some(regions []string) (backends []*backend, known bool) {
	if len(regions) == 0 || len(regions) == 1 && regions[0] == api.EveryRegion {
		return s.all(), true
	}
	for _, region := range regions {
		b := s.backends[region]
		if b == nil {
			return nil, false
		}
		if !slices.Contains(backends, b) {
			backends = append(backends, b)
		}
	}
	return backends, true
}

// request returns what a job is asked for: the objects that the URLs name, each once.
// A URL that is not allowed, is never copied or is none refuses the request; if the
// body asks for that, it is counted as failed instead.
func (s *service) request(body api.WarmRequest) (jobs.Request, *answer) {
	r := jobs.Request{Service: s.name}
	if n := len(body.URLs); n == 0 || n > api.MaxWarmURLs {
		return r, refuse(invalidRequest(fmt.Errorf("urls has %d elements, 1 to %d are allowed", n, api.MaxWarmURLs)))
	}
	seen := make(map[cloudmirror.Object]bool, len(body.URLs))
	for i, url := range body.URLs {
		named := i
		if body.Partial {
			named = -1 // its failure has the index
		}
		o, refusal := s.warmable(named, url)
		switch {
		case refusal != nil && !body.Partial:
			return r, refusal
		case refusal != nil && o == cloudmirror.Object{}:
			r.Refusals = append(r.Refusals, jobs.Refusal{Index: i, Code: refusal.code, Message: refusal.message})
		case seen[o]:
		case refusal != nil:
			r.Refusals = append(r.Refusals, jobs.Refusal{Index: i, URL: o.WithoutQuery(), Code: refusal.code, Message: refusal.message})
		default:
			r.Items = append(r.Items, jobs.Item{Index: i, Object: o})
		}
		seen[o] = true
	}
	return r, nil
}

// warmable returns the object of the URL at an index, and why it may not be copied,
// which names the index unless the index is -1. The zero Object says that the URL is
// none.
func (s *service) warmable(i int, url string) (cloudmirror.Object, *answer) {
	element := fmt.Sprintf("urls[%d]", i)
	if i < 0 {
		element = "the request"
	}
	o, err := cloudmirror.ParseObject(url)
	switch {
	case err != nil && i >= 0:
		return cloudmirror.Object{}, refuse(invalidURL(fmt.Errorf("%s: %w", element, err)))
	case err != nil:
		return cloudmirror.Object{}, refuse(invalidURL(err))
	case !s.admits(o):
		a := notAllowed()
		if i >= 0 {
			a.message = "The URL of " + element + " is not allowed for this service."
		}
		return o, &a
	case s.Rules.IsDirect(o):
		return o, refuse(neverCopied(element))
	}
	return o, nil
}
