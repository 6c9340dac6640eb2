package frontend

import (
	"context"
	"net/http"

	"cloudmirror"
	"cloudmirror/api"
)

// backendsJSON answers GET of /v1/backends. Names of machines, and what parts say of
// themselves, are for operators.
func (pg *pages) backendsJSON(r *http.Request) answer {
	return okJSON(pg.survey(r.Context(), pg.guard.isOperator(r)))
}

// survey describes the deployment.
func (pg *pages) survey(ctx context.Context, isOperator bool) api.Overview {
	counts, d := pg.queues.count(ctx, pg.backends), pg.deployment(ctx)
	body := api.Overview{Version: pg.version, Backends: make([]api.Backend, len(pg.backends)), Presence: api.PresenceOK}
	for i, b := range pg.backends {
		id := b.id.String()
		body.Backends[i] = api.Backend{
			Service: b.id.Service, Region: b.id.Region, Provider: b.storageLabel,
			Copiers: d.copiers(id), Requests: b.requests.counts(), LastHour: d.lastHour(id), Copies: d.copies(id),
		}
		shown := &body.Backends[i]
		shown.Health, shown.Cause = d.healthOf(b, counts[i])
		if !isOperator {
			shown.Cause = ""
		}
		if counts[i].health == api.HealthOK {
			c := counts[i].counts
			shown.Queue = &api.QueueCounts{Ready: c.Ready, Delayed: c.Delayed, InFlight: c.InFlight, DeadLetters: c.Dead}
		}
	}
	if !d.isWatched || d.err != nil {
		body.Presence = api.PresenceUnknown
	}
	if isOperator {
		if d.err != nil {
			body.Presence += ": " + cloudmirror.Clause(d.err)
		}
		for _, n := range d.notes {
			body.Processes = append(body.Processes, describeProcess(n))
		}
	}
	return body
}
