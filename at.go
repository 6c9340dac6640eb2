package cloudmirror

import "net/url"

// A placedError is an error of a driver, with the address of the server that it
// asked.
type placedError struct {
	err   error
	place string // host:port; "": not known
}

// At returns the error of a call of a server, for drivers: its clause ends with the
// address of the server, if the error has none of its own, and leaves out what the
// driver put before it. Address is host:port or a URL, of which the clause has the
// host alone; "" if it is not known. The text of the error stays the same. Of nil, At
// returns nil.
func At(address string, err error) error {
	if err == nil {
		return nil
	}
	if u, parseErr := url.Parse(address); parseErr == nil && u.Host != "" {
		address = u.Host
	}
	return &placedError{err: err, place: address}
}

func (e *placedError) Error() string { return e.err.Error() }
func (e *placedError) Unwrap() error { return e.err }
