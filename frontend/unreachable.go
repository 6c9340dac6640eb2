package frontend

// reach is what the front end needs of what watches a backend's addresses.
type reach interface {
	// Reachable is asked for each request.
	Reachable() bool
}

// isReachable reports whether clients can fetch the copies of a region. While they cannot,
// routes exclude the copies (asAsked.route): none is looked up or made, and clients get
// their fallback at once (answerWithoutCopy).
func (b *backend) isReachable() bool { return b.reach == nil || b.reach.Reachable() }
