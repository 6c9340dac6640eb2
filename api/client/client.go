package client

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
)

// requestTimeout bounds one request. A purge waits for front ends that may have
// the entry in memory, about a second; looking through dead letters takes 20 s.
const requestTimeout = time.Minute

// dialTimeout bounds the start of a connection, where a firewall swallows it.
const dialTimeout = 10 * time.Second

// MaxAnswerBytes bounds what is read of an answer; the rest is cut off.
const MaxAnswerBytes = 16 << 20

// Options are what a Client is made of.
type Options struct {
	Server    string // the URL of the front end, without user, query and fragment
	Token     string // of an operator, sent with each request; "": none is
	UserAgent string
}

// A Client asks one front end. It is safe for concurrent use.
type Client struct {
	server    string
	token     string
	userAgent string
	http      *http.Client
}

// New returns a Client. Close it when done. It goes through the proxy that the
// environment names.
func New(o Options) *Client {
	return &Client{
		server:    strings.TrimSuffix(o.Server, "/"),
		token:     o.Token,
		userAgent: o.UserAgent,
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

// Close closes the connections that no request uses.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// get returns an answer of JSON, whose status is 200.
func (c *Client) get(ctx context.Context, path string) (json.RawMessage, error) {
	body, err := c.send(ctx, http.MethodGet, path, nil, http.StatusOK)
	if err != nil {
		return nil, err
	}
	if !json.Valid(body) {
		return nil, errors.New("the server's answer is no JSON: is it a cloudmirror?")
	}
	return body, nil
}

// send makes a request with a body of JSON, if it is not nil, and returns the
// answer's if it has the wanted status.
func (c *Client) send(ctx context.Context, method, path string, payload []byte, want int) ([]byte, error) {
	status, body, err := c.exchange(ctx, method, path, payload)
	if err != nil {
		return nil, err
	}
	if status != want {
		return nil, asError(status, body)
	}
	return body, nil
}

// exchange makes a request with a body of JSON, if it is not nil, and returns the
// answer.
func (c *Client) exchange(ctx context.Context, method, path string, payload []byte) (status int, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, method, c.server+path, bytes.NewReader(payload))
	if err != nil {
		return 0, nil, fmt.Errorf("make the request: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", c.userAgent)
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
	body, err = io.ReadAll(io.LimitReader(response.Body, MaxAnswerBytes))
	if err != nil {
		return 0, nil, fmt.Errorf("read the answer of %s: %w", c.server, err)
	}
	return response.StatusCode, body, nil
}
