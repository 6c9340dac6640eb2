package frontend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/engine"
)

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
	t, refusal := ad.parseCopyTarget(r, api.PurgePrefix, true)
	if refusal != nil {
		return *refusal
	}
	regions, backends := api.EveryRegion, []*backend{t.backend}
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

// purgeAll purges an object in backends, in each whatever becomes of the others. The
// error has the causes of all failures.
func (ad *administration) purgeAll(ctx context.Context, t copyTarget, backends []*backend) (api.PurgeReport, error) {
	report := api.PurgeReport{URL: t.object.URL(), Hash: t.object.Hash(), Service: t.service.name, Regions: make([]api.RegionReport, len(backends))}
	errs := make([]error, len(backends))
	// Half a purge is of no use: it goes on if the client leaves. Each of its
	// steps has a deadline.
	ctx = context.WithoutCancel(ctx)
	var purges errgroup.Group
	purges.SetLimit(maxPurges)
	for i, b := range backends {
		purges.Go(func() error {
			one := api.RegionReport{Region: b.id.Region, Result: api.PurgeAbsent}
			found, err := ad.engine.Purge(ctx, engine.Want{Object: t.object, Backend: b.id}, t.generation)
			switch {
			case err != nil:
				errs[i] = fmt.Errorf("in %s: %w", b.id, err)
				one.Result, one.Cause = api.PurgeFailed, cloudmirror.Clause(err)
				one.Next = fmt.Sprintf("cloudmirror purge --service %s --region %s %s", b.id.Service, b.id.Region, shellQuote(t.address))
			case found:
				one.Result = api.PurgeDone
			}
			report.Regions[i] = one
			return nil
		})
	}
	_ = purges.Wait() // errs has the errors
	return report, errors.Join(errs...)
}

// failedRegions returns the names of the regions in which a purge failed.
func failedRegions(p api.PurgeReport) []string {
	var names []string
	for _, r := range p.Regions {
		if r.Result == api.PurgeFailed {
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
