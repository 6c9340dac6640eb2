package origin

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/textproto"
	"strings"
)

// A malformation is what makes an answer no valid HTTP.
type malformation struct {
	message string // for clients; nothing of the answer itself is in it
	// lasting: the origin says so each time, as far as one answer can tell. What
	// goes wrong within a body may be a server that failed halfway and wrote its
	// error there.
	lasting bool
}

func badHTTP(what string) malformation {
	return malformation{message: "the origin's answer is no valid HTTP: " + what, lasting: true}
}

// malformationOf returns what is malformed by an error of the transport or of a
// body; ok is false for all other errors, such as connections that broke. net/http
// has types for a few of these errors only: TestMalformedAnswers pins the texts of
// the others.
func malformationOf(err error) (m malformation, ok bool) {
	if _, isHeader := errors.AsType[textproto.ProtocolError](err); isHeader {
		return badHTTP("a malformed header line"), true
	}
	if _, isRecord := errors.AsType[tls.RecordHeaderError](err); isRecord || errors.Is(err, http.ErrSchemeMismatch) {
		return malformation{"the origin does not speak TLS", true}, true
	}
	var detected streamError
	if errors.As(err, &detected) && detected.Code == protocolError && detected.Cause != nil && detected.Cause.Error() != fromPeer {
		return badHTTP("a header that is malformed or too large"), true
	}
	text := innermost(err).Error()
	for _, known := range malformations() {
		if strings.HasPrefix(text, known.text) {
			return known.malformation, true
		}
	}
	return malformation{}, false
}

// innermost returns the error that others wrap.
func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

type knownMalformation struct {
	text string // that the error of net/http begins with
	malformation
}

func malformations() []knownMalformation {
	status := badHTTP("a malformed status line")
	length := badHTTP("a malformed or contradictory Content-Length")
	coding := badHTTP("a transfer coding that is not known")
	trailer := badHTTP("a malformed trailer")
	large := badHTTP("a header that is too large")
	chunk := badHTTP("a malformed chunk")
	chunk.lasting = false
	return []knownMalformation{
		{"malformed HTTP response", status},
		{"malformed HTTP status code", status},
		{"malformed HTTP version", status},
		{"bad Content-Length", length},
		{"invalid empty Content-Length", length},
		{"http: message cannot contain multiple Content-Length", length},
		{"unsupported transfer encoding", coding},
		{"too many transfer encodings", coding},
		{"bad trailer key", trailer},
		{"http: suspiciously long trailer", trailer},
		{"net/http: server response headers exceeded", large},
		{"malformed chunked encoding", chunk},
		{"invalid byte in chunk length", chunk},
		{"empty hex number for chunk length", chunk},
		{"http chunk length too large", chunk},
		{"chunked line ends with bare LF", chunk},
		{"invalid CR in chunked line", chunk},
		{"chunked encoding contains too much non-data", chunk},
		{"header line too long", chunk},
	}
}

// A streamError is what errors.As makes of the error of an HTTP/2 stream, whose
// own type net/http hides: it converts itself to any type of the same name and
// fields as golang.org/x/net/http2.StreamError.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

// Error implements error.
func (streamError) Error() string { return "an error of an HTTP/2 stream" }

const (
	protocolError = 1                    // RFC 9113, section 7
	fromPeer      = "received from peer" // the cause of a stream that the origin ended
)
