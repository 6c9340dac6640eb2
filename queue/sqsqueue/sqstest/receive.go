package sqstest

import (
	"context"
	"strconv"
	"time"
)

type receiveInput struct {
	QueueUrl            string //nolint:revive // the protocol's spelling
	MaxNumberOfMessages int
	WaitTimeSeconds     *int
	VisibilityTimeout   *int
}

type receivedMessage struct {
	MessageId         string //nolint:revive // the protocol's spelling
	ReceiptHandle     string
	Body              string
	MD5OfBody         string
	Attributes        map[string]string
	MessageAttributes map[string]attribute `json:",omitempty"`
}

// receiveMessage waits, without the lock, until there is a message.
func (s *Server) receiveMessage(ctx context.Context, in receiveInput) (any, error) {
	if in.MaxNumberOfMessages < 0 || in.MaxNumberOfMessages > maxBatch {
		return nil, errorf("InvalidParameterValue", "Value %d for parameter MaxNumberOfMessages is invalid.", in.MaxNumberOfMessages)
	}
	var end time.Time // on the real clock
	for {
		received, changed, wait, err := s.tryReceive(in, &end)
		if err != nil || changed == nil {
			return map[string]any{"Messages": received}, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, errorf("InternalFailure", "the client is gone")
		}
		timer.Stop()
	}
}

// tryReceive returns messages, or none at the end of the wait, which its first
// call sets; or else what to wait for, and how long at most.
func (s *Server) tryReceive(in receiveInput, end *time.Time) (received []receivedMessage, changed chan struct{}, wait time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, nil, 0, err
	}
	if end.IsZero() {
		*end = time.Now().Add(orDefault(in.WaitTimeSeconds, q.wait))
	}
	for _, m := range s.take(q, max(in.MaxNumberOfMessages, 1), orDefault(in.VisibilityTimeout, q.visibility)) {
		received = append(received, receivedMessage{
			MessageId: m.id, ReceiptHandle: m.handle, Body: m.body, MD5OfBody: checksum(m.body),
			Attributes: map[string]string{
				"ApproximateReceiveCount": strconv.Itoa(m.receives), "SentTimestamp": strconv.FormatInt(m.sentAt.UnixMilli(), 10),
			},
			MessageAttributes: m.attributes,
		})
	}
	left := time.Until(*end)
	if len(received) > 0 || left <= 0 {
		return received, nil, 0, nil
	}
	return nil, s.changed, s.nextVisible(q, left), nil
}

func orDefault(seconds *int, otherwise time.Duration) time.Duration {
	if seconds == nil {
		return otherwise
	}
	return time.Duration(*seconds) * time.Second
}
