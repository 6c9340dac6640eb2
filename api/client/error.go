package client

import (
	"encoding/json"
	"fmt"

	"cloudmirror"
)

// An Error is an error that the server answered with. Its members as JSON are those of
// the commands' --json.
type Error struct {
	Status    int              `json:"status"` // of HTTP
	Code      cloudmirror.Code `json:"code"`   // empty: it was no cloudmirror that answered
	Message   string           `json:"message"`
	RequestID string           `json:"request_id,omitempty"`
}

// asError reads an answer whose status is none that was wanted.
func asError(status int, body []byte) *Error {
	e := &Error{}
	if err := json.Unmarshal(body, e); err != nil || e.Code == "" {
		e = &Error{Message: "the answer is not in the form of cloudmirror"}
		if status/100 == 3 {
			e.Message = "the answer is a redirect, which is not followed: --server must be where it leads to"
		}
	}
	e.Status = status
	return e
}

// Error returns code and message, and the id by which operators find the request. It
// has no control characters, whatever the server sent.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s (HTTP %d", cloudmirror.Plain(e.Message), e.Status)
	if e.Code != "" {
		text = cloudmirror.Plain(string(e.Code)) + ": " + text
	}
	if e.RequestID != "" {
		text += ", request " + cloudmirror.Plain(e.RequestID)
	}
	return text + ")"
}
