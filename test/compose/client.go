package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"cloudmirror"
	"cloudmirror/origin/origintest"
)

const (
	smallBytes = 64 << 10
	askLimit   = 15 * time.Second // the test's wait is 5 s
	fetchLimit = 15 * time.Second
)

// An item is an object of the origin, and the region that it is asked for in.
type item struct {
	region string
	path   string
	size   int64
	rate   int64 // bytes per second that the origin sends; 0: all at once
}

func newItem(region string) item {
	return item{region: region, path: "/" + cloudmirror.NewID() + ".bin", size: smallBytes}
}

func (d *deployment) object(i item) cloudmirror.Object {
	raw := fmt.Sprintf("http://origin.localhost:%s%s?size=%d", d.ports["ORIGIN_PORT"], i.path, i.size)
	if i.rate > 0 {
		raw += fmt.Sprintf("&rate=%d", i.rate)
	}
	o, err := cloudmirror.ParseObject(raw)
	if err != nil {
		panic(err) // it is made above
	}
	return o
}

func (i item) backend() cloudmirror.BackendID {
	return cloudmirror.BackendID{Service: service, Region: i.region}
}

// An answer is where a client was sent, and why.
type answer struct {
	location   string
	cache      string // Cache-Status
	fromOrigin bool
}

func (a answer) String() string { return a.location + " (" + a.cache + ")" }

// A client asks front ends, follows redirects and compares bytes. Each request
// has a connection of its own, so that nothing is tried twice behind its back.
type client struct {
	d    *deployment
	http *http.Client
	// Proofs make it see wrong bytes, and keep purges to itself.
	flip, swallow atomic.Bool
}

func newClient(d *deployment) *client {
	transport := &http.Transport{
		DisableCompression: true, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if host, port, _ := net.SplitHostPort(address); strings.HasSuffix(host, ".localhost") {
				address = net.JoinHostPort("127.0.0.1", port) // RFC 6761, 6.3
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	return &client{d: d, http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (c *client) flipBytes()  { c.flip.Store(true) }
func (c *client) keepPurges() { c.swallow.Store(true) }

// behave ends what proofs began.
func (c *client) behave() {
	c.flip.Store(false)
	c.swallow.Store(false)
}

// get asks through the balancer and compares what it is led to.
func (c *client) get(ctx context.Context, i item) (answer, error) {
	return c.getFrom(ctx, c.d.balancerURL(), i)
}

func (c *client) getFrom(ctx context.Context, front string, i item) (answer, error) {
	a, err := c.ask(ctx, front, i)
	if err == nil {
		err = c.compare(ctx, a.location, i)
	}
	if err != nil {
		err = fmt.Errorf("%s of %s, sent to %s: %w", i.path, i.region, a, err)
	}
	return a, err
}

// ask returns where a front end leads. Every object exists, so that any answer
// but a redirect to its copy or its origin is an error.
func (c *client) ask(ctx context.Context, front string, i item) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	object := c.d.object(i)
	response, body, err := c.send(ctx, http.MethodGet, object.RedirectURL(front, i.backend()))
	if err != nil {
		return answer{}, err
	}
	a := answer{location: response.Header.Get("Location"), cache: response.Header.Get("Cache-Status")}
	a.fromOrigin = a.location == object.URL()
	storage := fmt.Sprintf("http://%s.localhost:%s/", i.region, c.d.ports[portOf(i.region)])
	switch {
	case response.StatusCode != http.StatusFound:
		return a, fmt.Errorf("%s: %s", response.Status, body)
	case !a.fromOrigin && !strings.HasPrefix(a.location, storage):
		return a, fmt.Errorf("the redirect leads neither to the origin nor to %s", storage)
	}
	return a, nil
}

func portOf(region string) string {
	return strings.ToUpper(strings.ReplaceAll(region, "-", "_")) + "_PORT"
}

// compare gets the object and compares it byte by byte.
func (c *client) compare(ctx context.Context, location string, i item) error {
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	response, body, err := c.send(ctx, http.MethodGet, location)
	switch {
	case err != nil:
		return err
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("%s from %s", response.Status, location)
	}
	if c.flip.Load() && len(body) > 0 {
		body[0]++
	}
	if !bytes.Equal(body, origintest.Bytes(i.path, i.size)) {
		return fmt.Errorf("%d bytes that are not the object's %d", len(body), i.size)
	}
	return nil
}

// purge purges by one front end, or the balancer.
func (c *client) purge(ctx context.Context, front string, i item) error {
	if c.swallow.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	response, body, err := c.send(ctx, http.MethodDelete, front+"/v1/purge/"+i.backend().String()+"/"+c.d.object(i).Target())
	if err == nil && response.StatusCode != http.StatusNoContent {
		err = fmt.Errorf("purge: %s: %s", response.Status, body)
	}
	return err
}

func (c *client) send(ctx context.Context, method, url string) (*http.Response, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, nil, err
	}
	if method == http.MethodDelete {
		request.Header.Set("Authorization", "Bearer "+adminToken)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<20))
	return response, body, err
}

// awaitCopy asks until it is sent to a copy.
func (c *client) awaitCopy(ctx context.Context, i item, limit time.Duration) error {
	return await(ctx, limit, func() error {
		a, err := c.get(ctx, i)
		if err == nil && a.fromOrigin {
			err = fmt.Errorf("%s of %s: there is no copy: %s", i.path, i.region, a.cache)
		}
		return err
	})
}

// copies returns how often copiers began to fetch an object.
func (c *client) copies(ctx context.Context, i item) (string, error) {
	return c.d.get(ctx, "http://127.0.0.1:"+c.d.ports["ORIGIN_PORT"]+"/-/started?path="+i.path)
}
