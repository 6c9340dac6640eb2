package s3store

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
)

// ClientOptions say how to reach S3.
type ClientOptions struct {
	Region string
	// Endpoint is the address of another S3 implementation. "": AWS.
	Endpoint string
	// PathStyle addresses buckets by path and not by host name.
	PathStyle bool
}

// NewClient returns a client that gets its credentials the SDK's usual ways. It
// reads files and the environment, and does not go to the network.
func NewClient(ctx context.Context, o ClientOptions) (*s3.Client, error) {
	httpClient := awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = 5 * time.Second }).
		WithTransportOptions(func(t *http.Transport) { t.MaxIdleConnsPerHost = 64 })
	c, err := config.LoadDefaultConfig(ctx, config.WithRegion(o.Region), config.WithHTTPClient(httpClient),
		config.WithLogger(logging.Nop{})) // what matters is in the errors
	if err != nil {
		return nil, fmt.Errorf("s3store: configure the AWS SDK: %w", err)
	}
	return s3.NewFromConfig(c, func(so *s3.Options) {
		so.UsePathStyle = o.PathStyle
		so.HTTPClient = plainBodies{so.HTTPClient}
		so.Retryer = connectRetryer{so.Retryer}
		if o.Endpoint != "" {
			so.BaseEndpoint = aws.String(o.Endpoint)
		}
	}), nil
}

// plainBodies hides that the SDK's bodies can write themselves: when they are
// closed meanwhile they report io.EOF (smithy-go 1.28.8), which net/http takes
// for a failed write, and then it cuts the connection under the answer.
type plainBodies struct{ client s3.HTTPClient }

// Do implements s3.HTTPClient.
func (c plainBodies) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return c.client.Do(r)
}
