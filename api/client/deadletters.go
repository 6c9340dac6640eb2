package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"cloudmirror"
	"cloudmirror/api"
)

// DeadLetters are dead letters of a backend. Each is an [api.DeadLetter] as the server
// sent it, with the members of a newer release.
type DeadLetters struct {
	Raw   []json.RawMessage `json:"dead_letters"`
	Count *int              `json:"count"` // of all there are, about; nil: the server does not know
}

// DeadLetters returns at most that number of the dead letters of a backend, the oldest
// first, without the queries of their URLs.
func (c *Client) DeadLetters(ctx context.Context, b cloudmirror.BackendID, limit int) (*DeadLetters, error) {
	return c.deadLetters(ctx, b, "limit="+strconv.Itoa(limit))
}

// DeadLetter returns one dead letter in full: an [api.DeadLetter] as the server sent
// it. It is nil if the server knows none of that id.
func (c *Client) DeadLetter(ctx context.Context, b cloudmirror.BackendID, id string) (json.RawMessage, error) {
	found, err := c.deadLetters(ctx, b, "full=true&id="+url.QueryEscape(id))
	if err != nil || len(found.Raw) == 0 {
		return nil, err
	}
	return found.Raw[0], nil
}

func (c *Client) deadLetters(ctx context.Context, b cloudmirror.BackendID, query string) (*DeadLetters, error) {
	found := new(DeadLetters)
	return found, c.exchangeDeadLetters(ctx, http.MethodGet, b.String()+"?"+query, nil, found)
}

// Redrive sends the jobs of dead letters again and removes the letters. The answer says
// what became of each.
func (c *Client) Redrive(ctx context.Context, b cloudmirror.BackendID, choice api.DeadLetterChoice) (*api.HandledDeadLetters, error) {
	return c.handle(ctx, b.String()+api.RedriveSuffix, choice)
}

// Drop removes dead letters. The answer says what became of each.
func (c *Client) Drop(ctx context.Context, b cloudmirror.BackendID, choice api.DeadLetterChoice) (*api.HandledDeadLetters, error) {
	return c.handle(ctx, b.String()+api.DropSuffix, choice)
}

func (c *Client) handle(ctx context.Context, path string, choice api.DeadLetterChoice) (*api.HandledDeadLetters, error) {
	payload, err := json.Marshal(choice)
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	handled := new(api.HandledDeadLetters)
	return handled, c.exchangeDeadLetters(ctx, http.MethodPost, path, payload, handled)
}

// exchangeDeadLetters makes a request about dead letters and reads the answer.
func (c *Client) exchangeDeadLetters(ctx context.Context, method, path string, payload []byte, answer any) error {
	body, err := c.send(ctx, method, api.DeadLettersPrefix+path, payload, http.StatusOK)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return fmt.Errorf("the server's answer is not understood: is it a cloudmirror? %w", err)
	}
	return nil
}
