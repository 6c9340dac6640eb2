package sqstest

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// apiError is an error as the protocol knows it.
type apiError struct{ code, message string }

// Error implements error.
func (e *apiError) Error() string { return e.code + ": " + e.message }

func errorf(code, format string, args ...any) *apiError {
	return &apiError{code: code, message: fmt.Sprintf(format, args...)}
}

// queryCode is the code of the older query protocol, which SQS still sends in a
// header of its own and which the SDK reports instead.
func (e *apiError) queryCode() string {
	switch e.code {
	case "QueueDoesNotExist":
		return "AWS.SimpleQueueService.NonExistentQueue"
	case "QueueNameExists":
		return "QueueAlreadyExists"
	case "QueueDeletedRecently", "MessageNotInflight", "BatchRequestTooLong", "EmptyBatchRequest",
		"TooManyEntriesInBatchRequest", "BatchEntryIdsNotDistinct":
		return "AWS.SimpleQueueService." + e.code
	}
	return e.code
}

func (e *apiError) status() int {
	switch e.code {
	case "InternalFailure":
		return http.StatusInternalServerError
	case "ServiceUnavailable":
		return http.StatusServiceUnavailable
	case "MissingAuthenticationToken", "AccessDeniedException":
		return http.StatusForbidden
	}
	return http.StatusBadRequest
}

func writeError(w http.ResponseWriter, err error) {
	e, ok := err.(*apiError) //nolint:errorlint // actions return these as they are
	if !ok {
		e = errorf("InternalFailure", "%v", err)
	}
	fault := "Sender"
	if e.status() >= http.StatusInternalServerError {
		fault = "Receiver"
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amzn-Query-Error", e.queryCode()+";"+fault)
	w.WriteHeader(e.status())
	_ = json.NewEncoder(w).Encode(map[string]string{ // the client may be gone
		"__type": "com.amazonaws.sqs#" + e.code, "message": e.message,
	})
}
