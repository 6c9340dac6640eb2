package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// An outcome is what a client got.
type outcome string

const (
	right     outcome = "right"       // the object's bytes
	wrong     outcome = "wrong"       // other bytes, another status, or a redirect that leads nowhere
	serverErr outcome = "5xx"         // 5xx from us, or a broken connection that retrying did not mend
	hang      outcome = "no answer"   // none within askLimit; counts as wrong
	deadCopy  outcome = "dead copy"   // a redirect to a region while nobody could know yet that clients cannot reach it
	noOrigin  outcome = "origin down" // it depended on the origin, which was down for clients
)

// Limits of a client's patience. A front end answers within its wait, plus what
// it needs to find out that a part is down.
const (
	askLimit    = waitSeconds*time.Second + 8*time.Second
	headerLimit = 15 * time.Second
	stallLimit  = 10 * time.Second // without a byte
)

// A record is one request and what came of it.
type record struct {
	item    item
	begun   time.Time
	asked   time.Duration // until the redirect
	ended   time.Time
	outcome outcome
	where   string // "copy" or "origin": where the client was sent
	cache   string // Cache-Status
	retried bool   // the connection to us broke, and was tried once more
	detail  string // what is wrong
}

// A client of the load.
type client struct {
	d        *deployment
	http     *http.Client
	patience time.Duration // with us
}

// newClient returns a client that reaches the origin by a way of its own, not
// that of the copiers, unless told otherwise.
func newClient(d *deployment) *client {
	dialer := &net.Dialer{Timeout: headerLimit}
	transport := &http.Transport{
		DisableCompression: true, MaxIdleConnsPerHost: 64,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if address == d.originName && !d.clientsShareOrigin.Load() {
				address = d.originDirect
			}
			return dialer.DialContext(ctx, network, address)
		},
	}
	return &client{d: d, patience: askLimit, http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// get asks for an object, follows to where it is sent and compares the bytes.
func (c *client) get(ctx context.Context, i item) record {
	r := record{item: i, begun: time.Now()}
	object := i.object(c.d.originName)
	location, err := c.ask(ctx, object.RedirectURL(c.d.frontURL(), i.backend()), &r)
	r.asked = time.Since(r.begun)
	if err == nil && location != "" {
		r.where = "copy"
		if location == object.URL() {
			r.where = "origin"
		}
		if problem := c.fetch(ctx, i, location); problem != "" {
			r.outcome, r.detail = c.blame(r, problem), problem+" at "+location
		}
	}
	r.ended = time.Now()
	return r
}

// ask sends the request to us and returns where it leads. Without a location
// the outcome is set.
func (c *client) ask(ctx context.Context, url string, r *record) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	response, err := c.send(ctx, url)
	if err != nil && ctx.Err() == nil {
		r.retried = true
		response, err = c.send(ctx, url)
	}
	if err != nil {
		r.outcome, r.detail = serverErr, err.Error()
		if ctx.Err() != nil {
			r.outcome = hang
		}
		return "", err
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	r.cache = response.Header.Get("Cache-Status")
	r.outcome, r.detail = judge(response, string(body))
	if r.outcome != right {
		return "", nil
	}
	return response.Header.Get("Location"), nil
}

// judge says what an answer of ours is worth before it is followed. Every object
// exists, so only a redirect is right.
func judge(response *http.Response, body string) (outcome, string) {
	switch {
	case response.StatusCode >= 500:
		return serverErr, response.Status + " " + body
	case response.StatusCode != http.StatusFound:
		return wrong, response.Status + " " + body
	case !strings.HasPrefix(response.Header.Get("Location"), "http://"):
		return wrong, "redirect to " + response.Header.Get("Location")
	}
	return right, ""
}

func (c *client) send(ctx context.Context, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return c.http.Do(request)
}

// fetch gets the object from where a redirect leads, and says what is wrong.
func (c *client) fetch(ctx context.Context, i item, location string) string {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	patience := time.AfterFunc(headerLimit, cancel)
	defer patience.Stop()
	response, err := c.send(ctx, location)
	if err != nil {
		return "no answer: " + err.Error()
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return response.Status
	}
	h := sha256.New()
	var n int64
	block := make([]byte, 64<<10)
	for {
		patience.Reset(stallLimit)
		read, err := response.Body.Read(block)
		h.Write(block[:read])
		n += int64(read)
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Sprintf("broken after %d of %d bytes: %v", n, i.size, err)
		}
	}
	if [sha256.Size]byte(h.Sum(nil)) != c.d.digests.of(i) {
		return fmt.Sprintf("other bytes, %d of %d", n, i.size)
	}
	return ""
}

// blame says whose fault it is that a redirect led to nothing.
func (c *client) blame(r record, problem string) outcome {
	if strings.HasPrefix(problem, "other bytes") {
		return wrong
	}
	asked := r.begun.Add(r.asked)
	switch {
	case r.where == "origin" && c.d.originWasDown(r.begun, time.Now()):
		return noOrigin
	case r.where == "copy" && c.d.isExcused(r.item.region, asked):
		return deadCopy
	}
	return wrong
}
