package main

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"cloudmirror"
	"cloudmirror/queue"
	"cloudmirror/test/lab"
)

// dataScenarios break what the parts hold or answer.
func dataScenarios() []scenario {
	return []scenario{
		{name: "flushall", what: "FLUSHALL every 2 s, for 10 s", short: true, soak: true, atOnce: 2, fault: flushAll},
		{name: "redis-killed", what: "Redis: SIGKILL, back after 3 s and empty", soak: true, atOnce: 2, fault: killRedis},
		{name: "redis-failover", what: "Redis: fail-over that loses the writes of 4 s", atOnce: 2, fault: failOver},
		{name: "duplicates", what: "SQS: each job of a new object is delivered up to eight times, out of order", short: true, soak: true, fault: duplicates},
		{name: "long-copy", what: "a copy of 20 s, with a visibility timeout of " + visibility, fault: longCopy},
		{name: "slow-down", what: "S3 of one region answers SlowDown for 10 s", soak: true, atOnce: 2, fault: slowDownForAWhile},
	}
}

func holdStill(ctx context.Context, _ *play) error { return lab.Pause(ctx, 5*time.Second) }

func flushAll(ctx context.Context, p *play) error {
	for range 5 {
		if err := p.redis[0].client.FlushAll(ctx).Err(); err != nil {
			return err
		}
		if err := lab.Pause(ctx, 2*time.Second); err != nil {
			return err
		}
	}
	return nil
}

func killRedis(ctx context.Context, p *play) error {
	p.redis[0].Kill()
	if err := lab.Pause(ctx, 3*time.Second); err != nil {
		return err
	}
	return p.redis[0].Restart(ctx)
}

// failOver cuts the replica off, lets the master take more writes, and leads all
// links to the replica, which has never heard of them.
func failOver(ctx context.Context, p *play) error {
	master, replica := p.redis[0], p.redis[1]
	if err := replica.client.Do(ctx, "replicaof", "no", "one").Err(); err != nil {
		return err
	}
	kept := replica.client.DBSize(ctx).Val()
	if err := lab.Pause(ctx, 4*time.Second); err != nil {
		return err
	}
	written := master.client.DBSize(ctx).Val()
	for _, link := range []string{redisFrontends, redisCopiers} {
		if err := p.toxi.point(ctx, link, replica.address); err != nil {
			return err
		}
	}
	p.note("the new master had %d keys, the old one %d", kept, written)
	if kept == 0 || written <= kept {
		p.found("the fail-over lost no write: nothing was tested")
	}
	p.redis[0], p.redis[1] = replica, master
	_, port, _ := strings.Cut(replica.address, ":")
	return master.client.Do(ctx, "replicaof", "127.0.0.1", port).Err()
}

// duplicates sends jobs for new objects itself, before and after clients ask for
// them, with ids of their own and with the same id, each some time late.
func duplicates(ctx context.Context, p *play) error {
	client := sqs.New(sqs.Options{
		BaseEndpoint: aws.String("http://" + p.sqs), Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider(lab.AccessKey, lab.SecretKey, ""),
	})
	var items []item
	for n := range 16 {
		i := specialItem(regions[n%len(regions)], smallBytes, 0)
		items = append(items, i)
		name := "faults-" + service + "-" + i.region
		found, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
		if err != nil {
			return err
		}
		same := cloudmirror.NewID()
		ids := []string{same, cloudmirror.NewID(), same, cloudmirror.NewID(), cloudmirror.NewID(), same, cloudmirror.NewID()}
		for k, id := range ids {
			job := queue.Job{
				ID: id, Object: i.object(p.originName), Backend: i.backend(), Generation: firstGeneration,
				SentAt: time.Now().Add(-rand.N(time.Minute)),
			}
			_, err := client.SendMessage(ctx, &sqs.SendMessageInput{
				QueueUrl: found.QueueUrl, MessageBody: aws.String(string(job.Encode())), DelaySeconds: int32(rand.IntN(4)),
			})
			if err != nil {
				return err
			}
			if k == len(ids)/2 {
				p.load.also(ctx, 2, i)
			}
		}
	}
	if err := lab.Pause(ctx, 5*time.Second); err != nil { // until the last are delivered
		return err
	}
	most := 0
	for _, i := range items {
		most = max(most, p.origin.Started(i.path))
	}
	p.note("%d objects, each with seven jobs of ours beside the front end's own: at most %d copies of one were started", len(items), most)
	if most != 1 {
		p.found("%d copies of one object were started", most)
	}
	return nil
}

// firstGeneration is that of an object which was never purged.
const firstGeneration cloudmirror.Generation = "0"

// longCopy lets clients ask for an object whose origin is slow, and waits for its
// copy.
func longCopy(ctx context.Context, p *play) error {
	var items []item
	for _, region := range regions {
		i := specialItem(region, bigBytes, bigBytes/20)
		items = append(items, i)
		p.load.also(ctx, 3, i)
	}
	begun := time.Now()
	for _, i := range items {
		if err := p.awaitCopy(ctx, i, 60*time.Second); err != nil {
			return err
		}
		if n := p.origin.Started(i.path); n != 1 {
			p.found("%d copies of %s were started", n, i.path)
		}
	}
	p.note("both copies were there after %v", since(begun))
	return nil
}

// awaitCopy waits until an object is there, without asking for it.
func (p *play) awaitCopy(ctx context.Context, i item, limit time.Duration) error {
	for begun := time.Now(); ; {
		state, err := p.status(ctx, i)
		if err == nil && state.State == "present" {
			return nil
		}
		if time.Since(begun) > limit {
			p.found("%s is not copied after %v: %v %v", i.path, limit, state, err)
			return nil
		}
		if err := lab.Pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

func slowDownForAWhile(ctx context.Context, p *play) error {
	s := p.storages[regions[0]]
	s.inner.instead(slowDown)
	defer s.inner.instead(nil)
	return lab.Pause(ctx, 10*time.Second)
}
