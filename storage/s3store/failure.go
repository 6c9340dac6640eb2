package s3store

import (
	"errors"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"cloudmirror"
)

// Statuses of S3 that the store tells apart.
const (
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

// at adds the endpoint to an error; see cloudmirror.At.
func (s *Store) at(err error) error {
	return cloudmirror.At(aws.ToString(s.client.Options().BaseEndpoint), err)
}

// A deniedError is a 403, with what to do about it.
type deniedError struct{ err error }

func (e *deniedError) Unwrap() error { return e.err }

func (e *deniedError) Error() string {
	return "access denied: grant s3:ListBucket on the bucket, without which S3 does not tell missing keys from forbidden ones, and s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on its keys: " + e.err.Error()
}

// grantAdvice says what a process needs of a bucket.
const grantAdvice = "; grant s3:ListBucket on the bucket, s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on its keys"

// Clause says first what was denied, cut so that the advice is whole. Permissions do not
// help against a wrong key, a wrong signature or a wrong clock: then S3 says so, and the
// advice is left out.
func (e *deniedError) Clause() string {
	clause := cloudmirror.Clause(e.err)
	if isCode(e.err, "AccessDenied") || isCode(e.err, "Forbidden") {
		return cloudmirror.Line(clause, cloudmirror.MaxClauseBytes-len(grantAdvice)) + grantAdvice
	}
	return clause
}

// explain says what to do about a 403. Without s3:ListBucket, S3 answers 403 instead
// of 404 for a missing key. It is neither a hit nor a miss.
func explain(err error) error {
	if isStatus(err, statusForbidden) {
		return &deniedError{err}
	}
	return err
}
