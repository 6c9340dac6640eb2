package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Await calls ask at once, and then at each interval, until it returns nil. When
// ctx ends it returns the last error of ask.
func Await(ctx context.Context, interval time.Duration, ask func() error) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// Pause waits for d, or until ctx ends, whose error it returns then.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Accepts returns a Command's Ready: something listens on the address.
func Accepts(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// Answers returns a Command's Ready: a GET of the URL is answered with 200.
func Answers(url string) func(context.Context) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return func(ctx context.Context) error {
		_, err := Get(ctx, client, url)
		return err
	}
}

// IsReady returns a Command's Ready: cloudmirror at the address says that it is.
func IsReady(address string) func(context.Context) error {
	return Answers("http://" + address + "/readyz")
}

// Get returns the body of an answer with 200. Any other answer is an error.
func Get(ctx context.Context, c *http.Client, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	response, err := c.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, response.Status)
	}
	return string(body), err
}
