package queue

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
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

	Order

	// unknown are the members of the message that this version does not know, as
	// JSON without braces. A job that is sent again keeps them.
	unknown string
}

// maxUnknownBytes bounds the members of a message that this version does not know.
const maxUnknownBytes = 64 << 10

// wireJob is the form of a message. Fields may join without a new version;
// readers keep those that they do not know.
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

	Sources   []string  `json:"sources,omitempty"`
	SizeBytes int64     `json:"size_bytes,omitempty"`
	SHA256    string    `json:"sha256,omitempty"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Priority  int       `json:"priority,omitempty"`
	Reason    string    `json:"reason,omitempty"`
}

// Encode returns the message body of the job.
func (j Job) Encode() []byte {
	body := encode(wireJob{
		Version: JobVersion, ID: j.ID, URL: j.Object.URL(), Backend: j.Backend.String(),
		Generation: string(j.Generation), Tries: j.Tries, Slow: j.Slow, Long: j.Long, Replace: j.Replace, Redriven: j.Redriven,
		Nonce: j.Nonce, SentAt: j.SentAt.UTC().Truncate(time.Millisecond),
		Sources: j.Sources, SizeBytes: j.SizeBytes, SHA256: j.SHA256, ExpiresAt: j.ExpiresAt.UTC().Truncate(time.Millisecond),
		Priority: int(j.Priority), Reason: j.Reason,
	})
	if j.unknown != "" {
		body = slices.Concat(body[:len(body)-1], []byte(","+j.unknown+"}"))
	}
	return body
}

// encode returns the JSON of a message, or of a part of one. Characters of HTML stay
// as they are: URLs have many, and escaped each would take six bytes.
func encode(value any) []byte {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil { // strings, numbers, and JSON that was read always encode
		panic(fmt.Sprintf("queue: encode a job: %v", err))
	}
	return bytes.TrimSuffix(encoded.Bytes(), []byte("\n"))
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
	order, err := w.order()
	if err != nil {
		return Job{}, err
	}
	unknown, err := unknownMembers(body)
	return Job{
		ID: w.ID, Object: object, Backend: backend, Generation: generation,
		Tries: w.Tries, Slow: max(0, w.Slow), Long: w.Long, Replace: w.Replace, Redriven: w.Redriven, SentAt: sentAt, Nonce: w.Nonce,
		Order: order, unknown: unknown,
	}, err
}

func (w *wireJob) order() (Order, error) {
	o := Order{
		SizeBytes: w.SizeBytes, SHA256: w.SHA256, ExpiresAt: w.ExpiresAt.UTC(),
		Priority: Priority(w.Priority), Reason: w.Reason,
	}
	if len(w.Sources) > 0 {
		o.Sources = w.Sources
	}
	err := o.Check()
	return o, err
}

// unknownMembers returns the members of a message that no field of wireJob is read
// from, as JSON without braces, in the order of their names.
func unknownMembers(body []byte) (string, error) {
	members := make(map[string]json.RawMessage)
	if err := json.Unmarshal(body, &members); err != nil {
		return "", fmt.Errorf("the message is no job: %w", err)
	}
	known := wireNames()
	maps.DeleteFunc(members, func(name string, _ json.RawMessage) bool {
		return slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) }) // as package json does
	})
	if len(members) == 0 {
		return "", nil
	}
	encoded := encode(members)
	if len(encoded) > maxUnknownBytes {
		return "", fmt.Errorf("what the job says beside what this version knows takes %d bytes, at most %d are allowed", len(encoded), maxUnknownBytes)
	}
	return string(encoded[1 : len(encoded)-1]), nil
}

// wireNames returns the names of the members that this version knows.
func wireNames() []string {
	wire := reflect.TypeFor[wireJob]()
	names := make([]string, wire.NumField())
	for i := range names {
		names[i], _, _ = strings.Cut(wire.Field(i).Tag.Get("json"), ",")
	}
	return names
}
