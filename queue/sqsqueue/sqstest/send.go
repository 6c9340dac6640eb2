package sqstest

import (
	"crypto/md5" //nolint:gosec // the protocol's checksum
	"encoding/hex"
	"time"
	"unicode/utf8"
)

// maxBatch is the greatest number of entries of a batch, and of messages that
// one receive returns.
const maxBatch = 10

// sendInput is a message to be sent, alone or as the entry of a batch.
type sendInput struct {
	QueueUrl          string //nolint:revive // the protocol's spelling
	Id                string //nolint:revive // the protocol's spelling
	MessageBody       string
	DelaySeconds      int
	MessageAttributes map[string]attribute
}

type sendBatchInput struct {
	QueueUrl string //nolint:revive // the protocol's spelling
	Entries  []sendInput
}

type sendOutput struct {
	Id               string `json:",omitempty"` //nolint:revive // the protocol's spelling
	MessageId        string //nolint:revive // the protocol's spelling
	MD5OfMessageBody string
}

type entryError struct {
	Id          string //nolint:revive // the protocol's spelling
	Code        string
	Message     string
	SenderFault bool
}

func (s *Server) sendMessage(in sendInput) (any, error) {
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if err := s.check(in); err != nil {
		return nil, err
	}
	return s.add(q, in), nil
}

func (s *Server) sendMessageBatch(in sendBatchInput, fault Fault) (any, error) {
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	total := 0
	ids := make([]string, 0, len(in.Entries))
	for _, e := range in.Entries {
		total += e.size()
		ids = append(ids, e.Id)
	}
	if total > s.options.MaxMessageBytes {
		return nil, errorf("BatchRequestTooLong", "Batch requests cannot be longer than %d bytes. You have sent %d bytes.", s.options.MaxMessageBytes, total)
	}
	if err := checkBatch(ids); err != nil {
		return nil, err
	}
	var out struct {
		Successful []sendOutput
		Failed     []entryError
	}
	for _, e := range in.Entries {
		err := s.check(e)
		if code := fault.entry(e.MessageBody); code != "" {
			err = errorf(code, "injected")
		}
		if err != nil {
			out.Failed = append(out.Failed, entryError{Id: e.Id, Code: err.code, Message: err.message, SenderFault: err.status() < 500})
			continue
		}
		out.Successful = append(out.Successful, s.add(q, e))
	}
	return out, nil
}

func checkBatch(ids []string) error {
	if len(ids) == 0 {
		return errorf("EmptyBatchRequest", "There should be at least one entry in the request.")
	}
	if len(ids) > maxBatch {
		return errorf("TooManyEntriesInBatchRequest", "Maximum number of entries per request are %d. You have sent %d.", maxBatch, len(ids))
	}
	seen := make(map[string]bool)
	for _, id := range ids {
		if seen[id] || id == "" {
			return errorf("BatchEntryIdsNotDistinct", "Id %q repeated.", id)
		}
		seen[id] = true
	}
	return nil
}

// size is what counts against the limit: the body, and all of the attributes.
func (in sendInput) size() int {
	n := len(in.MessageBody)
	for name, a := range in.MessageAttributes {
		n += len(name) + len(a.DataType) + len(a.StringValue)
	}
	return n
}

// check returns why a message is refused, or nil.
func (s *Server) check(in sendInput) *apiError {
	switch {
	case in.MessageBody == "":
		return errorf("MissingParameter", "The request must contain the parameter MessageBody.")
	case in.size() > s.options.MaxMessageBytes:
		return errorf("InvalidParameterValue", "One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", s.options.MaxMessageBytes)
	case in.DelaySeconds < 0 || in.DelaySeconds > 900:
		return errorf("InvalidParameterValue", "Value %d for parameter DelaySeconds is invalid.", in.DelaySeconds)
	case !validText(in.MessageBody):
		return errorf("InvalidMessageContents", "Invalid characters found.")
	}
	for name, a := range in.MessageAttributes {
		if a.DataType != "String" || a.StringValue == "" || !validText(a.StringValue) {
			return errorf("InvalidParameterValue", "The message attribute %q must contain a non-empty string of valid characters.", name)
		}
	}
	return nil
}

// validText knows the characters that XML 1.0, and so SQS, allows.
func validText(s string) bool {
	for _, r := range s {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
			return false
		}
	}
	return utf8.ValidString(s)
}

func (s *Server) add(q *messages, in sendInput) sendOutput {
	m := &message{
		id: s.newID("message"), body: in.MessageBody, attributes: in.MessageAttributes, sentAt: s.now(),
		visibleAt: s.now().Add(time.Duration(in.DelaySeconds) * time.Second),
	}
	q.list = append(q.list, m)
	s.notify()
	return sendOutput{Id: in.Id, MessageId: m.id, MD5OfMessageBody: checksum(m.body)}
}

func checksum(body string) string {
	sum := md5.Sum([]byte(body)) //nolint:gosec // the protocol's checksum
	return hex.EncodeToString(sum[:])
}
