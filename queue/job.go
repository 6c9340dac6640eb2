package queue

import (
	"encoding/json"
	"fmt"
	"time"

	"cloudmirror"
)

// JobVersion is the version of the form in which jobs are sent.
const JobVersion = 1

// A Job asks for one copy.
type Job struct {
	ID         string // of the claim that sent it
	Object     cloudmirror.Object
	Backend    cloudmirror.BackendID
	Generation cloudmirror.Generation // where the copy goes
	Tries      int                    // tries that failed before
	Replace    bool                   // a copy that is about to expire is in the way
	Slow       int                    // how often it was handed back since its origin was slow
	Long       bool                   // its copy takes long: it needs the turn of a long one
	Redriven   bool                   // an operator sends it again: an error that stands is forgiven
	SentAt     time.Time

	// Nonce is that of the reservation under which the generation was proven to be
	// the current one. As long as that stands in the cache, it need not be proven
	// again. Empty: it was not proven.
	Nonce string
}

// wireJob is the form of a message. Fields may join without a new version;
// readers ignore those that they do not know.
type wireJob struct {
	Version    int       `json:"version"`
	ID         string    `json:"id"`
	URL        string    `json:"url"`
	Backend    string    `json:"backend"`
	Generation string    `json:"generation"`
	Tries      int       `json:"tries,omitempty"`
	Slow       int       `json:"slow,omitempty"`
	Long       bool      `json:"long,omitempty"`
	Replace    bool      `json:"replace,omitempty"`
	Redriven   bool      `json:"redriven,omitempty"`
	Nonce      string    `json:"nonce,omitempty"`
	SentAt     time.Time `json:"sent_at"`
}

// Encode returns the message body of the job.
func (j Job) Encode() []byte {
	encoded, err := json.Marshal(wireJob{
		Version: JobVersion, ID: j.ID, URL: j.Object.URL(), Backend: j.Backend.String(),
		Generation: string(j.Generation), Tries: j.Tries, Slow: j.Slow, Long: j.Long, Replace: j.Replace, Redriven: j.Redriven,
		Nonce: j.Nonce, SentAt: j.SentAt.UTC().Truncate(time.Millisecond),
	})
	if err != nil { // a struct of strings and numbers always encodes
		panic(fmt.Sprintf("queue: encode a job: %v", err))
	}
	return encoded
}

// DecodeJob reads a message body. An error says, without repeating the URL, why
// the message is no job of this version: it belongs to the dead letters. It wraps
// ErrMalformed.
func DecodeJob(body []byte) (Job, error) {
	job, err := decodeJob(body)
	if err != nil {
		return Job{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return job, nil
}

func decodeJob(body []byte) (Job, error) {
	var w wireJob
	if err := json.Unmarshal(body, &w); err != nil {
		return Job{}, fmt.Errorf("the message is no job: %w", err)
	}
	if w.Version != JobVersion {
		return Job{}, fmt.Errorf("the job has version %d, this copier knows %d", w.Version, JobVersion)
	}
	object, err := cloudmirror.ParseObject(w.URL)
	if err != nil {
		return Job{}, fmt.Errorf("the job's url: %w", err)
	}
	if object.URL() != w.URL {
		return Job{}, fmt.Errorf("the job's url is not in its canonical form")
	}
	backend, err := cloudmirror.ParseBackendID(w.Backend)
	if err != nil {
		return Job{}, fmt.Errorf("the job's backend: %w", err)
	}
	generation, err := cloudmirror.ParseGeneration(w.Generation)
	if err != nil {
		return Job{}, fmt.Errorf("the job's generation: %w", err)
	}
	if w.ID == "" || w.Tries < 0 {
		return Job{}, fmt.Errorf("the job needs an id and a number of tries that is not negative")
	}
	sentAt := w.SentAt.UTC()
	if year := sentAt.Year(); year < 0 || year > 9999 { // RFC 3339 has no form for it, so that Encode would fail
		return Job{}, fmt.Errorf("the job's time of sending is in year %d", year)
	}
	return Job{
		ID: w.ID, Object: object, Backend: backend, Generation: generation,
		Tries: w.Tries, Slow: max(0, w.Slow), Long: w.Long, Replace: w.Replace, Redriven: w.Redriven, SentAt: sentAt, Nonce: w.Nonce,
	}, nil
}
