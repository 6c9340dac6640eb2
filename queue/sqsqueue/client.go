package sqsqueue

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// NewClient returns a client for the Queues of any number of backends. The
// endpoint is the SDK's for the region of cfg if it is empty. Retries are few
// and close together, so that they fit into the callers' deadlines of seconds.
func NewClient(cfg aws.Config, endpoint string) *sqs.Client {
	return sqs.NewFromConfig(cfg, func(o *sqs.Options) {
		if endpoint != "" {
			o.BaseEndpoint = aws.String(endpoint)
		}
		o.HTTPClient = memoryBodies{client: o.HTTPClient}
		o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
			r.MaxAttempts = 3
			r.MaxBackoff = 300 * time.Millisecond
		})
	})
}

// memoryBodies sends request bodies from memory.
//
// The SDK closes its own reader of a body when the answer begins, and net/http,
// which may still ask that reader whether there is more, then takes its answer
// for a failed write and closes the connection (smithy-go 1.28.8, an io.EOF from
// WriteTo; aws-sdk-go-v2 issue 2737). The messages of a receive whose answer is
// cut off so stay hidden for their visibility time. On a busy machine with a
// near server that is one receive in a hundred.
type memoryBodies struct{ client sqs.HTTPClient }

// Do implements sqs.HTTPClient.
func (m memoryBodies) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, fmt.Errorf("read the request: %w", err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.ContentLength = int64(len(body))
	}
	return m.client.Do(r)
}
