package s3store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"cloudmirror/storage"
)

// ServerTime returns the time on the server's clock, in whole seconds.
func (s *Store) ServerTime(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	out, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.bucket})
	if err == nil {
		if told, ok := awsmiddleware.GetServerTime(out.ResultMetadata); ok {
			return told, nil
		}
		return time.Time{}, errors.New("s3store: the server does not tell the time")
	}
	// A refusal tells it as well, such as that our clock is wrong.
	if response, ok := errors.AsType[*awshttp.ResponseError](err); ok && response.Response != nil {
		if told, parseErr := http.ParseTime(response.Response.Header.Get("Date")); parseErr == nil {
			return told, nil
		}
	}
	return time.Time{}, fmt.Errorf("s3store: ask for the time: %w", explain(err))
}

// SidecarURL returns where clients would look for the sidecar of a copy, which
// they must not be able to read; "" if the copy has none. The error may be
// storage.ErrNotExist.
func (s *Store) SidecarURL(ctx context.Context, key string) (string, error) {
	o, err := s.head(ctx, key)
	if err != nil {
		return "", fmt.Errorf("s3store: look for the sidecar of %s: %w", key, err)
	}
	if !o.sidecar {
		return "", nil
	}
	return s.publicURL + "/" + storage.EscapeKey(s.sidecarKey(key, o.id)), nil
}
