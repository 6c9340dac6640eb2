package api

// A PurgeReport is the answer of [PurgePrefix] to a client that accepts JSON.
type PurgeReport struct {
	URL     string         `json:"url,omitempty"` // of the origin; unknown to a purge by a copy's address
	Hash    string         `json:"hash"`          // of the URL
	Service string         `json:"service"`
	Regions []RegionReport `json:"regions"`
}

// A FailedPurge is the answer to a purge that failed in at least one region.
type FailedPurge struct {
	Error
	PurgeReport
}

// A RegionReport is what a purge did in one region.
type RegionReport struct {
	Region string `json:"region"`
	Result string `json:"result"`          // PurgeDone, PurgeAbsent or PurgeFailed
	Cause  string `json:"cause,omitempty"` // of a failure
	Next   string `json:"next,omitempty"`  // after a failure: the command to run
}

// The results of a purge in a region.
const (
	PurgeDone   = "purged" // there was a copy, one under way, or a failure that was remembered
	PurgeAbsent = "absent" // there was nothing
	PurgeFailed = "failed" // the copy may still be there
)
