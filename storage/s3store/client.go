package s3store

import (
	"context"
	"fmt"
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
		if o.Endpoint != "" {
			so.BaseEndpoint = aws.String(o.Endpoint)
		}
	}), nil
}
