package doctor

import (
	"context"
	"errors"
	"strings"

	"cloudmirror"
	"cloudmirror/provision"
)

// resources reports what provisioning would do.
func (e *examination) resources(ctx context.Context) {
	for _, r := range e.Resources {
		subject := string(r.Kind) + " " + r.Name
		if e.unusable[string(provision.Bucket)+" "+r.Name] || r.Kind == provision.Cache && e.found["cache"] {
			continue // its rules are missing too
		}
		step, err := r.Plan(ctx)
		f, found := e.judge(r, step, err)
		if found {
			f.Subject = subject
			e.report(f)
		}
		if errors.Is(err, provision.ErrDenied) {
			continue // doctor knows neither good nor bad of it
		}
		if err != nil || step.Action == provision.Create && r.Kind != provision.Access && r.Kind != provision.Lifecycle && r.Kind != provision.CORS {
			e.unusable[subject] = true
		}
		e.done(subject)
	}
}

// judge returns the finding about a resource, from what provisioning would do
// about it; found is false if that is nothing.
func (e *examination) judge(r provision.Resource, step provision.Step, err error) (f Finding, found bool) {
	details := strings.Join(step.Details, "; ")
	kind := string(r.Kind)
	const run = "run `cloudmirror provision`"
	switch {
	case errors.Is(err, provision.ErrForeign):
		return Finding{
			ID: ID(kind + endShared), Severity: Error, Problem: cloudmirror.Brief(err),
			Remedy: "give each deployment prefixes of its own; if the other one is gone, or this one had another Redis URL or prefix, run `cloudmirror provision --adopt`",
		}, true
	case errors.Is(err, provision.ErrDenied):
		return Finding{
			ID: ID(kind + endDenied), Severity: Info, Problem: cloudmirror.Brief(err),
			Remedy: "servers need no right to look at it; run doctor once more with the credentials of `cloudmirror provision`",
		}, true
	case err != nil:
		return Finding{ID: ID(kind + endUnknown), Severity: Error, Problem: cloudmirror.Brief(err), Remedy: "check the address, the credentials and what they allow"}, true
	case step.Action == provision.Create:
		return Finding{ID: ID(kind + endMissing), Severity: e.severityOfMissing(r.Kind), Problem: "it is not there: " + details, Remedy: run}, true
	case step.Action == provision.Change:
		return Finding{ID: ID(kind + endDiffers), Severity: Warning, Problem: "it differs from what the configuration needs: " + details, Remedy: run}, true
	case step.Action == provision.Manual:
		return Finding{ID: ID(kind + endManual), Severity: Warning, Problem: details, Remedy: "do what it says by hand; where the server cannot be asked, this stays"}, true
	}
	return Finding{}, false
}

func (e *examination) severityOfMissing(kind provision.Kind) Severity {
	switch kind {
	case provision.Bucket:
		return Error
	case provision.Queue, provision.DeadLetters:
		if !e.Config.Queue.SQS.Create {
			return Error // else the first server that needs it makes it
		}
	case provision.Cache:
		return Info // a flush removes the mark
	case provision.Access, provision.Lifecycle, provision.CORS:
	}
	return Warning
}
