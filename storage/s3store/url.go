package s3store

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"cloudmirror/storage"
)

// URL implements storage.Provider. A signed URL is valid for its method alone.
// Signing goes to the network only where the SDK gets credentials from there.
func (s *Store) URL(ctx context.Context, key, method string) (storage.Link, error) {
	if s.presign == nil {
		return storage.Link{URL: s.publicURL + "/" + storage.EscapeKey(s.prefix+key)}, nil
	}
	var signed *v4.PresignedHTTPRequest
	var err error
	fullKey := s.prefix + key
	expires := s3.WithPresignExpires(s.expiry)
	switch method {
	case http.MethodGet:
		signed, err = s.presign.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &fullKey}, expires, plainly)
	case http.MethodHead:
		signed, err = s.presign.PresignHeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &fullKey}, expires, plainly)
	default:
		err = fmt.Errorf("copies are fetched with GET or HEAD, not %s", method)
	}
	if err != nil {
		return storage.Link{}, fmt.Errorf("s3store: sign the URL of %s: %w", key, err)
	}
	return storage.Link{URL: signed.URL, Private: true}, nil
}

// plainly keeps the SDK from signing a wish for checksums, which clients would
// have to send as a header.
func plainly(o *s3.PresignOptions) {
	o.ClientOptions = append(o.ClientOptions, func(o *s3.Options) {
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
}

// bucketURL returns the address of a bucket at the client's endpoint.
func bucketURL(client *s3.Client, bucket string) (string, error) {
	o := client.Options()
	endpoint, err := s3.NewDefaultEndpointResolverV2().ResolveEndpoint(context.Background(), s3.EndpointParameters{
		Bucket: &bucket, Region: &o.Region, Endpoint: o.BaseEndpoint, ForcePathStyle: &o.UsePathStyle,
	})
	if err != nil {
		return "", fmt.Errorf("s3store: the address of bucket %s: %w", bucket, err)
	}
	return strings.TrimSuffix(endpoint.URI.String(), "/"), nil
}
