// Package api is the HTTP interface of a front end in Go types: the paths, the bodies
// of requests and of answers, the codes of errors, and the limits that callers must
// know. The front end writes these types and package api/client reads them, so both
// sides agree.
//
// docs/http.md and /openapi.json describe the same to users: a member that is renamed
// or removed here breaks its callers. All times are UTC, with milliseconds at most. A
// pointer, and a member with omitempty, is absent where its meaning is, unless its
// comment says null.
//
// The package has no behaviour beyond reading one format: it makes no request and
// decides nothing.
package api
