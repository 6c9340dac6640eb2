package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"cloudmirror"
	"cloudmirror/api"
)

// Status returns what the server knows of a copy: an [api.Status] as the server sent
// it, with the members of a newer release.
func (c *Client) Status(ctx context.Context, b cloudmirror.BackendID, o cloudmirror.Object) (json.RawMessage, error) {
	return c.get(ctx, api.StatusPrefix+b.String()+"/"+o.Target())
}

// Explain returns why a redirect request for a target is answered as it is: an
// [api.Explanation] as the server sent it. The target may have a query of options.
func (c *Client) Explain(ctx context.Context, b cloudmirror.BackendID, target string) (json.RawMessage, error) {
	answer, err := c.get(ctx, api.ExplainPrefix+b.String()+"/"+target)
	if e, ok := errors.AsType[*Error](err); ok && e.Code == api.CodeNotFound {
		return nil, fmt.Errorf("the server is of an older release, which explains nothing: %w", err)
	}
	return answer, err
}

// Purge evicts an object. The region may be [api.EveryRegion]. A report without regions
// comes from a server of an older release. An error says that nothing is known of
// what became of the purge; failures that the server reports are none.
func (c *Client) Purge(ctx context.Context, b cloudmirror.BackendID, o cloudmirror.Object) (report api.PurgeReport, err error) {
	status, body, err := c.exchange(ctx, http.MethodDelete, api.PurgePrefix+b.String()+"/"+o.Target(), nil)
	if err != nil || status == http.StatusNoContent {
		return report, err
	}
	if json.Unmarshal(body, &report) != nil || status != http.StatusOK && status != http.StatusBadGateway || len(report.Regions) == 0 {
		return api.PurgeReport{}, asError(status, body)
	}
	return report, nil
}
