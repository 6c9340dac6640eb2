package sqstest

import (
	"encoding/json"
	"maps"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
)

type createQueueInput struct {
	QueueName  string
	Attributes map[string]string
}

type queueURLOutput struct{ QueueUrl string } //nolint:revive // the protocol's spelling

func (s *Server) createQueue(in createQueueInput) (any, error) {
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`).MatchString(in.QueueName) {
		return nil, errorf("InvalidParameterValue", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	policy, err := s.redrive(in.Attributes["RedrivePolicy"])
	if err != nil {
		return nil, err
	}
	if q, found := s.queues[in.QueueName]; found {
		for name, value := range in.Attributes {
			if q.attributes[name] != value {
				return nil, errorf("QueueNameExists", "A queue already exists with the same name and a different value for attribute %s", name)
			}
		}
		return queueURLOutput{url(in.QueueName)}, nil
	}
	q := &messages{name: in.QueueName, tags: make(map[string]string)}
	q.set(in.Attributes, policy)
	s.queues[in.QueueName] = q
	return queueURLOutput{url(in.QueueName)}, nil
}

// set makes attributes those of the queue.
func (q *messages) set(attributes map[string]string, policy redrive) {
	q.attributes, q.redrive = attributes, policy
	q.visibility = seconds(attributes["VisibilityTimeout"], 30)
	q.wait = seconds(attributes["ReceiveMessageWaitTimeSeconds"], 0)
}

func (s *Server) setQueueAttributes(in struct {
	QueueUrl   string //nolint:revive // the protocol's spelling
	Attributes map[string]string
},
) (any, error) {
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	attributes := make(map[string]string)
	maps.Copy(attributes, q.attributes)
	maps.Copy(attributes, in.Attributes)
	policy, err := s.redrive(attributes["RedrivePolicy"])
	if err != nil {
		return nil, err
	}
	q.set(attributes, policy)
	return struct{}{}, nil
}

func (s *Server) tagQueue(in struct {
	QueueUrl string //nolint:revive // the protocol's spelling
	Tags     map[string]string
},
) (any, error) {
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	maps.Copy(q.tags, in.Tags)
	return struct{}{}, nil
}

func (s *Server) listQueueTags(in struct {
	QueueUrl string //nolint:revive // the protocol's spelling
},
) (any, error) {
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Tags": q.tags}, nil
}

// redrive reads a redrive policy, whose target must exist.
func (s *Server) redrive(policy string) (redrive, error) {
	if policy == "" {
		return redrive{}, nil
	}
	var p struct {
		DeadLetterTargetArn string      `json:"deadLetterTargetArn"`
		MaxReceiveCount     json.Number `json:"maxReceiveCount"` // a number or a string, as with SQS
	}
	if err := json.Unmarshal([]byte(policy), &p); err != nil {
		return redrive{}, errorf("InvalidParameterValue", "Value for parameter RedrivePolicy is invalid: %v", err)
	}
	target := path.Base(strings.ReplaceAll(p.DeadLetterTargetArn, ":", "/"))
	if _, found := s.queues[target]; !found || p.DeadLetterTargetArn != arn(target) {
		return redrive{}, errorf("InvalidParameterValue", "Value for parameter RedrivePolicy is invalid. Reason: Dead letter target does not exist.")
	}
	count, err := strconv.Atoi(p.MaxReceiveCount.String())
	if err != nil || count < 1 {
		return redrive{}, errorf("InvalidParameterValue", "Value for parameter RedrivePolicy is invalid. Reason: maxReceiveCount")
	}
	return redrive{target: target, maxReceives: count}, nil
}

func seconds(value string, otherwise int) time.Duration {
	n, err := strconv.Atoi(value)
	if err != nil {
		n = otherwise
	}
	return time.Duration(n) * time.Second
}

func (s *Server) getQueueURL(in struct{ QueueName string }) (any, error) {
	if _, err := s.find(in.QueueName); err != nil {
		return nil, err
	}
	return queueURLOutput{url(in.QueueName)}, nil
}

func (s *Server) getQueueAttributes(in struct {
	QueueUrl       string //nolint:revive // the protocol's spelling
	AttributeNames []string
},
) (any, error) {
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	ready, delayed, inFlight := q.count(s.now())
	all := map[string]string{
		"QueueArn":                              arn(q.name),
		"ApproximateNumberOfMessages":           strconv.Itoa(ready),
		"ApproximateNumberOfMessagesDelayed":    strconv.Itoa(delayed),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(inFlight),
	}
	for name, value := range q.attributes {
		all[name] = value
	}
	asked := make(map[string]string)
	for _, name := range in.AttributeNames {
		if value, found := all[name]; found {
			asked[name] = value
		}
	}
	if len(in.AttributeNames) == 1 && in.AttributeNames[0] == "All" {
		asked = all
	}
	return map[string]any{"Attributes": asked}, nil
}
