package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cloudmirror/test/lab"

	"golang.org/x/sync/errgroup"
)

const (
	goalHitCommands  = 1 // of Redis
	goalMissCommands = 6
	goalS3Requests   = 3 // a small copy
	goalSQSRequests  = 0.3

	tripClients = 64
	hitsOfEach  = 5
)

// trips is what is asked of each part, of a deployment with something to count in
// front of each.
type trips struct {
	lab        *laboratory
	origin     *process
	deployment *deployment
	plain      *process // a front end that remembers nothing
	redis      *redisMonitor
	sqs, s3    *countingProxy
}

// A tally is what a number of clients' requests cost.
type tally struct {
	requests       int
	redis, sqs, s3 map[string]int
}

func (t tally) each(of map[string]int) float64 { return float64(sum(of)) / float64(t.requests) }

func measureTrips(ctx context.Context, l *laboratory) (result, error) {
	t := &trips{lab: l}
	defer t.stop()
	if err := t.start(ctx); err != nil {
		return result{}, err
	}
	quietObjects := max(10, l.countedObjects/20)
	quiet, err := t.count(ctx, t.deployment.front, "quiet", quietObjects, 1)
	if err != nil {
		return result{}, err
	}
	busy, err := t.count(ctx, t.deployment.front, "busy", l.countedObjects, tripClients)
	if err != nil {
		return result{}, err
	}
	near, err := t.countHits(ctx, t.deployment.front, quietObjects)
	if err != nil {
		return result{}, err
	}
	plain, err := t.countHits(ctx, t.plain, quietObjects)
	if err != nil {
		return result{}, err
	}
	r := reportTrips(quiet, busy, near, plain)
	r.text += l.takeRefusals()
	return r, nil
}

func (t *trips) start(ctx context.Context) (err error) {
	if t.origin, err = t.lab.startOrigin(ctx); err != nil {
		return err
	}
	t.deployment, err = t.lab.deploy(ctx, plan{
		copier: "copier: {concurrency: 64}\nlimits: {copies_per_host: 0}\n",
		wrap: func(name, address string) (_ string, err error) {
			proxy, nameOf := &t.sqs, sqsRequest
			if name == "S3" {
				proxy, nameOf = &t.s3, s3Request
			}
			if *proxy, err = startCounting(address, nameOf); err != nil {
				return "", err
			}
			return (*proxy).Address, nil
		},
	})
	if err != nil {
		return err
	}
	d := t.deployment
	if t.plain, err = t.lab.startConfigured(ctx, "frontend", cacheOn(d.redis, withoutNear)+d.lines, d.storage); err != nil {
		return err
	}
	t.redis, err = watchRedis(ctx, d.redis.address)
	return err
}

func (t *trips) stop() {
	if t.redis != nil {
		t.redis.stop()
	}
	for _, p := range []*process{t.plain, t.origin} {
		if p != nil {
			p.stop()
		}
	}
	if t.deployment != nil {
		t.deployment.stop()
	}
	for _, p := range []*countingProxy{t.sqs, t.s3} {
		if p != nil {
			p.Close()
		}
	}
}

// count has that number of clients at once ask for objects that are not there yet.
func (t *trips) count(ctx context.Context, front *process, name string, objects, clients int) (tally, error) {
	if err := t.ask(ctx, front, "warm-up-"+name, clients, clients); err != nil {
		return tally{}, err
	}
	if _, err := t.take(ctx, 1); err != nil {
		return tally{}, err
	}
	if err := t.ask(ctx, front, name, objects, clients); err != nil {
		return tally{}, err
	}
	return t.take(ctx, objects)
}

// countHits asks for objects that are there, again and again.
func (t *trips) countHits(ctx context.Context, front *process, objects int) (tally, error) {
	if err := t.ask(ctx, front, "quiet", objects, 1); err != nil { // its first hit may look
		return tally{}, err
	}
	if _, err := t.take(ctx, 1); err != nil {
		return tally{}, err
	}
	for range hitsOfEach {
		if err := t.ask(ctx, front, "quiet", objects, 1); err != nil {
			return tally{}, err
		}
	}
	return t.take(ctx, objects*hitsOfEach)
}

// ask has clients ask for objects. They do not follow the redirects: what they
// read is no request of cloudmirror.
func (t *trips) ask(ctx context.Context, front *process, name string, objects, clients int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(clients)
	for i := range objects {
		group.Go(func() error {
			url := fmt.Sprintf("http://%s/%s/%d.bin?size=%d", t.origin.address, name, i, smallBytes)
			_, err := t.lab.awaitCopy(ctx, "http://"+front.address+redirectPath(url))
			return err
		})
	}
	return group.Wait()
}

// take returns what was counted since the last time, acknowledgements that come
// after the answers included.
func (t *trips) take(ctx context.Context, requests int) (tally, error) {
	if err := lab.Pause(ctx, 2*time.Second); err != nil {
		return tally{}, err
	}
	if err := t.redis.settle(ctx); err != nil {
		return tally{}, err
	}
	return tally{requests: requests, redis: t.redis.take(), sqs: t.sqs.take(), s3: t.s3.take()}, nil
}

func reportTrips(quiet, busy, near, plain tally) result {
	columns := []tally{quiet, busy, near, plain}
	var rows [][]string
	for _, part := range []struct {
		name string
		of   func(tally) map[string]int
	}{
		{"Redis", func(t tally) map[string]int { return t.redis }},
		{"SQS", func(t tally) map[string]int { return t.sqs }},
		{"S3", func(t tally) map[string]int { return t.s3 }},
	} {
		names := make(map[string]bool)
		all := []string{"**" + part.name + "**"}
		for _, column := range columns {
			all = append(all, fmt.Sprintf("**%.2f**", column.each(part.of(column))))
			for name := range part.of(column) {
				names[name] = true
			}
		}
		rows = append(rows, all)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			row := []string{name}
			for _, column := range columns {
				row = append(row, fmt.Sprintf("%.2f", float64(part.of(column)[name])/float64(column.requests)))
			}
			rows = append(rows, row)
		}
	}
	head := []string{"asked for each request", "a miss, quiet", fmt.Sprintf("a miss, %d clients", tripClients), "a hit, near cache", "a hit without it"}
	misses := max(quiet.each(quiet.redis), busy.each(busy.redis))
	return result{
		goals: []goal{
			atMost("Redis commands a hit, without near cache", asCount, goalHitCommands, plain.each(plain.redis)),
			atMost("Redis commands a miss", asCount, goalMissCommands, misses),
			atMost("S3 requests a small copy", asCount, goalS3Requests, max(quiet.each(quiet.s3), busy.each(busy.s3))),
			atMost("SQS requests a job under load", asCount, goalSQSRequests, busy.each(busy.sqs)),
		},
		text: strings.TrimSpace(fmt.Sprintf(`What front end and copier together ask of Redis, SQS and S3, counted on the way: by MONITOR, of clients' commands about entries alone, and by proxies before the other two. Objects of %d bytes; %d of them one after the other, then %d of them for %d clients at once with a copier of 64 copies at a time. Clients' own reads of copies are not made. What only asks whether a part is there, every ten seconds, is not counted. Idle long polls are, and weigh more the fewer the jobs.

%s`, smallBytes, quiet.requests, busy.requests, tripClients, lab.Table(head, rows))),
	}
}
