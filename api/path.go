package api

import "cloudmirror"

// Prefixes of paths. A service and a region follow each, then what the request is
// about: an origin's URL in any form that [cloudmirror.ParseTarget] reads. Behind
// [JobPrefix] is the id of a job, and behind [DeadLettersPrefix] nothing, or a suffix.
const (
	RedirectPrefix    = cloudmirror.RedirectPrefix
	PurgePrefix       = "/v1/purge/"
	StatusPrefix      = "/v1/status/"
	ExplainPrefix     = "/v1/explain/"
	JobPrefix         = "/v1/jobs/"
	DeadLettersPrefix = "/v1/dead-letters/"
)

// What follows the region in the path of a request that does something to dead letters.
const (
	RedriveSuffix = "/redrive"
	DropSuffix    = "/drop"
)

// Whole paths.
const (
	WarmPath     = "/v1/warm"
	BackendsPath = "/v1/backends"
	PingPath     = "/v1/ping"
	ReadyPath    = "/readyz"
)

// EveryRegion stands for all regions of a service, where a region may be named so.
const EveryRegion = "*"
