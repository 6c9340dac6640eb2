package sqsprovision_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	"github.com/google/go-cmp/cmp"

	"cloudmirror"
	"cloudmirror/provision"
	"cloudmirror/queue/sqsqueue"
	"cloudmirror/queue/sqsqueue/sqsprovision"
	"cloudmirror/queue/sqsqueue/sqstest"
	"cloudmirror/test/servers"
)

// resources returns the queues of a backend; calls counts what is asked of SQS
// by action.
func resources(t *testing.T, endpoint, owner string, adopt bool, calls map[string]int) []provision.Resource {
	t.Helper()
	plain := newClient(t, endpoint).Options()
	plain.APIOptions = append(plain.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("count", func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			calls[middleware.GetOperationName(ctx)]++
			return next.HandleInitialize(ctx, in)
		}), middleware.After)
	})
	r, err := sqsprovision.Provision(sqsqueue.Options{
		Client: sqs.New(plain), Backend: cloudmirror.BackendID{Service: "s3", Region: "eu-west-1"}, Prefix: "test-", MaxReceives: 7,
	}, owner, adopt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// run provisions and returns the action of each queue, with the first error.
func run(t *testing.T, r []provision.Resource, dryRun bool) (actions []provision.Action, err error) {
	t.Helper()
	runErr := provision.Run(t.Context(), r, dryRun, func(o provision.Outcome) error {
		t.Log(o)
		actions = append(actions, o.Action)
		err = errors.Join(err, o.Err)
		return nil
	})
	if (runErr != nil) != (err != nil) {
		t.Errorf("Run returns %v, the outcomes %v", runErr, err)
	}
	return actions, err
}

func onBothServers(t *testing.T, test func(t *testing.T, endpoint string)) {
	t.Run("sqstest", func(t *testing.T) {
		_, endpoint := sqstest.Start(t, sqstest.Options{})
		test(t, endpoint)
	})
	t.Run("moto", func(t *testing.T) { test(t, servers.StartMoto(t).Endpoint) })
}

func TestProvisionedTwiceNothingChanges(t *testing.T) {
	onBothServers(t, func(t *testing.T, endpoint string) {
		calls := make(map[string]int)
		r := resources(t, endpoint, "me", false, calls)
		for _, want := range []struct {
			dryRun  bool
			action  provision.Action
			changes map[string]int
		}{
			{true, provision.Create, map[string]int{}},
			{false, provision.Create, map[string]int{"CreateQueue": 2, "TagQueue": 1}},
			{false, provision.OK, map[string]int{}},
		} {
			clear(calls)
			actions, err := run(t, r, want.dryRun)
			if diff := cmp.Diff([]provision.Action{want.action, want.action}, actions); diff != "" || err != nil {
				t.Errorf("error %v, actions (-want +got):\n%s", err, diff)
			}
			maps.DeleteFunc(calls, func(action string, _ int) bool {
				return strings.HasPrefix(action, "Get") || strings.HasPrefix(action, "List")
			})
			if diff := cmp.Diff(want.changes, calls); diff != "" {
				t.Errorf("changing calls (-want +got):\n%s", diff)
			}
		}
	})
}

func TestWhatDriftedIsChangedBack(t *testing.T) {
	onBothServers(t, func(t *testing.T, endpoint string) {
		client := newClient(t, endpoint)
		// The queue of the jobs is there, longer kept than needed, without dead
		// letters, and has an attribute that cloudmirror does not set.
		create(t, client, jobsName, map[string]string{
			"VisibilityTimeout": "5", "MessageRetentionPeriod": "1209600", "ReceiveMessageWaitTimeSeconds": "20",
			"DelaySeconds": "3", "MaximumMessageSize": "1024", "KmsMasterKeyId": "alias/mine", "KmsDataKeyReusePeriodSeconds": "600",
		})
		r := resources(t, endpoint, "me", false, make(map[string]int))
		if actions, err := run(t, r, false); err != nil || actions[0] != provision.Create || actions[1] != provision.Change {
			t.Errorf("actions %v, error %v", actions, err)
		}
		out, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
			QueueUrl: urlOf(t, client, jobsName), AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
		})
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"VisibilityTimeout": "60", "MessageRetentionPeriod": "1209600", "DelaySeconds": "0", "MaximumMessageSize": "262144", "KmsDataKeyReusePeriodSeconds": "600"} {
			if got := out.Attributes[name]; got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
		if policy := out.Attributes["RedrivePolicy"]; !strings.Contains(policy, deadName) || !strings.Contains(policy, "12") {
			t.Errorf("the redrive policy is %s", policy)
		}
		if actions, err := run(t, r, false); err != nil || actions[0] != provision.OK || actions[1] != provision.OK {
			t.Errorf("again: actions %v, error %v", actions, err)
		}
	})
}

func TestAQueueOfAnotherDeploymentIsLeftAlone(t *testing.T) {
	onBothServers(t, func(t *testing.T, endpoint string) {
		calls := make(map[string]int)
		if _, err := run(t, resources(t, endpoint, "other", false, calls), false); err != nil {
			t.Fatal(err)
		}
		clear(calls)
		if _, err := run(t, resources(t, endpoint, "me", false, calls), false); !errors.Is(err, provision.ErrForeign) || !strings.Contains(err.Error(), "other") {
			t.Errorf("error %v, want ErrForeign and the owner's id", err)
		}
		if calls["TagQueue"]+calls["SetQueueAttributes"] != 0 {
			t.Errorf("calls %v", calls)
		}
		if actions, err := run(t, resources(t, endpoint, "me", true, calls), false); err != nil || actions[1] != provision.Change {
			t.Errorf("adopting: actions %v, error %v", actions, err)
		}
		if actions, err := run(t, resources(t, endpoint, "me", false, calls), false); err != nil || actions[1] != provision.OK {
			t.Errorf("adopted: actions %v, error %v", actions, err)
		}
	})
}

func TestServersWithoutTagsAreProvisioned(t *testing.T) {
	server, endpoint := sqstest.Start(t, sqstest.Options{})
	r := resources(t, endpoint, "me", false, make(map[string]int))
	server.Inject("TagQueue", 1, sqstest.Fault{Code: "UnknownOperationException"})
	if _, err := run(t, r, false); err != nil {
		t.Error(err)
	}
	server.Inject("ListQueueTags", 1, sqstest.Fault{Code: "UnsupportedOperation"})
	if actions, err := run(t, r, false); err != nil || actions[1] != provision.OK {
		t.Errorf("again: actions %v, error %v", actions, err)
	}
}

func TestWhatMakesNoDifference(t *testing.T) {
	// Servers say what they keep in their own words, or not at all.
	server, endpoint := sqstest.Start(t, sqstest.Options{})
	r := resources(t, endpoint, "", false, make(map[string]int))
	if _, err := run(t, r, false); err != nil {
		t.Fatal(err)
	}
	jobs := server.Queues()[jobsName]
	for name, change := range map[string]map[string]string{
		"a number in the redrive policy": {"RedrivePolicy": strings.ReplaceAll(jobs["RedrivePolicy"], `"12"`, `12`)},
		"a key of one's own":             {"SqsManagedSseEnabled": "false", "KmsMasterKeyId": "alias/mine"},
		"no word about encryption":       {"SqsManagedSseEnabled": ""},
		"a longer retention":             {"MessageRetentionPeriod": "1209600"},
	} {
		client := newClient(t, endpoint)
		if _, err := client.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: urlOf(t, client, jobsName), Attributes: change}); err != nil {
			t.Fatal(err)
		}
		if actions, err := run(t, r, true); err != nil || actions[1] != provision.OK {
			t.Errorf("%s: actions %v, error %v", name, actions, err)
		}
	}
}

func TestWhoMayNotSeeTagsIsToldWhatDiffers(t *testing.T) {
	server, endpoint := sqstest.Start(t, sqstest.Options{})
	calls := make(map[string]int)
	r := resources(t, endpoint, "me", false, calls)
	if _, err := run(t, r, false); err != nil {
		t.Fatal(err)
	}
	server.Inject("ListQueueTags", 4, sqstest.Fault{Code: "AccessDeniedException"})
	if actions, err := run(t, r, true); !errors.Is(err, provision.ErrDenied) || actions[0] != provision.OK || actions[1] != "" {
		t.Errorf("nothing differs: actions %v, error %v", actions, err)
	}
	client := newClient(t, endpoint)
	_, err := client.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{
		QueueUrl: urlOf(t, client, jobsName), Attributes: map[string]string{"VisibilityTimeout": "3"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if actions, err := run(t, r, true); err != nil || actions[1] != provision.Change {
		t.Errorf("something differs: actions %v, error %v", actions, err)
	}
	clear(calls)
	if _, err := run(t, r, false); !errors.Is(err, provision.ErrDenied) || calls["SetQueueAttributes"] != 0 {
		t.Errorf("it was changed with calls %v, error %v, not knowing whose it is", calls, err)
	}
}

func TestARefusalIsNoMissingQueue(t *testing.T) {
	server, endpoint := sqstest.Start(t, sqstest.Options{})
	server.Inject("GetQueueUrl", 20, sqstest.Fault{Code: "AccessDeniedException"})
	actions, err := run(t, resources(t, endpoint, "me", false, make(map[string]int)), false)
	if api, ok := errors.AsType[smithy.APIError](err); !ok || api.ErrorCode() != "AccessDeniedException" || actions[0] != "" {
		t.Errorf("actions %v, error %v", actions, err)
	}
	if n := server.Requests("CreateQueue"); n != 0 {
		t.Errorf("%d queues were created", n)
	}
}

// The queue of the jobs needs that of the dead letters, whatever became of the step
// before.
func TestDeadLettersThatCouldNotBeMadeAreMadeWithTheQueue(t *testing.T) {
	server, endpoint := sqstest.Start(t, sqstest.Options{})
	server.Inject("CreateQueue", 1, sqstest.Fault{Code: "AccessDeniedException"})
	if _, err := run(t, resources(t, endpoint, "me", false, make(map[string]int)), false); err == nil {
		t.Error("the refusal is no error")
	}
	queues := server.Queues()
	if len(queues) != 2 || !strings.Contains(queues[jobsName]["RedrivePolicy"], deadName) {
		t.Errorf("the queues are %v", queues)
	}
}

func TestPoliciesNameTheQueues(t *testing.T) {
	o := sqsqueue.Options{Backend: cloudmirror.BackendID{Service: "s3", Region: "eu-west-1"}, Prefix: "test-", Visibility: time.Minute}
	for _, role := range []provision.Role{provision.Frontend, provision.Copier} {
		var named []string
		for _, s := range sqsprovision.Allow(o, role, "cn-north-1", "123") {
			named = append(named, s.Resource...)
		}
		want := []string{"arn:aws-cn:sqs:cn-north-1:123:" + jobsName, "arn:aws-cn:sqs:cn-north-1:123:" + deadName}
		if diff := cmp.Diff(want, named); diff != "" {
			t.Errorf("%s (-want +got):\n%s", role, diff)
		}
	}
}
