package api

import (
	"time"

	"cloudmirror"
)

// An Explanation is the answer of [ExplainPrefix]: why a redirect request is answered
// as it is. Members without a meaning are left out.
type Explanation struct {
	At       time.Time         `json:"at"` // when it was true; on the cache's clock, as all times
	Client   ExplainedClient   `json:"client"`
	Target   ExplainedTarget   `json:"target"`
	Places   []ExplainedPlace  `json:"places"`   // from which the client may get the object, best first
	Excluded []ExplainedPlace  `json:"excluded"` // from which it does not, each with its reason
	Answer   ExplainedDecision `json:"answer"`
}

// An ExplainedClient is the client that asked.
type ExplainedClient struct {
	Network string `json:"network"` // that counts as one client
}

// An ExplainedTarget is what a request names. The text of a pattern is for operators:
// it may name other hosts and paths than the URL.
type ExplainedTarget struct {
	URL     string         `json:"url,omitempty"` // canonical; left out if it is no URL
	Service string         `json:"service"`
	Region  string         `json:"region"`
	Pattern string         `json:"pattern,omitempty"` // for operators: the first allow pattern that lets the URL in
	Direct  string         `json:"direct,omitempty"`  // for operators: the first direct pattern that it matches
	Nearly  *NearlyAllowed `json:"nearly,omitempty"`  // of a URL that no pattern lets in
	Refused *RefusedTarget `json:"refused,omitempty"`
}

// A NearlyAllowed is the allow pattern that matches the longest beginning of a URL.
// Strangers get no more than the scheme.
type NearlyAllowed struct {
	Pattern string `json:"pattern,omitempty"`
	Matches string `json:"matches,omitempty"` // that beginning
	Scheme  string `json:"scheme,omitempty"`  // instead: the one with which the pattern lets the URL in
}

// A RefusedTarget is why a target is refused.
type RefusedTarget struct {
	Code    cloudmirror.Code `json:"code"`
	Message string           `json:"message"`
	Cause   string           `json:"cause,omitempty"` // for operators
}

// An ExplainedPlace is a region, with the state of the copy in it, or the origin.
type ExplainedPlace struct {
	Region string `json:"region,omitempty"`
	Origin string `json:"origin,omitempty"`
	State  string `json:"state,omitempty"`  // of the copy in the region
	Reason string `json:"reason,omitempty"` // of an excluded place
	Why    string `json:"why"`

	Tries     int        `json:"tries,omitempty"`
	SizeBytes *int64     `json:"size,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	Progress
	Error *CopyError `json:"error,omitempty"`
}

// An ExplainedDecision is the answer to the redirect request, now.
type ExplainedDecision struct {
	Status      int              `json:"status"`
	Code        cloudmirror.Code `json:"code,omitempty"` // why the client does not get the copy
	Location    string           `json:"location,omitempty"`
	WaitSeconds float64          `json:"wait_seconds,omitempty"` // the rest is the answer after a wait in vain
	Why         string           `json:"why"`
}
