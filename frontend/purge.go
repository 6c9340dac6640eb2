package frontend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"cloudmirror"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"cloudmirror/engine"
)

const purgePrefix = "/v1/purge/"

// maxPurges bounds the regions that one request purges at the same time.
const maxPurges = 16

// purge answers DELETE of /v1/purge/:service/:region/:url; the region may be *, and
// the URL that of the origin, of this mirror, or of a copy. What the allow patterns
// say does not count: they may have changed since the copy was made. Nor does the
// refusal of dot segments, which is younger than some copies.
func (ad *administration) purge(r *http.Request) answer {
	who, refusal := ad.guard.authorize(r)
	if refusal != nil {
		return *refusal
	}
	t, refusal := ad.findCopy(r, purgePrefix, true)
	if refusal != nil {
		return *refusal
	}
	regions, backends := anyRegion, []*backend{t.backend}
	if t.backend == nil {
		backends = t.service.all()
	} else {
		regions = t.backend.id.Region
	}
	report, err := ad.purgeAll(r.Context(), t, backends)
	ad.guard.audit(who, "purge", err, zap.String("service", t.service.name), zap.String("regions", regions), zap.Stringer("object", t.object))
	switch {
	case err != nil:
		return notPurged(report)
	case acceptsJSON(r.Header):
		return okJSON(report)
	}
	return purged()
}

// A purgeReport is what became of a purge.
type purgeReport struct {
	URL     string         `json:"url,omitempty"` // of the origin; unknown to a purge by a copy's address
	Hash    string         `json:"hash"`          // of the URL
	Service string         `json:"service"`
	Regions []regionReport `json:"regions"`
}

// A regionReport is what became of a purge in one region.
type regionReport struct {
	Region string `json:"region"`
	Result string `json:"result"`
	Cause  string `json:"cause,omitempty"` // of a failure
	Next   string `json:"next,omitempty"`  // after a failure: the command to run
}

// The results of a purge.
const (
	resultPurged = "purged" // there was a copy, one under way, or a failure that was remembered
	resultAbsent = "absent" // there was nothing
	resultFailed = "failed" // the copy may still be there
)

// purgeAll purges an object in backends, in each whatever becomes of the others. The
// error has the causes of all failures.
func (ad *administration) purgeAll(ctx context.Context, t copyTarget, backends []*backend) (purgeReport, error) {
	report := purgeReport{URL: t.object.URL(), Hash: t.object.Hash(), Service: t.service.name, Regions: make([]regionReport, len(backends))}
	errs := make([]error, len(backends))
	// Half a purge helps nobody: it goes on if the client leaves. Each of its
	// steps has a deadline.
	ctx = context.WithoutCancel(ctx)
	var purges errgroup.Group
	purges.SetLimit(maxPurges)
	for i, b := range backends {
		purges.Go(func() error {
			one := regionReport{Region: b.id.Region, Result: resultAbsent}
			found, err := ad.engine.Purge(ctx, engine.Want{Object: t.object, Backend: b.id}, t.generation)
			switch {
			case err != nil:
				errs[i] = fmt.Errorf("in %s: %w", b.id, err)
				one.Result, one.Cause = resultFailed, cloudmirror.Clause(err)
				one.Next = fmt.Sprintf("cloudmirror purge --service %s --region %s %s", b.id.Service, b.id.Region, shellQuote(t.address))
			case found:
				one.Result = resultPurged
			}
			report.Regions[i] = one
			return nil
		})
	}
	_ = purges.Wait() // errs has the errors
	return report, errors.Join(errs...)
}

// failedRegions returns the names of the regions in which a purge failed.
func (p *purgeReport) failedRegions() []string {
	var names []string
	for _, r := range p.Regions {
		if r.Result == resultFailed {
			names = append(names, r.Region)
		}
	}
	return names
}

// shellQuote returns a text as one word of a shell's command line.
func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// acceptsJSON reports whether a client names application/json among what it accepts
// (RFC 9110, section 12.5.1). It is not enough to accept anything.
func acceptsJSON(h http.Header) bool {
	for _, line := range h["Accept"] {
		for part := range strings.SplitSeq(line, ",") {
			mediaType, _, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.Trim(mediaType, " \t"), "application/json") {
				return true
			}
		}
	}
	return false
}
