package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

const (
	connections = 64
	goalEcho    = 0.75 // of bare Echo's requests per CPU second
)

// A candidate answers redirects, and is measured in turns with the others.
type candidate struct {
	name    string
	process *process
	rates   []float64 // redirects per CPU second, by round
	speeds  []float64 // redirects per second, by round
	others  int64     // answers that were no redirects
}

// A hit is the answer of cloudmirror that the others are to imitate.
type hit struct {
	url    string // of the origin
	header http.Header
	body   string
}

func measureHits(ctx context.Context, l *lab) (result, error) {
	origin, err := l.startOrigin(ctx)
	if err != nil {
		return result{}, err
	}
	defer origin.stop()
	h := hit{url: "http://" + origin.address + "/releases/2026/tool-1.2.3-linux-amd64.tar.gz?size=1024"}
	var candidates []*candidate
	defer func() {
		for _, c := range candidates {
			c.process.stop()
		}
	}()
	var notes []string
	for _, c := range []struct {
		name     string
		start    func(context.Context, *lab, *hit) (*process, error)
		isNeeded bool
	}{
		{"`cloudmirror serve`, cache in memory", startEmbedded, true},
		{"bare Echo", startBareEcho, true},
		{"`cloudmirror frontend`, cache in Redis (for information)", startFrontend, false},
		{"the same without its near cache: a read of Redis each", startWithoutNear, false},
		{"nginx `return 302` (for information)", startNginx, false},
	} {
		p, err := c.start(ctx, l, &h)
		switch {
		case err == nil:
			candidates = append(candidates, &candidate{name: c.name, process: p})
		case c.isNeeded:
			return result{}, err
		default:
			notes = append(notes, fmt.Sprintf("Not measured: %s: %v.", c.name, err))
			fmt.Fprintln(os.Stderr, "bench:", notes[len(notes)-1])
		}
	}
	if err := takeTurns(ctx, l.effort, candidates, redirectPath(h.url)); err != nil {
		return result{}, err
	}
	return reportHits(l.effort, candidates, notes), nil
}

func startEmbedded(ctx context.Context, l *lab, h *hit) (*process, error) {
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

// learn has the object copied and keeps the answer to the next request.
func (h *hit) learn(ctx context.Context, l *lab, p *process) error {
	for range 2 {
		response, err := l.get(ctx, "http://"+p.address+redirectPath(h.url))
		if err != nil {
			return err
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
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

func startBareEcho(ctx context.Context, l *lab, h *hit) (*process, error) {
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
	return l.start(ctx, server{program: l.path("bareecho"), args: []string{"ADDRESS", "CONFIG"}, config: string(answer)})
}

func startFrontend(ctx context.Context, l *lab, h *hit) (*process, error) {
	return startOnRedis(ctx, l, h, "")
}

func startWithoutNear(ctx context.Context, l *lab, h *hit) (*process, error) {
	return startOnRedis(ctx, l, h, ", near: {memory: 0}")
}

// startOnRedis has the copy made by a server that shares the front end's Redis.
// The front end reaches nothing but Redis, which is all that a hit needs.
func startOnRedis(ctx context.Context, l *lab, h *hit, near string) (p *process, err error) {
	program, err := find("redis-server", "apt-get install redis-server")
	if err != nil {
		return nil, err
	}
	redis, err := l.start(ctx, server{program: program, args: []string{"--port", "PORT", "--bind", "127.0.0.1", "--save", "", "--dir", "DIR"}})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			redis.stop()
		}
	}()
	cache := "cache: {type: redis, redis: {url: 'redis://" + redis.address + "/0'" + near + "}}\n"
	maker, err := l.startConfigured(ctx, "serve", cache, "{type: file}")
	if err != nil {
		return nil, err
	}
	defer maker.stop()
	if err := h.learn(ctx, l, maker); err != nil {
		return nil, err
	}
	p, err = l.startConfigured(ctx, "frontend", cache+"queue: {type: sqs, sqs: {endpoint: 'http://127.0.0.1:9'}}\nhealth: {interval: 0s}\n",
		"{type: s3, bucket: copies, endpoint: 'http://127.0.0.1:9', path_style: true}")
	if err != nil {
		return nil, err
	}
	p.behind = redis
	return p, nil
}

func startNginx(ctx context.Context, l *lab, h *hit) (*process, error) {
	program, err := find("nginx", "apt-get install nginx-light")
	if err != nil {
		return nil, err
	}
	return l.start(ctx, server{program: program, args: []string{"-c", "CONFIG", "-e", "stderr"}, config: `daemon off;
master_process off;
pid DIR/nginx.pid;
events {}
http {
  access_log off;
  keepalive_requests 1000000000;
  server { listen ADDRESS; location / { return 302 ` + h.header.Get("Location") + `; } }
}
`})
}

// takeTurns loads one candidate after the other, round by round, each round with
// another one first. The first round only warms them up.
func takeTurns(ctx context.Context, how effort, candidates []*candidate, path string) error {
	for round := range how.rounds + 1 {
		for i := range candidates {
			c := candidates[(i+round)%len(candidates)]
			before, err := c.process.cpu()
			if err != nil {
				return err
			}
			redirects, others, err := load(ctx, c.process.address, path, connections, how.round)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			after, err := c.process.cpu()
			if err != nil {
				return err
			}
			if round > 0 {
				c.rates = append(c.rates, float64(redirects)/(after-before).Seconds())
				c.speeds = append(c.speeds, float64(redirects)/how.round.Seconds())
				c.others += others
			}
		}
	}
	return nil
}

func reportHits(how effort, candidates []*candidate, notes []string) result {
	serve, echo := candidates[0], candidates[1]
	var rows [][]string
	for _, c := range candidates {
		if c.others > 0 {
			notes = append(notes, fmt.Sprintf("%s: %d answers were no redirects and do not count.", c.name, c.others))
		}
		rows = append(rows, []string{
			c.name, spread(c.rates, 0), fmt.Sprintf("%.1f", 1e6/median(c.rates)), spread(ratios(c.rates, echo.rates), 2), fmt.Sprintf("%.0f", median(c.speeds)),
		})
	}
	notes = append(notes, "")
	if nginx := candidates[len(candidates)-1]; strings.HasPrefix(nginx.name, "nginx") {
		notes[len(notes)-1] = fmt.Sprintf("Bare Echo itself reaches %s of nginx's requests per CPU second.", spread(ratios(echo.rates, nginx.rates), 2))
	}
	ratio := ratios(serve.rates, echo.rates)
	text := fmt.Sprintf(`One object is asked for again and again on %d keep-alive connections of plain HTTP, by a client in a process of its own. The servers, each a process, take turns: %d rounds of %v each after one to warm up, each round beginning with another server. CPU seconds are those of the server's process, in user mode and in the kernel, from /proc/PID/stat; Redis' own are not in them. Bare Echo is test/bench/bareecho: one route, a map look-up, cloudmirror's headers and body. Numbers are medians over the rounds with [quartiles]; ratios are taken within each round.

%s
%s`, connections, how.rounds, how.round,
		table([]string{"server", "requests per CPU second", "µs of CPU per request", "ratio to bare Echo", "requests per second"}, rows),
		strings.Join(notes, "\n\n")+"\n")
	return result{
		goals: []goal{{
			what: "a hit: requests per CPU second, against bare Echo's", want: fmt.Sprintf("≥ %.2f", goalEcho),
			measured: spread(ratio, 2), verdict: judge(median(ratio) >= goalEcho),
		}},
		text: text,
	}
}
