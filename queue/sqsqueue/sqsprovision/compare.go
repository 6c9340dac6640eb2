package sqsprovision

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"cloudmirror/queue/sqsqueue"
)

const (
	redrivePolicy = string(types.QueueAttributeNameRedrivePolicy)
	retention     = string(types.QueueAttributeNameMessageRetentionPeriod)
	delaySeconds  = string(types.QueueAttributeNameDelaySeconds)
	maxMessage    = string(types.QueueAttributeNameMaximumMessageSize)
	managedSSE    = string(types.QueueAttributeNameSqsManagedSseEnabled)
	kmsKey        = string(types.QueueAttributeNameKmsMasterKeyId)
)

// attributes returns what the queue is created with, where its dead letters have the
// given ARN.
func (q *queue) attributes(deadARN string) map[string]string {
	jobs, dead := q.driver.Attributes(deadARN)
	if q.deadLetters == nil {
		return dead
	}
	return jobs
}

// wanted returns what the queue must be set to.
func (q *queue) wanted(ctx context.Context) (map[string]string, error) {
	if q.deadLetters == nil {
		return q.attributes(""), nil
	}
	arn, err := q.deadLetters.arn(ctx)
	return q.attributes(arn), err
}

// describe says what a new queue will be set to.
func (q *queue) describe() []string {
	wanted := q.attributes("")
	if q.deadLetters != nil {
		wanted[redrivePolicy] = fmt.Sprintf("to %s after %s receives", q.deadLetters.name, parseRedrive(wanted[redrivePolicy]).MaxReceives)
	}
	var details []string
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		details = append(details, name+": "+wanted[name])
	}
	if q.owner != "" {
		details = append(details, q.describeTag())
	}
	return details
}

// compare returns the attributes of a queue that have to be set, and says why.
func (q *queue) compare(ctx context.Context, url *string) (changes map[string]string, details []string, err error) {
	all, err := q.read(ctx, url, types.QueueAttributeNameAll)
	if err != nil {
		return nil, nil, err
	}
	wanted, err := q.wanted(ctx)
	if err != nil {
		return nil, nil, err
	}
	// A new queue has these without being told.
	wanted[delaySeconds], wanted[maxMessage] = "0", strconv.Itoa(sqsqueue.MaxBatchBytes)
	changes = make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		is, reported := all[name]
		if suits(name, is, wanted[name], all) {
			continue
		}
		changes[name] = wanted[name]
		if !reported {
			is = "not set"
		}
		details = append(details, fmt.Sprintf("%s: %s, not %s", name, wanted[name], is))
	}
	return changes, details, nil
}

// suits reports whether an attribute may stay as it is.
func suits(name, is, wanted string, all map[string]string) bool {
	switch name {
	case retention, maxMessage:
		if is == "" && name == maxMessage {
			return true // not told by every server
		}
		have, errHave := strconv.Atoi(is)
		want, errWant := strconv.Atoi(wanted)
		return errHave == nil && errWant == nil && have >= want
	case delaySeconds:
		return is == "" || is == wanted
	case managedSSE: // other servers may not know it; a key of one's own is better
		return is == "" || is == wanted || all[kmsKey] != ""
	case redrivePolicy:
		return parseRedrive(is) == parseRedrive(wanted) && parseRedrive(is) != redrive{}
	}
	return is == wanted
}

// redrive is a redrive policy. SQS answers with a number where it was told a
// string.
type redrive struct {
	Target      string      `json:"deadLetterTargetArn"`
	MaxReceives json.Number `json:"maxReceiveCount"`
}

// parseRedrive returns the zero value for what is no policy.
func parseRedrive(text string) (r redrive) {
	if json.Unmarshal([]byte(text), &r) != nil {
		return redrive{}
	}
	return r
}
