package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"cloudmirror/test/lab"
)

// A hit is the answer of cloudmirror that its peers are to imitate.
type hit struct {
	url    string // of the origin
	header http.Header
	body   string
}

// learn has the object copied and keeps the answer to the next request.
func (h *hit) learn(ctx context.Context, l *laboratory, p *process) error {
	for range 2 {
		response, body, err := l.read(ctx, "http://"+p.address+redirectPath(h.url))
		if err != nil {
			return err
		}
		h.header, h.body = response.Header, string(body)
	}
	if status := h.header.Get("Cache-Status"); !strings.Contains(status, "; hit;") {
		return fmt.Errorf("the object is not present: Cache-Status %q, %s", status, h.body)
	}
	return nil
}

// startServe starts the whole of cloudmirror in one process.
func (l *laboratory) startServe(ctx context.Context, h *hit) (*process, error) {
	p, err := l.startEmbedded(ctx, "DIR")
	if err != nil {
		return nil, err
	}
	if err := h.learn(ctx, l, p); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// startBareEcho starts bare Echo with the settings of the garbage collector that
// cloudmirror has.
func (l *laboratory) startBareEcho(ctx context.Context, h *hit, gogc float64) (*process, error) {
	var header [][2]string
	for name, values := range h.header {
		switch name {
		case "Date", "Content-Length", "Content-Type": // net/http and Echo set them
		default:
			header = append(header, [2]string{name, values[0]})
		}
	}
	path := redirectPath(h.url)
	answer, err := json.Marshal(map[string]any{
		"target": path[strings.LastIndex(path, "/")+1:], "content_type": h.header.Get("Content-Type"), "header": header, "body": h.body,
	})
	if err != nil {
		return nil, err
	}
	return l.start(ctx, server{config: string(answer), Command: lab.Command{
		Program: l.path("bareecho"), Args: []string{"ADDRESS", "CONFIG"}, Env: []string{fmt.Sprintf("GOGC=%.0f", gogc)},
	}})
}

// startOnRedis starts a front end on a Redis of its own. The copy is made by a
// server that shares it.
func (l *laboratory) startOnRedis(ctx context.Context, h *hit, near ...string) (p *process, err error) {
	redis, err := l.startRedis(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			redis.stop()
		}
	}()
	maker, err := l.startConfigured(ctx, "serve", cacheOn(redis, near...), "{type: file}")
	if err != nil {
		return nil, err
	}
	defer maker.stop()
	if err := h.learn(ctx, l, maker); err != nil {
		return nil, err
	}
	if p, err = l.startConfigured(ctx, "frontend", cacheOn(redis, near...)+nowhere, nowhereStorage); err != nil {
		return nil, err
	}
	p.behind = redis
	return p, nil
}

func (l *laboratory) startNginx(ctx context.Context, h *hit) (*process, error) {
	program, err := lab.FindNginx()
	if err != nil {
		return nil, err
	}
	return l.start(ctx, nginxServer(program, `keepalive_requests 1000000000;
    server { listen ADDRESS; location / { return 302 `+h.header.Get("Location")+`; } }`))
}

// nginxServer returns an nginx with a text in the http block of its configuration.
func nginxServer(program, http string) server {
	return server{
		Command: lab.Command{Program: program, Args: lab.NginxArguments("DIR", "CONFIG")}, config: lab.NginxConfig("DIR", 512, http),
	}
}
