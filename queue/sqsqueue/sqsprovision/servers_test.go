package sqsprovision_test

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"go.uber.org/goleak"

	"cloudmirror/queue/sqsqueue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	jobsName = "test-s3-eu-west-1"
	deadName = "test-s3-eu-west-1-dead"
)

// newClient returns a client of a server that takes any credentials.
func newClient(t *testing.T, endpoint string) *sqs.Client {
	t.Helper()
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	return sqsqueue.NewClient(aws.Config{
		Region:      "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
		HTTPClient:  &http.Client{Transport: transport},
	}, endpoint)
}

// urlOf returns the URL of a queue that exists.
func urlOf(t *testing.T, client *sqs.Client, name string) *string {
	t.Helper()
	found, err := client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return found.QueueUrl
}

func create(t *testing.T, client *sqs.Client, name string, attributes map[string]string) {
	t.Helper()
	if _, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes}); err != nil {
		t.Fatal(err)
	}
}
