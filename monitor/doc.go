// Package monitor tells whether clients can fetch the copies of a backend.
//
// It asks, from where its process runs, the very address that clients are
// redirected to, for a key that no object has. Any answer below 500 will do,
// refusals included: somebody is there who would serve a copy. It knows nothing
// of objects, does not look at what a front end's own clients meet, and judges
// for its own place on the network only.
//
// A backend counts as reachable until several probes in a row fail, and again
// with the first one that succeeds. So an outage is noticed after
// Interval*Failures+Timeout at the latest.
package monitor
