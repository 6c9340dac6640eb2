package s3provision

import (
	"errors"
	"net/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

func isStatus(err error, code int) bool {
	response, ok := errors.AsType[*awshttp.ResponseError](err)
	return ok && response.HTTPStatusCode() == code
}

func isCode(err error, code string) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && api.ErrorCode() == code
}

// isUnsupported reports whether a server does not know what it was asked for.
func isUnsupported(err error) bool {
	return isStatus(err, http.StatusNotImplemented) || isCode(err, "NotImplemented") || isCode(err, "MethodNotAllowed")
}

// isMinIO reports whether an error comes from minio, which knows that it has no CORS
// rules, and refuses to be given some.
func isMinIO(err error) bool {
	response, ok := errors.AsType[*awshttp.ResponseError](err)
	return ok && response.Response != nil && response.Response.Header.Get("Server") == "MinIO"
}
