package origin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"cloudmirror"
)

// An exchange is all that is asked of origins for one object.
type exchange struct {
	client *Client
	rules  Rules
	asked  cloudmirror.Object // by the caller: its origin gets the service's headers
	object cloudmirror.Object // where requests begin: asked, or where its redirects led
	trail  *trail             // of all hops, whatever connection asks for them

	ownConnections bool // HTTP/1.1: requests that run at once have a connection each
}

// A stream is the answer of the last hop, with its body unread.
type stream struct {
	response *http.Response
	object   cloudmirror.Object // of the last hop
	ctx      context.Context    // of the request; its cause says who ended it
	cancel   context.CancelCauseFunc
	leave    func()      // tells Rules.Enter that the request is over
	idle     *time.Timer // ends it; nil until a read is watched
}

// watch ends the stream after a time, unless s.idle is stopped.
func (s *stream) watch(d time.Duration) {
	if s.idle == nil {
		s.idle = time.AfterFunc(d, func() { s.cancel(errIdle) })
		return
	}
	s.idle.Reset(d)
}

// close ends the request, and with it whatever it still does.
func (s *stream) close() {
	s.cancel(context.Canceled)
	_ = s.response.Body.Close() // what it could say, Read has said
	s.leave()
}

// open asks for the object, or with a range for the rest of it, and follows
// redirects until an answer that is none. Its status is 200, or 206 if a range
// was asked for. Every hop is checked before anything is sent.
func (e exchange) open(ctx context.Context, r *byteRange) (*stream, error) {
	if failure := checkURL(e.rules, e.object); failure != nil {
		return nil, failure
	}
	transport := e.client.transport(newGuard(e.rules.AllowAddresses), e.ownConnections)
	hop := e.object
	visited := []cloudmirror.Object{hop}
	for {
		e.trail.add(hop)
		s, err := e.send(ctx, transport, hop, r)
		if err != nil {
			return nil, hopFailure(err, len(visited) > 1)
		}
		status := s.response.StatusCode
		if status == http.StatusOK || r != nil && status == http.StatusPartialContent {
			return s, nil
		}
		s.close()
		if status == http.StatusProxyAuthRequired && e.client.options.Proxy != nil { // origins never say this
			return nil, transportFailure(ctx, proxyRefusal(s.response), hop)
		}
		if r != nil && (status == http.StatusPreconditionFailed || status == http.StatusRequestedRangeNotSatisfiable) {
			return nil, objectChanged(fmt.Errorf("asked for %s, the origin answered %s", r, statusText(status)), hop)
		}
		locations := s.response.Header.Values("Location")
		if !isRedirect(status) || len(locations) == 0 {
			return nil, e.client.statusFailure(s.response, hop)
		}
		if hop, err = e.follow(visited, locations); err != nil {
			return nil, err
		}
		visited = append(visited, hop)
	}
}

// follow returns the next hop behind those visited, which the Location headers of
// the last one name and the patterns and ports allow. Nothing is resolved.
//
// A target that is none for a copier (another scheme, a user name, a backslash,
// several Locations, an empty one) is treated like one outside the patterns: it
// says nothing about the object, and a client may know better what to do with it.
// So CodeRedirectNotAllowed sends clients to the URL that they asked for, never to
// the target. Circles and long chains keep a code of their own: clients go to the
// origin as well, and an operator sees which of them max_redirects would help.
func (e exchange) follow(visited []cloudmirror.Object, locations []string) (cloudmirror.Object, error) {
	if !slices.ContainsFunc(locations, func(l string) bool { return l != "" }) {
		return cloudmirror.Object{}, badRedirect("the origin redirects to an empty URL")
	}
	hop, err := redirectTarget(visited[len(visited)-1], locations)
	if err != nil {
		return hop, err
	}
	if failure := checkURL(e.rules, hop); failure != nil {
		failure.Code, failure.Message = cloudmirror.CodeRedirectNotAllowed, badTarget+failure.Message
		return hop, failure
	}
	if slices.Contains(visited, hop) {
		return hop, tooManyRedirects("the origin redirects in a circle", hop)
	}
	if len(visited) > e.client.options.MaxRedirects {
		return hop, tooManyRedirects("the origin redirects too often", hop)
	}
	return hop, nil
}

// send makes the request of one hop whose URL is allowed, if its address is.
func (e exchange) send(ctx context.Context, transport *http.Transport, hop cloudmirror.Object, r *byteRange) (*stream, error) {
	if failure := checkLiteral(e.rules, hop); failure != nil {
		return nil, failure
	}
	if e.client.options.Proxy != nil {
		if err := e.client.checkProxied(e.rules, hop); err != nil {
			return nil, err
		}
	}
	target, err := url.Parse(hop.URL())
	if err != nil { // a canonical URL is understood by every parser
		return nil, &cloudmirror.Failure{
			Code: cloudmirror.CodeInvalidURL, Message: "the URL cannot be asked for", Permanent: true,
			Err: fmt.Errorf("parse a canonical URL: %w", err),
		}
	}
	leave, err := e.rules.enter(ctx, hop)
	if err != nil {
		return nil, err
	}
	requestContext, cancel := context.WithCancelCause(ctx)
	request := (&http.Request{
		Method: http.MethodGet, URL: target, Host: target.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: e.header(hop, r),
	}).WithContext(requestContext)
	// The timeouts of the transport leave gaps, such as a proxy's answer.
	patience := time.AfterFunc(e.client.options.hopTimeout(), func() { cancel(errIdle) })
	// The transport itself, and no http.Client: nothing is followed, stored or
	// added that is not asked for here.
	response, err := transport.RoundTrip(request) //nolint:bodyclose // the stream closes it
	patience.Stop()
	if err != nil {
		if errors.Is(context.Cause(requestContext), errIdle) {
			err = fmt.Errorf("%w: %w", errIdle, err)
		}
		cancel(err)
		leave()
		return nil, transportFailure(ctx, err, hop)
	}
	return &stream{response: response, object: hop, ctx: requestContext, cancel: cancel, leave: leave}, nil
}

// header returns the header of a request to a hop. What the service adds goes to
// the origin that the caller asked for only, and replaces nothing but Accept and
// User-Agent.
func (e exchange) header(hop cloudmirror.Object, r *byteRange) http.Header {
	h := http.Header{
		"Accept":     {"*/*"},
		"User-Agent": {e.client.options.UserAgent},
	}
	if hop.Origin() == e.asked.Origin() {
		for name, value := range e.rules.Headers {
			h.Set(name, value)
		}
	}
	h.Set("Accept-Encoding", "identity")
	if id := e.client.options.DeploymentID; id != "" {
		h.Set("CDN-Loop", id)
	}
	if r != nil {
		h.Set("Range", r.String())
		r.of.condition(h)
	}
	return h
}

// badTarget begins the messages about redirects that are not followed.
const badTarget = "the origin redirects to a place that is not allowed: "

// hopFailure says that the refusal of an address is about a redirect, if it is.
func hopFailure(err error, redirected bool) error {
	f, ok := errors.AsType[*cloudmirror.Failure](err)
	if !ok || !redirected || f.Code != cloudmirror.CodeURLNotAllowed {
		return err
	}
	changed := *f
	changed.Message = badTarget + f.Message
	return &changed
}

func tooManyRedirects(message string, hop cloudmirror.Object) *cloudmirror.Failure {
	return &cloudmirror.Failure{
		Code: cloudmirror.CodeTooManyRedirects, Message: message, Permanent: true,
		Err: fmt.Errorf("the last redirect leads to %s", redacted(hop.URL())),
	}
}
