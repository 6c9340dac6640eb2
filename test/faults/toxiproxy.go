package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"cloudmirror/test/lab"
)

// Links are the ways between the parts. Each goes through a proxy of its own.
// The two of a region are how our processes and how clients reach its storage.
const (
	redisFrontends = "redis-frontends"
	redisCopiers   = "redis-copiers"
	sqsFrontends   = "sqs-frontends"
	sqsCopiers     = "sqs-copiers"
	originCopiers  = "origin-copiers"
	s3Prefix       = "s3-"
	publicPrefix   = "public-"
)

// A toxiproxy is a running proxy server, driven over its HTTP interface.
type toxiproxy struct {
	api    string
	client *http.Client
}

// A toxic is what a proxy does to the data that comes from its upstream, or goes
// to it.
type toxic struct {
	Name       string         `json:"name"`
	Type       string         `json:"type"`
	Stream     string         `json:"stream"` // upstream or downstream
	Toxicity   float64        `json:"toxicity"`
	Attributes map[string]int `json:"attributes"`
}

func startToxiproxy(ctx context.Context, l *laboratory) (*toxiproxy, *lab.Process, error) {
	port, err := lab.FreePort()
	if err != nil {
		return nil, nil, err
	}
	path, err := lab.Find("server", "`make faults`")
	if err != nil {
		if path, err = lab.Find("toxiproxy-server", "`make faults`"); err != nil {
			return nil, nil, err
		}
	}
	address := "127.0.0.1:" + port
	p, err := l.start(ctx, "toxiproxy", lab.Command{
		Program: path, Args: []string{"-host", "127.0.0.1", "-port", port},
		Env: []string{"LOG_LEVEL=fatal"}, Ready: lab.Accepts(address),
	})
	return &toxiproxy{api: "http://" + address, client: &http.Client{
		// It ends idle connections after 10 s, which is how long many faults last.
		Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second,
	}}, p, err
}

// link makes a proxy between two addresses.
func (t *toxiproxy) link(ctx context.Context, name, listen, upstream string) error {
	return t.call(ctx, http.MethodPost, "/proxies", map[string]any{
		"name": name, "listen": listen, "upstream": upstream, "enabled": true,
	})
}

// enable opens a link or closes it: connections are then refused, and those that
// are open break.
func (t *toxiproxy) enable(ctx context.Context, link string, enabled bool) error {
	return t.call(ctx, http.MethodPost, "/proxies/"+link, map[string]any{"enabled": enabled})
}

// point leads a link somewhere else. Open connections break.
func (t *toxiproxy) point(ctx context.Context, link, upstream string) error {
	return t.call(ctx, http.MethodPost, "/proxies/"+link, map[string]any{"upstream": upstream})
}

func (t *toxiproxy) add(ctx context.Context, link string, x toxic) error {
	x.Name, x.Toxicity = x.Type+"-"+x.Stream, 1
	return t.call(ctx, http.MethodPost, "/proxies/"+link+"/toxics", x)
}

func (t *toxiproxy) remove(ctx context.Context, link string, x toxic) error {
	return t.call(ctx, http.MethodDelete, "/proxies/"+link+"/toxics/"+x.Type+"-"+x.Stream, nil)
}

func (t *toxiproxy) call(ctx context.Context, method, path string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, t.api+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	response, err := t.client.Do(request)
	if err != nil {
		return fmt.Errorf("toxiproxy: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 300 {
		err = errors.New(response.Status + " " + string(answer))
	}
	if err != nil {
		return fmt.Errorf("toxiproxy: %s %s: %w", method, path, err)
	}
	return nil
}
