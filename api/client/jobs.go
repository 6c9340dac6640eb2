package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"cloudmirror/api"
)

// ErrOldServer says that a server begins jobs, and does not tell which of their URLs
// are done.
var ErrOldServer = errors.New("the server is of an older release, or no cloudmirror: its jobs do not tell which URLs are done")

// Warm begins a job. The error is ErrOldServer if the server does not know all members
// of the request.
func (c *Client) Warm(ctx context.Context, w api.WarmRequest) (*api.Job, error) {
	var payload bytes.Buffer
	encoder := json.NewEncoder(&payload)
	encoder.SetEscapeHTML(false) // six bytes for each & of a URL
	if err := encoder.Encode(w); err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	job, err := c.job(ctx, http.MethodPost, api.WarmPath, payload.Bytes(), http.StatusAccepted)
	if e, ok := errors.AsType[*Error](err); ok && e.Code == api.CodeInvalidRequest && strings.Contains(e.Message, `"partial"`) {
		return nil, ErrOldServer
	}
	return job, err
}

// Job returns how far a job is.
func (c *Client) Job(ctx context.Context, id string) (*api.Job, error) {
	return c.job(ctx, http.MethodGet, api.JobPrefix+url.PathEscape(id), nil, http.StatusOK)
}

// job makes a request whose answer is a job. The job has an id, and its pending URLs
// are not nil.
func (c *Client) job(ctx context.Context, method, path string, payload []byte, want int) (*api.Job, error) {
	body, err := c.send(ctx, method, path, payload, want)
	if err != nil {
		return nil, err
	}
	job := new(api.Job)
	if json.Unmarshal(body, job) != nil || job.ID == "" || job.PendingURLs == nil {
		return nil, ErrOldServer
	}
	return job, nil
}
