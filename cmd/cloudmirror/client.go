package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cloudmirror"
)

// requestTimeout bounds one request. A purge waits for front ends that may have
// the entry in memory, about a second; looking through dead letters takes 20 s.
const requestTimeout = time.Minute

// dialTimeout bounds a connection's begin, where a firewall swallows it.
const dialTimeout = 10 * time.Second

// maxAnswerBytes bounds what is read of an answer.
const maxAnswerBytes = 16 << 20

// A client talks to the HTTP interface of a front end.
type client struct {
	server string
	token  string // empty: none is sent
	http   *http.Client
}

func newClient(t *target) *client {
	return &client{
		server: strings.TrimSuffix(t.server, "/"),
		token:  t.token,
		http: &http.Client{
			Transport: &http.Transport{
				Proxy:       http.ProxyFromEnvironment,
				DialContext: (&net.Dialer{Timeout: dialTimeout}).DialContext,
			},
			Timeout: requestTimeout,
			// The interface redirects clients of objects only: anything else is
			// no cloudmirror, and gets no token.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// A purgeReport is what a server says of a purge.
type purgeReport struct {
	URL     string         `json:"url"` // of the origin; "": it is not known
	Regions []regionReport `json:"regions"`
}

// A regionReport is what a purge did in one region.
type regionReport struct {
	Region string `json:"region"`
	Result string `json:"result"` // purged, absent or failed
	Cause  string `json:"cause,omitempty"`
	Next   string `json:"next,omitempty"`
}

// purge evicts an object. The region may be everyRegion. A report without regions
// comes from a server of an older release. An error says that nothing is known of
// what became of the purge; failures that the server reports are none.
func (c *client) purge(ctx context.Context, b cloudmirror.BackendID, o cloudmirror.Object) (report purgeReport, err error) {
	status, body, err := c.exchange(ctx, http.MethodDelete, "/v1/purge/"+b.String()+"/"+o.Target(), nil)
	if err != nil || status == http.StatusNoContent {
		return report, err
	}
	if json.Unmarshal(body, &report) != nil || status != http.StatusOK && status != http.StatusBadGateway || len(report.Regions) == 0 {
		return purgeReport{}, asServerError(status, body)
	}
	return report, nil
}

// status returns what the server knows of a copy, as JSON.
func (c *client) status(ctx context.Context, b cloudmirror.BackendID, o cloudmirror.Object) (json.RawMessage, error) {
	return c.ask(ctx, "/v1/status/"+b.String()+"/"+o.Target())
}

// explain returns what the server says of the answer to a redirect of a target, as
// JSON.
func (c *client) explain(ctx context.Context, b cloudmirror.BackendID, target string) (json.RawMessage, error) {
	answer, err := c.ask(ctx, "/v1/explain/"+b.String()+"/"+target)
	if e, ok := errors.AsType[*serverError](err); ok && e.Code == "NotFound" {
		return nil, fmt.Errorf("the server is of an older release, which explains nothing: %w", err)
	}
	return answer, err
}

// ask returns an answer of JSON.
func (c *client) ask(ctx context.Context, path string) (json.RawMessage, error) {
	body, err := c.do(ctx, http.MethodGet, path, http.StatusOK)
	if err != nil {
		return nil, err
	}
	if !json.Valid(body) {
		return nil, errors.New("the server's answer is no JSON: is it a cloudmirror?")
	}
	return body, nil
}

func (c *client) do(ctx context.Context, method, path string, want int) ([]byte, error) {
	return c.send(ctx, method, path, nil, want)
}

// send makes a request with a body of JSON, if it is not nil, and returns the
// answer's if it has the wanted status.
func (c *client) send(ctx context.Context, method, path string, payload []byte, want int) ([]byte, error) {
	status, body, err := c.exchange(ctx, method, path, payload)
	if err != nil {
		return nil, err
	}
	if status != want {
		return nil, asServerError(status, body)
	}
	return body, nil
}

// exchange makes a request with a body of JSON, if it is not nil, and returns the
// answer.
func (c *client) exchange(ctx context.Context, method, path string, payload []byte) (status int, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, method, c.server+path, bytes.NewReader(payload))
	if err != nil {
		return 0, nil, fmt.Errorf("make the request: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "cloudmirror/"+buildVersion().Version)
	if payload != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		// The text of a url.Error repeats the URL, and with it the origin's.
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err
		}
		return 0, nil, fmt.Errorf("ask %s: %w", c.server, err)
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	if err != nil {
		return 0, nil, fmt.Errorf("read the answer of %s: %w", c.server, err)
	}
	return response.StatusCode, body, nil
}

// A serverError is an error that the server answered with.
type serverError struct {
	Status    int    `json:"status"`
	Code      string `json:"code"` // empty: it was no cloudmirror that answered
	Message   string `json:"message"`
	RequestID string `json:"request_id,omitempty"`
}

func asServerError(status int, body []byte) *serverError {
	e := &serverError{}
	if err := json.Unmarshal(body, e); err != nil || e.Code == "" {
		e = &serverError{Message: "the answer is not in the form of cloudmirror"}
		if status/100 == 3 {
			e.Message = "the answer is a redirect, which is not followed: --server must be where it leads to"
		}
	}
	e.Status = status
	return e
}

// Error returns code and message, and the id by which operators find the request.
func (e *serverError) Error() string {
	text := fmt.Sprintf("%s (HTTP %d", plain(e.Message), e.Status)
	if e.Code != "" {
		text = plain(e.Code) + ": " + text
	}
	if e.RequestID != "" {
		text += ", request " + plain(e.RequestID)
	}
	return text + ")"
}
