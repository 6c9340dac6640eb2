package frontend

import (
	"cloudmirror"
	"cloudmirror/engine"
)

// A redirectTarget is the target of a redirect request, which the rules of its service
// allow. The rules do not change while a process runs, so that it holds as long as it is
// remembered. It is safe for concurrent use.
type redirectTarget struct {
	target
	redirectOptions
	direct *redirect   // to the origin, if the object is never copied; else nil
	want   engine.Want // the copy in the backend

	addresses copyAddresses
}

// admit fills in what follows from the target and the rules of its service, or says
// why the rules do not allow it.
func (t *redirectTarget) admit() *answer {
	switch {
	case t.backend == nil:
		return refuse(unknownBackend())
	case !t.service.admits(t.object):
		return refuse(notAllowed())
	}
	var err error
	if t.redirectOptions, err = redirectOptionsOf(t.service, t.options); err != nil {
		return refuse(invalidOption(err))
	}
	if t.service.Rules.IsDirect(t.object) {
		t.direct = newRedirect(originOf(t.object))
	}
	t.want = engine.Want{Object: t.object, Backend: t.backend.id}.Keyed()
	return nil
}

// originOf returns where a client gets an object from its origin.
func originOf(o cloudmirror.Object) cloudmirror.Location {
	return cloudmirror.Location{Place: cloudmirror.Place{Kind: cloudmirror.PlaceOrigin}, URL: o.URL()}
}
