package frontend

import (
	"context"
	"net/http"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"cloudmirror"
	"cloudmirror/mirror"
)

const purgePrefix = "/v1/purge/"

// maxPurges bounds the regions that one request purges at the same time.
const maxPurges = 16

// purge answers DELETE of /v1/purge/:service/:region/:url; the region may be *.
// What the allow patterns say does not count: they may have changed since the
// copy was made. Nor does the refusal of dot segments, which is younger than some
// copies.
func (f *Frontend) purge(r *http.Request) answer {
	who, refusal := f.authorize(r)
	if refusal != nil {
		return *refusal
	}
	t, refusal := f.find(r, purgePrefix, cloudmirror.ParseLegacyTarget)
	if refusal != nil {
		return *refusal
	}
	regions, backends := anyRegion, []*backend{t.backend}
	if t.backend == nil {
		backends = t.service.all()
	} else {
		regions = t.backend.id.Region
	}
	// Half a purge helps nobody: it goes on if the client leaves. Each of its
	// steps has a deadline.
	var purges errgroup.Group
	purges.SetLimit(maxPurges)
	for _, b := range backends {
		purges.Go(func() error {
			return f.engine.Purge(context.WithoutCancel(r.Context()), mirror.Want{Object: t.object, Backend: b.id})
		})
	}
	err := purges.Wait()
	f.audit(who, "purge", err, zap.String("service", t.service.name), zap.String("regions", regions), zap.Stringer("object", t.object))
	if err != nil {
		return unavailable("The object may not be purged everywhere; purge it again.")
	}
	return purged()
}
