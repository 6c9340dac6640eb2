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
	object cloudmirror.Object
	trail  *trail // of all hops, whatever connection asks for them

	ownConnections bool // HTTP/1.1: requests that run at once have a connection each
}

// A stream is the answer of the last hop, with its body unread.
type stream struct {
	response *http.Response
	object   cloudmirror.Object // of the last hop
	ctx      context.Context    // of the request; its cause says who ended it
	cancel   context.CancelCauseFunc
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
}

// open asks for the object, or with a range for the rest of it, and follows
// redirects until an answer that is none. Its status is 200, or 206 if a range
// was asked for. Every hop is checked before anything is sent.
func (e exchange) open(ctx context.Context, r *byteRange) (*stream, error) {
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
		if !isRedirect(status) || s.response.Header.Get("Location") == "" {
			return nil, e.client.statusFailure(s.response, hop)
		}
		if hop, err = redirectTarget(hop, s.response.Header.Values("Location")); err != nil {
			return nil, err
		}
		if slices.Contains(visited, hop) {
			return nil, tooManyRedirects("the origin redirects in a circle", hop)
		}
		if len(visited) > e.client.options.MaxRedirects {
			return nil, tooManyRedirects("the origin redirects too often", hop)
		}
		visited = append(visited, hop)
	}
}

// send makes the request of one hop, if the rules allow it.
func (e exchange) send(ctx context.Context, transport *http.Transport, hop cloudmirror.Object, r *byteRange) (*stream, error) {
	if err := Check(e.rules, hop); err != nil {
		return nil, err
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
	requestContext, cancel := context.WithCancelCause(ctx)
	request := (&http.Request{
		Method: http.MethodGet, URL: target, Host: target.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: e.header(r),
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
		return nil, transportFailure(ctx, err, hop)
	}
	return &stream{response: response, object: hop, ctx: requestContext, cancel: cancel}, nil
}

func (e exchange) header(r *byteRange) http.Header {
	h := http.Header{
		"Accept":          {"*/*"},
		"Accept-Encoding": {"identity"},
		"User-Agent":      {e.client.options.UserAgent},
	}
	if id := e.client.options.DeploymentID; id != "" {
		h.Set("CDN-Loop", id)
	}
	if r != nil {
		h.Set("Range", r.String())
		r.of.condition(h)
	}
	return h
}

// hopFailure says that the refusal of a URL is about a redirect, if it is.
func hopFailure(err error, redirected bool) error {
	f, ok := errors.AsType[*cloudmirror.Failure](err)
	if !ok || !redirected || f.Code != cloudmirror.CodeURLNotAllowed {
		return err
	}
	changed := *f
	changed.Message = "the origin redirects to a place that is not allowed: " + f.Message
	return &changed
}

func tooManyRedirects(message string, hop cloudmirror.Object) *cloudmirror.Failure {
	return &cloudmirror.Failure{
		Code: cloudmirror.CodeTooManyRedirects, Message: message, Permanent: true,
		Err: fmt.Errorf("the last redirect leads to %s", redacted(hop.URL())),
	}
}
