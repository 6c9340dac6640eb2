package doctor

import (
	"context"

	"cloudmirror/presence"
)

// copiers reports backends that no process copies to.
func (e *examination) copiers(ctx context.Context) {
	notes, err := e.Processes(ctx)
	if err != nil {
		e.report(Finding{
			CopiersUnknown, Warning, "copiers", "which processes run is not known: " + err.Error(),
			"allow the user of Redis eval, evalsha, get, set, del and time, on keys that begin with cache.redis.prefix",
		})
		return
	}
	if len(notes) == 0 {
		e.report(Finding{
			NoCopier, Info, "copiers", "no process of this deployment runs, as far as Redis knows",
			"nothing, if none was started yet; else compare cache.redis.url and cache.redis.prefix with those of the servers",
		})
		return
	}
	for _, s := range e.Config.Services {
		for _, b := range s.Backends {
			subject := "copiers of " + b.ID.String()
			if presence.Copiers(notes, b.ID.String()) == 0 {
				e.report(Finding{
					NoCopier, Error, subject, "no process copies to it: clients wait for copies in vain, and get the origin",
					"start `cloudmirror copier`; if some run, their log and copier.backends say why they leave this one out",
				})
			}
			e.done(subject)
		}
	}
}
