package cloudmirror

// A Fallback is what a client gets when there is no copy in time.
type Fallback string

// The fallbacks.
const (
	FallbackOrigin Fallback = "origin" // a redirect to the origin
	FallbackNone   Fallback = "none"   // an error
)

// A Mode says what a client gets that asks for an object without a copy.
type Mode string

// The modes.
const (
	ModeWait        Mode = "wait"         // it waits for the copy
	ModeRedirectNow Mode = "redirect-now" // the fallback at once; the copy is made behind
)
