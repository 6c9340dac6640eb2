package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"cloudmirror/api"
	"cloudmirror/kv"
)

// Tables of the store. A running job has a record in both: its report, which lives
// for life after it was last written, and a sign of life of its process.
const (
	reports kv.Table = "jobs"
	signs   kv.Table = "jobsalive"
)

// Silence is after how long a running job is lost whose process does not renew its
// sign of life.
const Silence = 10 * time.Second

const (
	life         = 24 * time.Hour
	publishEvery = time.Second // at most
	renewEvery   = 3 * time.Second
	storeTimeout = time.Second
	lastTries    = 30 // to write the end of a job while the store is down
	maxIDBytes   = 64
)

// Find returns a job of this or of another process. The error is ErrUnknown if there
// is none; any other means that the store cannot say.
func (js *Jobs) Find(ctx context.Context, id string) (api.Job, error) {
	if j := js.own(id); j != nil {
		r, _ := j.report()
		return r, nil
	}
	if js.store == nil || id == "" || len(id) > maxIDBytes {
		return api.Job{}, ErrUnknown
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	value, err := js.store.Get(ctx, reports, id)
	if errors.Is(err, kv.ErrNotFound) {
		return api.Job{}, ErrUnknown
	}
	if err != nil {
		return api.Job{}, fmt.Errorf("jobs: find a job: %w", err)
	}
	var r api.Job
	if err := json.Unmarshal(value, &r); err != nil {
		return api.Job{}, fmt.Errorf("jobs: read a job: %w", err)
	}
	if r.State != api.JobRunning {
		return r, nil
	}
	_, err = js.store.Get(ctx, signs, id)
	switch {
	case errors.Is(err, kv.ErrNotFound):
		r.State = api.JobLost
	case err != nil:
		return api.Job{}, fmt.Errorf("jobs: find the sign of life of a job: %w", err)
	}
	return r, nil
}

// own returns a job of this process, or nil.
func (js *Jobs) own(id string) *job {
	js.mu.Lock()
	defer js.mu.Unlock()
	for _, j := range js.kept {
		if j.id == id {
			return j
		}
	}
	return nil
}

// publish keeps the job's report and sign of life in the store, until the job has
// ended and its end is written.
func (js *Jobs) publish(j *job, ended <-chan struct{}) {
	if js.store == nil {
		close(j.published)
		return
	}
	tick := time.NewTicker(publishEvery)
	defer tick.Stop()
	p := publisher{store: js.store, logger: js.logger, job: j}
	p.write()
	close(j.published)
	for {
		select {
		case <-tick.C:
			p.writeIfDue()
			continue
		case <-ended:
		}
		break
	}
	for range lastTries {
		if p.write() || js.life.Err() != nil {
			return
		}
		pause(js.life, publishEvery)
	}
}

// A publisher writes the records of one job.
type publisher struct {
	store  kv.Store
	logger *zap.Logger
	job    *job

	written int       // changes of the job that are in the store
	renewed time.Time // when a write last succeeded; zero: the last one failed
	isDown  bool
}

// writeIfDue writes if the job has changed, or if the sign of life is old.
func (p *publisher) writeIfDue() {
	if _, changes := p.job.report(); changes != p.written || time.Since(p.renewed) >= renewEvery {
		p.write()
	}
}

// write writes the records. It reports whether the store took them.
func (p *publisher) write() bool {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	r, changes := p.job.report()
	r.Shared = true
	var err error
	if r.State == api.JobRunning { // before the report: no other process finds a running job without it
		err = p.store.Put(ctx, signs, r.ID, nil, Silence)
	}
	var value []byte
	if err == nil {
		value, err = encode(r)
	}
	if err == nil {
		err = p.store.Put(ctx, reports, r.ID, value, life)
	}
	p.job.isShared.Store(err == nil)
	if err != nil {
		if !p.isDown {
			p.logger.Warn("a warm job runs, and other front ends do not find it", zap.String("job", r.ID), zap.Error(err))
		}
		p.isDown, p.renewed = true, time.Time{}
		return false
	}
	p.isDown, p.written, p.renewed = false, changes, time.Now()
	return true
}

// encode returns a report as the store keeps it: at most 410 KiB, if each byte of what
// failures say takes six.
func encode(r api.Job) ([]byte, error) {
	var value bytes.Buffer
	encoder := json.NewEncoder(&value)
	encoder.SetEscapeHTML(false) // six bytes for each & of a URL
	if err := encoder.Encode(r); err != nil {
		return nil, fmt.Errorf("jobs: encode a report: %w", err)
	}
	return value.Bytes(), nil
}
