package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/api/client"
)

const (
	maxBatchBytes  = 512 << 10 // of URLs: nginx takes requests of 1 MiB by default
	minSplitURLs   = 100       // a batch of fewer is not refused for its size
	maxRunningJobs = 8         // of one command; a front end runs 16

	serverPatience  = 2 * time.Minute  // without an answer that counts
	firstPatience   = 5 * time.Second  // for a server that has never answered: is it the right one?
	jobPatience     = 10 * time.Second // while no front end that answers knows the job
	lastLookTimeout = 2 * time.Second
	maxIdleJobs     = 10 // of a batch in a row that end with nothing done
)

// A urlState is how far a URL of the list is.
type urlState byte

const (
	urlWaits urlState = iota
	urlPresent
	urlFailed
)

// A warmer has a server copy the URLs of a list, in jobs of a batch each. Make one
// with newWarmer; fields above mu are set before run.
type warmer struct {
	server   *client.Client
	backend  cloudmirror.BackendID // of any region: api.EveryRegion
	urls     []string
	wait     bool
	rate     float64 // URLs a second; 0: no limit
	progress *progress

	patience       time.Duration // how long the server may not answer
	firstPatience  time.Duration // the same, before it has ever answered
	forget         time.Duration // how long no front end that answers may know a job
	polls, retries pauses

	mu       sync.Mutex
	states   []urlState               // by index of the URL
	problems map[warmCopy]warmProblem // of copies, the first 100 of each job
	bytes    map[string]int64         // by job
	jobs     []string
	answered time.Time // when the server last gave an answer that counts
}

func newWarmer(server *client.Client, b cloudmirror.BackendID, urls []string, p *progress) *warmer {
	return &warmer{
		server: server, backend: b, urls: urls, states: make([]urlState, len(urls)), wait: true, progress: p,
		patience: serverPatience, firstPatience: firstPatience, forget: jobPatience,
		polls:    pauses{first: 200 * time.Millisecond, last: 2 * time.Second},
		retries:  pauses{first: 500 * time.Millisecond, last: 10 * time.Second},
		problems: make(map[warmCopy]warmProblem), bytes: make(map[string]int64),
	}
}

// A warmCopy names a copy that failed.
type warmCopy struct {
	url    int
	region string
}

// run asks for all URLs. Without an error each is present or has failed, or, if it
// does not wait, each was asked for.
func (w *warmer) run(ctx context.Context) error {
	stop := make(chan struct{})
	var showing sync.WaitGroup
	showing.Go(func() { w.progress.run(stop, w.tally) })
	defer showing.Wait()
	defer close(stop)

	most, limit := api.MaxWarmURLs, rate.Inf
	if w.rate > 0 {
		most, limit = int(min(max(math.Ceil(w.rate), 1), api.MaxWarmURLs)), rate.Limit(w.rate)
	}
	limiter := rate.NewLimiter(limit, most)
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(maxRunningJobs)
	for batch := range w.batches(most) {
		if err := limiter.WaitN(working, len(batch)); err != nil {
			break // the end of the context: group or ctx knows why
		}
		group.Go(func() error { return w.warm(working, batch) })
	}
	return cmp.Or(group.Wait(), ctx.Err())
}

// batches returns the indexes of the URLs in batches of as many at most.
func (w *warmer) batches(most int) func(yield func([]int) bool) {
	return func(yield func([]int) bool) {
		var batch []int
		size := 0
		for i, u := range w.urls {
			if len(batch) == most || size+len(u) > maxBatchBytes && len(batch) > 0 {
				if !yield(batch) {
					return
				}
				batch, size = nil, 0
			}
			batch, size = append(batch, i), size+len(u)
		}
		yield(batch)
	}
}

// warm asks for a batch, and for what is left of it again, until nothing is.
func (w *warmer) warm(ctx context.Context, batch []int) error {
	for idle := 0; len(batch) > 0; {
		r, err := w.start(ctx, batch)
		if isTooLarge(err) && len(batch) > minSplitURLs {
			half := len(batch) / 2
			if err := w.warm(ctx, batch[:half]); err != nil {
				return err
			}
			batch = batch[half:]
			continue
		}
		if err != nil || !w.wait {
			return err
		}
		if err := w.follow(ctx, batch, r); err != nil {
			return err
		}
		rest := w.pending(batch)
		if idle++; len(rest) < len(batch) {
			idle = 0
		}
		if idle == maxIdleJobs {
			return fmt.Errorf("%d jobs in a row ended with none of their %d URLs done", idle, len(batch))
		}
		if len(rest) > 0 {
			if err := sleep(ctx, w.retries.first); err != nil {
				return err
			}
		}
		batch = rest
	}
	return nil
}

// isTooLarge reports whether the server may have refused a batch for its size.
func isTooLarge(err error) bool {
	e, ok := errors.AsType[*client.Error](err)
	return ok && (e.Code == api.CodeInvalidRequest || e.Status == http.StatusRequestEntityTooLarge)
}

// start begins a job for a batch. It tries until the server takes it, unless the
// server refuses for good or is silent for too long.
func (w *warmer) start(ctx context.Context, batch []int) (*api.Job, error) {
	request := api.WarmRequest{Service: w.backend.Service, URLs: make([]string, len(batch)), Partial: true}
	if w.backend.Region != api.EveryRegion {
		request.Regions = []string{w.backend.Region}
	}
	for i, index := range batch {
		request.URLs[i] = w.urls[index]
	}
	for pause := w.retries.begin(); ; {
		r, err := w.heard(w.server.Warm(ctx, request))
		if err == nil {
			w.mu.Lock()
			w.jobs = append(w.jobs, r.ID)
			w.mu.Unlock()
			w.note(batch, r)
			return r, nil
		}
		if err := w.retry(ctx, err, &pause); err != nil {
			return nil, err
		}
	}
}

// follow asks how far a job is until it has ended, or is lost.
func (w *warmer) follow(ctx context.Context, batch []int, r *api.Job) error {
	var unknownSince time.Time
	poll, pause := w.polls.begin(), w.retries.begin()
	for r.State == api.JobRunning {
		if err := poll.wait(ctx); err != nil {
			w.lookLast(ctx, batch, r.ID)
			return err
		}
		next, err := w.heard(w.server.Job(ctx, r.ID))
		switch {
		case err == nil:
			r, unknownSince, pause = next, time.Time{}, w.retries.begin()
			w.note(batch, r)
		case isUnknownJob(err):
			if unknownSince.IsZero() {
				unknownSince = time.Now()
			}
			if time.Since(unknownSince) > w.forget {
				w.progress.say("a job is not known any more; asking again for what it had not done")
				return nil
			}
		default:
			if err := w.retry(ctx, err, &pause); err != nil {
				return err
			}
		}
	}
	if r.State != api.JobDone {
		w.progress.say(fmt.Sprintf("a job ended as %s; asking again for what it had not done", cloudmirror.Plain(string(r.State))))
	}
	return nil
}

// lookLast notes how far a job is when the command is interrupted, so that the file
// of what is not present is short.
func (w *warmer) lookLast(ctx context.Context, batch []int, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastLookTimeout)
	defer cancel()
	if r, err := w.server.Job(ctx, id); err == nil {
		w.note(batch, r)
	}
}

func isUnknownJob(err error) bool {
	e, ok := errors.AsType[*client.Error](err)
	return ok && e.Code == api.CodeUnknownJob
}

// heard passes on what a request for a job returned, and notes when the server last
// gave an answer that counts: a job, that there is none, or that too many run.
func (w *warmer) heard(r *api.Job, err error) (*api.Job, error) {
	e, isAnswer := errors.AsType[*client.Error](err)
	if err == nil || isAnswer && (e.Status == http.StatusTooManyRequests || e.Code == api.CodeUnknownJob) {
		w.mu.Lock()
		w.answered = time.Now()
		w.mu.Unlock()
	}
	return r, err
}

// retry waits before a request is made again. It returns an error instead if that is
// of no use.
func (w *warmer) retry(ctx context.Context, err error, pause *backOff) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	e, isAnswer := errors.AsType[*client.Error](err)
	if errors.Is(err, client.ErrOldServer) || isAnswer && e.Status < 500 && e.Status != http.StatusTooManyRequests {
		return err
	}
	w.mu.Lock()
	answered := w.answered
	w.mu.Unlock()
	if answered.IsZero() && !isAnswer && time.Since(pause.began) > w.firstPatience {
		return fmt.Errorf("nothing answered for %v: %w", w.firstPatience, err)
	}
	if min(time.Since(answered), time.Since(pause.began)) > w.patience {
		return fmt.Errorf("no answer that counts for %v: %w", w.patience, err)
	}
	w.progress.say("trying again: " + errorText(withoutRequest(err)))
	return pause.wait(ctx)
}

// withoutRequest returns an error without the id of the request: what is said of each
// try is said once.
func withoutRequest(err error) error {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return &client.Error{Status: e.Status, Code: e.Code, Message: e.Message}
	}
	return err
}
