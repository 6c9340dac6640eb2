package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"cloudmirror/api"
)

// An Overview is the state of a deployment, as one front end tells it.
type Overview struct {
	api.Overview
	Raw json.RawMessage // the same as the server sent it, with the members of a newer release
}

// Backends returns the state of the deployment. Its backends are not nil.
func (c *Client) Backends(ctx context.Context) (*Overview, error) {
	body, err := c.send(ctx, http.MethodGet, api.BackendsPath, nil, http.StatusOK)
	if err != nil {
		return nil, err
	}
	o := &Overview{Raw: body}
	if err := json.Unmarshal(body, &o.Overview); err != nil || o.Backends == nil {
		return nil, errors.New("the server's answer is not understood: is it a cloudmirror?")
	}
	return o, nil
}

// Ready returns whether the front end is ready, and the state of what it needs.
func (c *Client) Ready(ctx context.Context) (api.Readiness, error) {
	status, body, err := c.exchange(ctx, http.MethodGet, api.ReadyPath, nil)
	if err == nil && status != http.StatusOK && status != http.StatusServiceUnavailable {
		err = fmt.Errorf("HTTP %d", status)
	}
	if err != nil {
		return api.Readiness{}, err
	}
	r := api.ParseReadiness(string(body))
	r.Ready = status == http.StatusOK
	return r, nil
}
