package engine_test

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/engine"
	"cloudmirror/queue"
	"cloudmirror/storage"
)

// copy is a copier that takes one message and ends as it is told.
func (h *history) copy(ctx context.Context, end string, twice bool) {
	job, ok := h.jobs.take(twice)
	if !ok {
		return
	}
	h.tick("a copier takes a job of generation %.4s, to %s", job.Generation, end)
	attempt, outcome, err := h.engines["copier"].Begin(ctx, job)
	h.tick("the attempt's outcome is %d, %v", outcome, err)
	switch {
	case err != nil, outcome == engine.Held:
		h.jobs.add(job)
		return
	case outcome != engine.Begun:
		return
	}
	info, err := h.upload(ctx, attempt, attempt.Replace())
	if errors.Is(err, storage.ErrExist) {
		info, err = h.find(ctx, attempt)
	}
	switch {
	case end == "die":
		h.jobs.add(job)
	case err != nil, end == "hand back":
		_ = attempt.HandBack(ctx, 0)
	case end == "fail":
		_, _ = attempt.Fail(ctx, &cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 500})
	case end == "prove":
		_ = attempt.Prove(ctx)
		h.complete(ctx, attempt, info, job)
	case end == "renew":
		_ = attempt.Renew(ctx, cache.Progress{DoneBytes: 1})
		fallthrough
	default:
		h.complete(ctx, attempt, info, job)
	}
}

func (h *history) upload(ctx context.Context, a *engine.Attempt, replace bool) (storage.Info, error) {
	expires := a.ExpiresAt()
	if err := h.call(ctx, "copier origin get", func() {}); err != nil {
		return storage.Info{}, err
	}
	body := strconv.Itoa(h.tick("the upload begins"))
	parts := &scheduledStorage{bucket: h.bucket, schedule: &h.schedule, process: "copier"}
	return parts.Put(ctx, a.StorageKey(), strings.NewReader(body), storage.PutOptions{
		SizeBytes: int64(len(body)), ExpiresAt: expires, Replace: replace,
	})
}

// find does what copiers do whose place is taken.
func (h *history) find(ctx context.Context, a *engine.Attempt) (storage.Info, error) {
	parts := &scheduledStorage{bucket: h.bucket, schedule: &h.schedule, process: "copier"}
	info, err := parts.Stat(ctx, a.StorageKey())
	if err == nil && !a.IsGood(info) || errors.Is(err, storage.ErrNotExist) {
		return h.upload(ctx, a, true)
	}
	return info, err
}

func (h *history) complete(ctx context.Context, a *engine.Attempt, info storage.Info, job queue.Job) {
	var err error
	for range 3 {
		if err = a.Complete(ctx, info); !errors.Is(err, engine.ErrUnavailable) {
			break
		}
	}
	h.tick("the attempt ends with %v", err)
	if err != nil {
		h.jobs.add(job)
	}
}
