package sqstest

import (
	"errors"
	"time"
)

// handleInput names a receive, alone or as the entry of a batch.
type handleInput struct {
	QueueUrl          string //nolint:revive // the protocol's spelling
	Id                string //nolint:revive // the protocol's spelling
	ReceiptHandle     string
	VisibilityTimeout int
}

type handleBatchInput struct {
	QueueUrl string //nolint:revive // the protocol's spelling
	Entries  []handleInput
}

// deleteMessage removes nothing, and says so to nobody, if the handle is stale.
func (s *Server) deleteMessage(in handleInput) (any, error) {
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if m := q.byHandle(in.ReceiptHandle); m != nil {
		q.remove(m)
	}
	return struct{}{}, nil
}

func (s *Server) deleteMessageBatch(in handleBatchInput, fault Fault) (any, error) {
	return eachHandle(in, fault, s.deleteMessage)
}

func (s *Server) changeVisibilityBatch(in handleBatchInput, fault Fault) (any, error) {
	return eachHandle(in, fault, s.changeVisibility)
}

// eachHandle does what a batch asks for, entry by entry.
func eachHandle(in handleBatchInput, fault Fault, do func(handleInput) (any, error)) (any, error) {
	ids := make([]string, 0, len(in.Entries))
	for _, e := range in.Entries {
		ids = append(ids, e.Id)
	}
	if err := checkBatch(ids); err != nil {
		return nil, err
	}
	var out struct {
		Successful []map[string]string
		Failed     []entryError
	}
	for _, e := range in.Entries {
		if code := fault.entry(e.ReceiptHandle); code != "" {
			out.Failed = append(out.Failed, entryError{Id: e.Id, Code: code, Message: "injected"})
			continue
		}
		e.QueueUrl = in.QueueUrl
		_, err := do(e)
		if refused, ok := errors.AsType[*apiError](err); ok && refused.code != "QueueDoesNotExist" {
			out.Failed = append(out.Failed, entryError{Id: e.Id, Code: refused.code, Message: refused.message, SenderFault: true})
			continue
		}
		if err != nil {
			return nil, err
		}
		out.Successful = append(out.Successful, map[string]string{"Id": e.Id})
	}
	return out, nil
}

func (s *Server) changeVisibility(in handleInput) (any, error) {
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	visibility := time.Duration(in.VisibilityTimeout) * time.Second
	now := s.now()
	m := q.byHandle(in.ReceiptHandle)
	switch {
	case visibility < 0 || visibility > maxVisibility:
		return nil, errorf("InvalidParameterValue", "Value %d for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200", in.VisibilityTimeout)
	case m == nil:
		return nil, errorf("InvalidParameterValue", "Value for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.")
	case !m.visibleAt.After(now):
		return nil, errorf("MessageNotInflight", "The message referred to is not in flight.")
	case now.Add(visibility).After(m.receivedAt.Add(maxVisibility)):
		return nil, errorf("InvalidParameterValue", "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]")
	}
	m.visibleAt = now.Add(visibility)
	s.notify()
	return struct{}{}, nil
}
