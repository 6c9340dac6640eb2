package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"cloudmirror"
)

// A letterList is the server's answer about dead letters.
type letterList struct {
	Letters []json.RawMessage `json:"dead_letters"`
	Count   *int              `json:"count"` // nil: the server does not know
}

// A letter is what a list shows.
type letter struct {
	ID        string `json:"id"`
	Reason    string `json:"reason"`
	BuriedAt  string `json:"buried_at"`
	Malformed string `json:"malformed"`
	Job       struct {
		URL string `json:"url"`
	} `json:"job"`
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
