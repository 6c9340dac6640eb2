package sqstest_test

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"cloudmirror/queue/sqsqueue/sqstest"
)

// TestWhatSQSRefuses checks that the server is no more lenient than SQS where
// the driver has to take care.
func TestWhatSQSRefuses(t *testing.T) {
	_, endpoint := sqstest.Start(t, sqstest.Options{})
	client := newClient(t, endpoint)
	made, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{
		QueueName: aws.String("q"), Attributes: map[string]string{"VisibilityTimeout": "5"},
	})
	if err != nil {
		t.Fatal(err)
	}
	url := made.QueueUrl
	batch := func(entries ...types.SendMessageBatchRequestEntry) error {
		_, err := client.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: url, Entries: entries})
		return err
	}
	send := func(body string, attributes map[string]types.MessageAttributeValue) error {
		_, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{
			QueueUrl: url, MessageBody: &body, MessageAttributes: attributes,
		})
		return err
	}
	create := func(name string, attributes map[string]string) error {
		_, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
		return err
	}
	hide := func(handle string, seconds int32) error {
		_, err := client.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{
			QueueUrl: url, ReceiptHandle: &handle, VisibilityTimeout: seconds,
		})
		return err
	}
	eleven := make([]types.SendMessageBatchRequestEntry, 11)
	for i := range eleven {
		eleven[i] = entry(strconv.Itoa(i), "x")
	}
	half := strings.Repeat("x", 1<<19)
	tests := map[string]struct {
		call func() error
		code string // of the query protocol, which the SDK reports
	}{
		"a batch of eleven":                    {func() error { return batch(eleven...) }, "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"},
		"a batch of nothing":                   {func() error { return batch([]types.SendMessageBatchRequestEntry{}...) }, "AWS.SimpleQueueService.EmptyBatchRequest"},
		"a batch of more than 1 MiB":           {func() error { return batch(entry("a", half), entry("b", half+"x")) }, "AWS.SimpleQueueService.BatchRequestTooLong"},
		"two entries of one id":                {func() error { return batch(entry("a", "x"), entry("a", "y")) }, "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"},
		"an empty message":                     {func() error { return send("", nil) }, "MissingParameter"},
		"a control character":                  {func() error { return send("\x01", nil) }, "InvalidMessageContents"},
		"a message of more than 1 MiB":         {func() error { return send(half+half+"x", nil) }, "InvalidParameterValue"},
		"attributes beyond 1 MiB":              {func() error { return send(half+half, text("x")) }, "InvalidParameterValue"},
		"an empty attribute":                   {func() error { return send("x", text("")) }, "InvalidParameterValue"},
		"a queue of other attributes":          {func() error { return create("q", map[string]string{"VisibilityTimeout": "6"}) }, "QueueAlreadyExists"},
		"a dot in a queue's name":              {func() error { return create("a.b", nil) }, "InvalidParameterValue"},
		"dead letters in no queue":             {func() error { return create("r", map[string]string{"RedrivePolicy": noTarget}) }, "InvalidParameterValue"},
		"a visibility of more than 12 hours":   {func() error { return hide("x", 12*3600+1) }, "InvalidParameterValue"},
		"a handle that was never given out":    {func() error { return hide("x", 1) }, "InvalidParameterValue"},
		"a queue that does not exist":          {func() error { return queueURL(t, client, "none") }, "AWS.SimpleQueueService.NonExistentQueue"},
		"nothing, for the same queue again":    {func() error { return create("q", map[string]string{"VisibilityTimeout": "5"}) }, ""},
		"nothing, for a batch of 1 MiB in all": {func() error { return batch(entry("a", half), entry("b", half)) }, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := test.call()
			refused, ok := errors.AsType[smithy.APIError](err)
			if test.code == "" && err != nil || test.code != "" && (!ok || refused.ErrorCode() != test.code) {
				t.Errorf("the error is %v, want the code %q", err, test.code)
			}
		})
	}
}

const noTarget = `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:none","maxReceiveCount":"3"}`

func TestUnsignedRequestsAreRefused(t *testing.T) {
	_, endpoint := sqstest.Start(t, sqstest.Options{})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Amz-Target", "AmazonSQS.ListQueues")
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("the answer is %s, want 403", response.Status)
	}
}

func entry(id, body string) types.SendMessageBatchRequestEntry {
	return types.SendMessageBatchRequestEntry{Id: &id, MessageBody: &body}
}

func text(value string) map[string]types.MessageAttributeValue {
	return map[string]types.MessageAttributeValue{"Reason": {DataType: aws.String("String"), StringValue: &value}}
}

func queueURL(t *testing.T, client *sqs.Client, name string) error {
	t.Helper()
	_, err := client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: &name})
	return err
}

func newClient(t *testing.T, endpoint string) *sqs.Client {
	t.Helper()
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	return sqs.New(sqs.Options{
		BaseEndpoint: &endpoint, Region: "us-east-1", HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
	})
}
