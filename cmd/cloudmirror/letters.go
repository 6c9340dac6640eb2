package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cloudmirror"
)

// A letterList is the server's answer about dead letters.
type letterList struct {
	Letters []json.RawMessage `json:"dead_letters"`
	Count   *int              `json:"count"` // nil: the server does not know
}

// A letter is what a list shows.
type letter struct {
	ID        string    `json:"id"`
	Reason    string    `json:"reason"`
	BuriedAt  time.Time `json:"buried_at"` // zero: not known
	Malformed string    `json:"malformed"`
	Job       struct {
		URL   string `json:"url"`
		Tries int    `json:"tries"`
	} `json:"job"`
}

// text returns the lines that list a letter, without the last one's end.
func (l *letter) text(now time.Time) string {
	facts, about := []string{"buried at a time that is not known"}, plain(l.Job.URL)
	if !l.BuriedAt.IsZero() {
		facts[0] = fmt.Sprintf("%s ago, at %s", ago(now.Sub(l.BuriedAt)), l.BuriedAt.UTC().Format(time.RFC3339))
	}
	if l.Malformed != "" {
		about = "(no job)"
	} else {
		facts = append(facts, fmt.Sprintf("tries: %d", l.Job.Tries))
	}
	reason := l.Reason
	if reason == "" {
		reason = "(no reason: the queue moved it by itself)"
	}
	return strings.Join([]string{
		plain(l.ID), "    " + strings.Join(facts, ", "), "    " + about, wrapped("    ", plain(reason), 4),
	}, "\n")
}

// ago returns a time that has passed, in its largest unit.
func ago(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", max(0, d/time.Second))
}

func readLetter(raw json.RawMessage) (parsed letter, err error) {
	if err := json.Unmarshal(raw, &parsed); err != nil {
		return parsed, fmt.Errorf("read the answer: %w", err)
	}
	return parsed, nil
}

// A letterChoice says which letters are to be handled: some, or all.
type letterChoice struct {
	IDs []string `json:"ids,omitempty"`
	All bool     `json:"all,omitempty"`
}

// A handledLetters is the server's answer to that.
type handledLetters struct {
	Done     []string        `json:"done"`
	Refused  []refusedLetter `json:"refused"`
	Complete bool            `json:"complete"`
	Count    *int            `json:"count"` // of those that are left; nil: the server does not know
}

// A failedLetter is the line of --json for a letter that something went wrong
// with.
type failedLetter struct {
	ID     string `json:"id"`
	Failed any    `json:"failed"`
}

// errNoLetter says that the server knows no letter of an id.
var errNoLetter = errors.New("there is no such letter; perhaps somebody else handles it")

// letterQuery asks for one letter in full.
func letterQuery(id string) string { return "full=true&id=" + url.QueryEscape(id) }

func lettersPath(b cloudmirror.BackendID) string { return "/v1/dead-letters/" + b.String() }

// letters returns the letters that a query asks for.
func (c *client) letters(ctx context.Context, b cloudmirror.BackendID, query string) (*letterList, error) {
	answer, err := c.do(ctx, http.MethodGet, lettersPath(b)+"?"+query, http.StatusOK)
	if err != nil {
		return nil, err
	}
	list := new(letterList)
	if err := json.Unmarshal(answer, list); err != nil {
		return nil, fmt.Errorf("the server's answer is not understood: is it a cloudmirror? %w", err)
	}
	return list, nil
}

// handleLetters does what a handling is called to letters.
func (c *client) handleLetters(ctx context.Context, b cloudmirror.BackendID, handling string, choice letterChoice) (*handledLetters, error) {
	body, err := json.Marshal(choice)
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	answer, err := c.send(ctx, http.MethodPost, lettersPath(b)+"/"+handling, body, http.StatusOK)
	if err != nil {
		return nil, err
	}
	handled := new(handledLetters)
	if err := json.Unmarshal(answer, handled); err != nil {
		return nil, fmt.Errorf("the server's answer is not understood: is it a cloudmirror? %w", err)
	}
	return handled, nil
}

// eachLetter calls do with every id. A failure is told and does not keep the
// others from their turn; errReported is returned at the end.
func (c *cli) eachLetter(ctx context.Context, ids []string, asJSON bool, do func(id string) error) error {
	failed := false
	for _, id := range ids {
		err := do(id)
		if err != nil {
			failed = true
			fmt.Fprintf(c.stderr, "cloudmirror: letter %s: %s\n", plain(id), errorText(err))
			if asJSON {
				if err := c.printJSON(failedLetter{ID: id, Failed: jsonError(err)}); err != nil {
					return err
				}
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if failed {
		return errReported
	}
	return nil
}
