// Package client asks a front end over its HTTP interface. It sends a token to no
// other server than its own, reads a bounded part of any answer, and takes nothing
// that a server says for well-formed.
//
// A method returns an *Error if the server answered with an error, and any other
// error if there was no answer that can be read. It makes one request and retries
// nothing: how long a server may be away is the caller's to say.
package client
