package api

import (
	"time"

	"cloudmirror"
)

// Limits of requests for dead letters.
const (
	DefaultDeadLetters = 100   // that are listed if the request does not say how many
	MaxDeadLetters     = 1_000 // that one request lists, redrives or drops
)

// A DeadLetterList is the answer of [DeadLettersPrefix].
type DeadLetterList struct {
	Service     string       `json:"service"`
	Region      string       `json:"region"`
	DeadLetters []DeadLetter `json:"dead_letters"` // the oldest first
	Count       *int         `json:"count"`        // of all there are, about; null: not known
}

// A DeadLetter is a job that was given up, or a message that is no job.
type DeadLetter struct {
	ID        string         `json:"id"`
	Reason    string         `json:"reason,omitempty"` // none: the queue moved it by itself
	BuriedAt  *time.Time     `json:"buried_at,omitempty"`
	Receives  int            `json:"receives,omitempty"` // 0: not known
	Job       *DeadLetterJob `json:"job,omitempty"`
	Malformed string         `json:"malformed,omitempty"` // why there is no job
	BodyBytes int            `json:"body_bytes"`
	Body      string         `json:"body,omitempty"` // only if it was asked for in full
}

// A DeadLetterJob is the job of a dead letter.
type DeadLetterJob struct {
	ID         string                 `json:"id"`
	URL        string                 `json:"url"` // without its query, unless it was asked for in full
	Hash       string                 `json:"hash"`
	Generation cloudmirror.Generation `json:"generation"`
	Tries      int                    `json:"tries"`
	Redriven   bool                   `json:"redriven,omitempty"`
	SentAt     *time.Time             `json:"sent_at,omitempty"`
}

// A DeadLetterChoice is the body of a request to redrive or drop dead letters: some,
// or all.
type DeadLetterChoice struct {
	IDs []string `json:"ids,omitempty"` // at most MaxDeadLetters
	All bool     `json:"all,omitempty"` // at most MaxDeadLetters of them
}

// HandledDeadLetters is what came of a request to redrive or drop dead letters.
type HandledDeadLetters struct {
	Service  string              `json:"service"`
	Region   string              `json:"region"`
	Done     []string            `json:"done"` // ids
	Refused  []RefusedDeadLetter `json:"refused"`
	Complete bool                `json:"complete"` // false: the queue failed before the rest
	Count    *int                `json:"count"`    // of those that are left, about; null: not known
}

// A RefusedDeadLetter is one that was neither redriven nor dropped.
type RefusedDeadLetter struct {
	ID      string           `json:"id"`
	Code    cloudmirror.Code `json:"code"`
	Message string           `json:"message"`
}
