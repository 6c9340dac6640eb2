// Package frontend is HTTP in and out: it reads requests, asks the engine
// (package engine) and decides what clients are told. No other package decides
// our status codes.
//
// What it promises:
//
//   - A URL is checked for its syntax and against the service's allow patterns
//     and ports before anything is looked up, and no client is redirected to an
//     origin URL that did not pass.
//   - With [cloudmirror.FallbackOrigin] a client whose copy is not ready, or that meets a
//     part of ours which is down, is redirected to the origin; a 5xx is only for
//     those who asked for [cloudmirror.FallbackNone].
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
// Echo routes; handlers read the raw request target themselves, since routers
// and URL.Path decode some forms of a URL and not others.
package frontend
