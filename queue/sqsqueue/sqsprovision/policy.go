package sqsprovision

import (
	"cloudmirror/provision"
	"cloudmirror/queue/sqsqueue"
)

// Allow returns what a role may do with the queues of a backend, once they
// exist: exactly what the methods that it uses ask of SQS. A batch needs the
// permission of its single action
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html).
// The account may be "*". Of the options, those that name the queues count.
func Allow(o sqsqueue.Options, role provision.Role, region, account string) []provision.Statement {
	prefix := "arn:" + provision.Partition(region) + ":sqs:" + region + ":" + account + ":"
	jobsName, deadName := o.Names()
	jobs, dead := []string{prefix + jobsName}, []string{prefix + deadName}
	switch role {
	case provision.Frontend:
		return []provision.Statement{
			// Send, redriven letters included; Count.
			provision.Allow("SendJobs", []string{"sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SendMessage"}, jobs),
			// Letters, Redrive and Drop look at letters by receiving them.
			provision.Allow("ReviewDeadLetters", []string{
				"sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ReceiveMessage",
			}, dead),
		}
	case provision.Copier:
		return []provision.Statement{
			// Receive, Extend, Nack, Ack; Send of what is deferred; Count.
			provision.Allow("WorkOnJobs", []string{
				"sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl",
				"sqs:ReceiveMessage", "sqs:SendMessage",
			}, jobs),
			provision.Allow("Bury", []string{"sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SendMessage"}, dead),
		}
	}
	return nil
}
