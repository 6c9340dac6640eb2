package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"cloudmirror/test/lab"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// A proof shows that a step can fail: it breaks what the step claims. What it
// leaves broken is mended after the step.
type proof struct {
	what   string
	begin  func(*client) // before the step
	at     point
	meddle func(context.Context, *deployment, item) error // in the middle of it
}

// A point is a place in a step where a proof may meddle.
type point int

const (
	whileBroken point = iota // after the step's own fault, if it has one
	onceMended               // when the fault is over
)

func kill(name string) func(context.Context, *deployment, item) error {
	return func(ctx context.Context, d *deployment, _ item) error { return d.do(ctx, "kill", name) }
}

func stopsAnswering(name string) func(context.Context, *deployment, item) error {
	return func(ctx context.Context, d *deployment, _ item) error { return d.do(ctx, "pause", name) }
}

func leavesNetwork(name string) func(context.Context, *deployment, item) error {
	return func(ctx context.Context, d *deployment, _ item) error { return d.cutOff(ctx, name) }
}

func purgeObject(ctx context.Context, d *deployment, i item) error {
	return d.client.purge(ctx, d.balancerURL(), i)
}

// deleteObject deletes a copy behind the deployment's back.
func deleteObject(ctx context.Context, d *deployment, i item) error {
	a, err := d.client.ask(ctx, d.balancerURL(), i)
	if err != nil {
		return err
	}
	location, err := url.Parse(a.location)
	if err != nil {
		return err
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(location.Path, "/"), "/")
	server := lab.S3{Endpoint: "http://127.0.0.1:" + location.Port(), Region: i.region, AccessKey: "cloudmirror", SecretKey: "for-trying-only"}
	_, err = server.Client().DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key})
	return err
}

// meddle is called by steps at the points where a proof may break something.
func (d *deployment) meddle(ctx context.Context, at point, i item) error {
	if p := d.proof; p != nil && p.meddle != nil && p.at == at {
		return p.meddle(ctx, d, i)
	}
	return nil
}

// isBroken says that a proof keeps the deployment from being as it was.
func (d *deployment) isBroken() bool { return d.proof != nil }

// prove plays a step with each of its proofs, and returns an error if it passes.
func (d *deployment) prove(ctx context.Context, s step) error {
	for _, p := range s.proofs {
		d.proof = &p
		if p.begin != nil {
			p.begin(d.client)
		}
		red := s.run(ctx, d)
		d.proof = nil
		d.client.behave()
		if err := d.mend(ctx); err != nil {
			return fmt.Errorf("after the proof: %w", err)
		}
		if red == nil {
			return fmt.Errorf("it passes although: %s", p.what)
		}
		logf("    red, as it should be, when %s: %v", p.what, red)
	}
	return nil
}

// mend brings back what a proof, or a step that failed half-way, left broken.
func (d *deployment) mend(ctx context.Context) error {
	for _, name := range slices.Concat(serving, []string{"origin"}) {
		id, err := d.container(ctx, name)
		if err != nil {
			return err
		}
		state, err := d.docker(ctx, "inspect", "-f", "{{.State.Status}} {{len .NetworkSettings.Networks}}", id)
		if err != nil {
			return err
		}
		status, networks, _ := strings.Cut(state, " ")
		var unpaused, rejoined error
		if status == "paused" {
			unpaused = d.do(ctx, "unpause", name)
		}
		if networks == "0" {
			rejoined = d.rejoin(ctx, name)
		}
		if err := errors.Join(unpaused, rejoined, d.do(ctx, "start", name)); err != nil {
			return err
		}
	}
	return d.awaitServing(ctx)
}
