package sqsqueue

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"cloudmirror/queue"
)

// Message attributes of a dead letter. A message that the redrive policy moved
// has none.
const (
	ReasonAttribute   = "Reason"   // why it was buried
	ReceivesAttribute = "Receives" // how often it had been received then
)

// maxReasonBytes is how much of a reason is kept.
const maxReasonBytes = 1 << 10

// Bury implements queue.Queue. A reason is cut to 1 KiB, and a message that is
// too long to be sent together with its reason, which no job is, to what fits.
func (q *Queue) Bury(ctx context.Context, d queue.Delivery, reason string) error {
	body := d.Body
	if body == "" {
		body = string(d.Job.Encode())
	}
	if err := q.sendDead(ctx, body, reasonText(reason), d.Receives); err != nil {
		return fmt.Errorf("sqsqueue: bury in %s: %w", q.dead.name, q.at(err))
	}
	return q.Ack(ctx, d)
}

func (q *Queue) sendDead(ctx context.Context, body, reason string, receives int) error {
	ctx, cancel := WithTimeout(ctx, RequestTimeout)
	defer cancel()
	if most := MaxBatchBytes - 2*maxReasonBytes; len(body) > most {
		reason = fmt.Sprintf("(cut from %d bytes) %s", len(body), reason)
		body = cut(body, most)
	}
	err := q.dead.do(ctx, func(url string) error {
		_, err := q.options.Client.SendMessage(ctx, &sqs.SendMessageInput{
			QueueUrl: &url, MessageBody: &body,
			MessageAttributes: map[string]types.MessageAttributeValue{
				ReasonAttribute:   {DataType: aws.String("String"), StringValue: &reason},
				ReceivesAttribute: {DataType: aws.String("String"), StringValue: aws.String(strconv.Itoa(receives))},
			},
		})
		return err
	})
	if err != nil {
		return Cause(ctx, err)
	}
	return nil
}

// reasonText makes a reason that SQS takes: not empty, not too long, and of the
// characters of XML 1.0.
func reasonText(reason string) string {
	reason = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == utf8.RuneError || r == 0xfffe || r == 0xffff {
			return '?'
		}
		return r
	}, reason)
	if reason == "" {
		return "no reason was given"
	}
	return cut(reason, maxReasonBytes)
}

// cut returns the beginning of s, at most n bytes of it, in whole characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
