// Package frontend is HTTP in and out: it reads requests, asks the engine
// (package engine) and decides what clients are told. No other package decides
// our status codes.
//
// What it promises:
//
//   - A URL is checked for its syntax and against the service's allow patterns
//     and ports before anything is looked up, and no client is redirected to an
//     origin URL that did not pass.
//   - With [cloudmirror.FallbackOrigin] a client is redirected to the origin if its copy is
//     not ready, or if the cache, the queue or the storage is down; a 5xx is only for
//     clients with [cloudmirror.FallbackNone].
//   - Waiting is bounded: in time by the service, in number by
//     [Options.MaxWaiters], and it ends with the client. The copy goes on.
//   - Redirects and errors are no-store. A redirect that any cache kept would
//     outlive a purge, and no front end may redirect to an old copy after the
//     purge's 204; a copy that is evicted or moved must not be asked for either.
//   - Object bytes never pass through it. The one exception are the files of the
//     embedded storage, whose handlers are mounted around the router, so that
//     sendfile works.
//   - Query strings of origin URLs and private causes of errors are in no log
//     and no answer; an operator with a token sees the causes.
//
// A [Frontend] has three rooms over one core: redirects (clients that want objects),
// administration (one copy, job or dead letter, also for operators) and pages (the
// deployment as a whole). A redirect goes through these files:
//
//	frontend.go           every request comes in
//	door.go               the host that it names chooses the policy
//	memory.go             the target is remembered, or
//	target.go             it is read, and
//	redirecttarget.go     held against the rules of its service
//	route.go              the places that could serve it, and which are excluded
//	unreachable.go        as the copies of a region are, while clients cannot fetch them
//	redirect.go           waits for the copy and chooses the answer
//	copyaddresses.go      where a present copy is
//	respond.go, write.go  the answer
//
// predict.go does the same without a wait, for explain.go.
//
// Echo routes; handlers read the raw request target themselves, since routers
// and URL.Path decode some forms of a URL and not others.
package frontend
