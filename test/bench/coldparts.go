package main

import (
	"context"
	"fmt"

	"cloudmirror/test/lab"
)

const goalParts50 = 25 // milliseconds over the direct fetch, on Redis, SQS and S3

// measureParts fetches cold objects through front ends and copiers that are apart.
func measureParts(ctx context.Context, l *laboratory) (result, error) {
	origin, err := l.startOrigin(ctx)
	if err != nil {
		return result{}, err
	}
	defer origin.stop()
	ours, err := l.deploy(ctx, plan{})
	if err != nil {
		return result{}, err
	}
	defer ours.stop()
	ways := []*way{
		{name: "directly from the origin"},
		{name: "through cloudmirror, our SQS test server", front: ours.front, copies: ours.copies()},
	}
	if err := fetchAll(ctx, l, origin, ways, l.partsObjects); err != nil {
		return result{}, err
	}
	rows, added := reportWays(ways)
	note := ""
	withMoto, err := l.fetchWithMoto(ctx, origin)
	if err != nil {
		note = fmt.Sprintf("\nNot measured with moto: %v.\n", err)
	} else {
		motoRows, _ := reportWays(withMoto)
		rows = append(rows, motoRows...)
	}
	return result{
		goals: []goal{atMost("a cold object of 1 KB, Redis + SQS + S3: time added, p50", asMilliseconds, goalParts50, quantile(added, 0.5))},
		text: fmt.Sprintf(`The same with front end and copier as processes of their own, on Redis, an SQS-protocol server and versitygw, all on the loopback address: %d objects. The goal is judged with test/bench/sqs, whose long polls end at once when a message comes. With moto, an SQS server of others, for information: its long polls look for messages every now and then. What is asked of Redis, SQS and S3 is counted under "Round trips".

%s%s`, len(added), lab.Table(quantileHead, rows), note),
	}, nil
}

func (d *deployment) copies() string { return "http://" + d.s3.address + "/copies/" }

// fetchWithMoto fetches fewer objects: they are slow.
func (l *laboratory) fetchWithMoto(ctx context.Context, origin *process) ([]*way, error) {
	d, err := l.deploy(ctx, plan{moto: true})
	if err != nil {
		return nil, err
	}
	defer d.stop()
	ways := []*way{{name: "directly from the origin, again"}, {name: "through cloudmirror, moto", front: d.front, copies: d.copies()}}
	return ways, fetchAll(ctx, l, origin, ways, (l.partsObjects+3)/4)
}
