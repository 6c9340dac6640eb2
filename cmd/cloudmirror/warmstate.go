package main

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"cloudmirror/api"
)

// note takes over what a job says of its batch.
func (w *warmer) note(batch []int, r *api.Job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	states := make([]urlState, len(batch))
	for i := range states {
		states[i] = urlPresent
	}
	mark := func(indexes []int, s urlState) {
		for _, i := range indexes {
			if i >= 0 && i < len(states) {
				states[i] = s
			}
		}
	}
	mark(r.FailedURLs, urlFailed)
	mark(r.PendingURLs, urlWaits) // in another region, perhaps
	for i, s := range states {
		w.states[batch[i]] = s
	}
	for _, f := range r.Failures {
		if f.Index >= 0 && f.Index < len(batch) {
			w.problems[warmCopy{batch[f.Index], f.Region}] = warmProblem{Code: f.Code, Message: f.Message}
		}
	}
	w.bytes[r.ID] = r.Counts.Bytes
}

// pending returns the URLs of a batch that are neither present nor failed.
func (w *warmer) pending(batch []int) (rest []int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range batch {
		if w.states[i] == urlWaits {
			rest = append(rest, i)
		}
	}
	return rest
}

// tally returns how far all is.
func (w *warmer) tally() tally {
	w.mu.Lock()
	defer w.mu.Unlock()
	var t tally
	for _, s := range w.states {
		switch s {
		case urlPresent:
			t.present++
		case urlFailed:
			t.failed++
		case urlWaits:
		}
	}
	for _, n := range w.bytes {
		t.bytes += n
	}
	return t
}

func (w *warmer) result() warmResult {
	t, n := w.tally(), len(w.urls)
	w.mu.Lock()
	defer w.mu.Unlock()
	return warmResult{
		URLs: n, Present: t.present, Failed: t.failed, NotDone: n - t.present - t.failed, Bytes: t.bytes,
		Seconds: time.Since(w.progress.began).Truncate(time.Millisecond).Seconds(), Jobs: append([]string{}, w.jobs...),
	}
}

// missing returns the URLs that are not present, as the list has them.
func (w *warmer) missing() (urls []string) {
	for i, s := range w.states {
		if s != urlPresent {
			urls = append(urls, w.urls[i])
		}
	}
	return urls
}

// failures returns why copies failed, in the order of the list, as far as the server
// told.
func (w *warmer) failures() (failures []warmFailure) {
	places := slices.SortedFunc(maps.Keys(w.problems), func(a, b warmCopy) int {
		return cmp.Or(cmp.Compare(a.url, b.url), cmp.Compare(a.region, b.region))
	})
	for _, p := range places {
		if w.states[p.url] == urlFailed { // and no later job made the copy
			failures = append(failures, warmFailure{URL: w.urls[p.url], Region: p.region, Failed: w.problems[p]})
		}
	}
	return failures
}
