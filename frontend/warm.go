package frontend

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/mirror"
)

// Limits of one warm request.
const (
	maxWarmURLs  = 1_000
	maxWarmWants = 10_000 // URLs times regions
	maxWarmBytes = maxWarmURLs * cloudmirror.MaxURLBytes
)

const jobsPrefix = "/v1/jobs/"

type warmBody struct {
	Service string   `json:"service"`
	Regions []string `json:"regions"` // none, or only *: all of the service
	URLs    []string `json:"urls"`
}

// warm answers POST of /v1/warm: a job in the background asks for the copies,
// like a patient client of each.
func (f *Frontend) warm(r *http.Request) answer {
	who, refusal := f.authorize(r)
	if refusal != nil {
		return *refusal
	}
	var body warmBody
	if err := readJSON(r, &body); err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return requestTooLarge()
		}
		return invalidRequest(err)
	}
	s := f.services[body.Service]
	if s == nil {
		return unknownBackend()
	}
	backends, ok := s.some(body.Regions)
	if !ok {
		return unknownBackend()
	}
	objects, refusal := s.objects(body.URLs)
	if refusal != nil {
		return *refusal
	}
	if n := len(objects) * len(backends); n > maxWarmWants {
		return invalidRequest(fmt.Errorf("the request asks for %d copies, at most %d are allowed", n, maxWarmWants))
	}
	if f.draining.Err() != nil {
		return draining()
	}
	j, ok := f.jobs.start(s.name, backends, objects)
	if !ok {
		return tooManyJobs()
	}
	f.audit(who, "warm", nil, zap.String("service", s.name), zap.Strings("regions", j.regions), zap.Int("urls", len(objects)), zap.String("job", j.id))
	return accepted(strings.TrimSuffix(f.publicURL, "/")+jobsPrefix+j.id, j.report())
}

// job answers GET of /v1/jobs/:id. The id is secret enough: whoever has it may
// see the job.
func (f *Frontend) job(r *http.Request) answer {
	id, _, _ := strings.Cut(strings.TrimPrefix(requestTarget(r), jobsPrefix), "?")
	j := f.jobs.find(id)
	if j == nil {
		return unknownJob()
	}
	return okJSON(j.report())
}

// readJSON reads a body that is one JSON value with known members.
func readJSON(r *http.Request, into any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxWarmBytes))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("the body is not the JSON that is wanted here: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the body is more than one JSON value")
	}
	return nil
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
	if len(regions) == 0 || len(regions) == 1 && regions[0] == anyRegion {
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

// objects returns the objects that the URLs name, each once, if all are allowed and
// may be copied.
func (s *service) objects(urls []string) ([]cloudmirror.Object, *answer) {
	if len(urls) == 0 || len(urls) > maxWarmURLs {
		return nil, refuse(invalidRequest(fmt.Errorf("urls has %d elements, 1 to %d are allowed", len(urls), maxWarmURLs)))
	}
	objects, seen := make([]cloudmirror.Object, 0, len(urls)), make(map[cloudmirror.Object]bool, len(urls))
	for i, url := range urls {
		o, err := cloudmirror.ParseObject(url)
		if err != nil {
			return nil, refuse(invalidURL(fmt.Errorf("urls[%d]: %w", i, err)))
		}
		if !s.admits(o) {
			a := notAllowed()
			a.message = fmt.Sprintf("The URL of urls[%d] is not allowed for this service.", i)
			return nil, &a
		}
		if s.Rules.IsDirect(o) {
			return nil, refuse(neverCopied(fmt.Sprintf("urls[%d]", i)))
		}
		if !seen[o] {
			seen[o] = true
			objects = append(objects, o)
		}
	}
	return objects, nil
}

// wants returns each object in each backend.
func wants(backends []*backend, objects []cloudmirror.Object) func(yield func(mirror.Want) bool) {
	return func(yield func(mirror.Want) bool) {
		for _, o := range objects {
			for _, b := range backends {
				if !yield(mirror.Want{Object: o, Backend: b.id}) {
					return
				}
			}
		}
	}
}
