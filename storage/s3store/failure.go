package s3store

import (
	"errors"
	"fmt"
	"net/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// Statuses of S3 that mean something to us.
const (
	statusMoved              = http.StatusMovedPermanently
	statusBadRequest         = http.StatusBadRequest
	statusForbidden          = http.StatusForbidden
	statusNotFound           = http.StatusNotFound
	statusConflict           = http.StatusConflict
	statusPreconditionFailed = http.StatusPreconditionFailed
	statusNotImplemented     = http.StatusNotImplemented
)

// errReplaced says that an object changed between two requests about it.
var errReplaced = errors.New("the object was replaced again and again while it was looked at")

// maxLooks bounds the repetitions after errReplaced.
const maxLooks = 8

func status(err error) int {
	if response, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		return response.HTTPStatusCode()
	}
	return 0
}

func isStatus(err error, code int) bool { return err != nil && status(err) == code }

func isCode(err error, code string) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && api.ErrorCode() == code
}

// isRefused reports whether the server surely did not do what it was asked. After
// any other error it may have.
func isRefused(err error) bool {
	code := status(err)
	return code >= 400 && code < 500 && code != http.StatusRequestTimeout && !isCode(err, "NoSuchUpload")
}

// explain says what to do about a 403: S3 answers it, and not 404, to who asks
// for a missing key without s3:ListBucket. It is neither a hit nor a miss.
func explain(err error) error {
	if isStatus(err, statusForbidden) {
		return fmt.Errorf("access denied: grant s3:ListBucket on the bucket, without which S3 does not tell missing keys from forbidden ones, and s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on its keys: %w", err)
	}
	return err
}
