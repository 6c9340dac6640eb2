package rediscache

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/push"

	"cloudmirror"
	"cloudmirror/cache"
)

const (
	// canaryPatience is how long a canary may take until it is heard.
	canaryPatience = time.Second
	// canaryLife is the time to live of a canary's key.
	canaryLife = 2 * time.Second
	// wakeChannel is the channel, behind the prefix, on which nothing is sent.
	wakeChannel = "wake"
)

// A tracker listens to the changes of one node, on a connection of its own that
// turns on tracking for itself (RESP3, BCAST). Subscribing to a channel, on
// which nothing is ever sent, puts the connection under Redis' output limit for
// subscribers: without it, a listener that is stopped for long would fill the
// server's memory.
type tracker struct {
	*listener
	node
	canaries canaries
}

func newTracker(l *listener, n node) *tracker {
	return &tracker{listener: l, node: n, canaries: canaries{prefix: l.store.prefix + "canary:{" + n.tag + "}:" + l.id + ":"}}
}

// run listens until ctx ends.
func (t *tracker) run(ctx context.Context) {
	for failures := 0; ; {
		proven, err := t.listen(ctx)
		if ctx.Err() != nil {
			return
		}
		t.report(t.name, err)
		failures++
		if proven {
			failures = 0
		}
		if !pause(ctx, backoff(failures), nil) {
			return
		}
	}
}

// listen follows one connection's life. It reports whether the connection has
// ever proven that it hears of changes, and why it ended.
func (t *tracker) listen(ctx context.Context) (proven bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	client := redis.NewClient(t.clientOptions())
	defer client.Close()
	news := client.Subscribe(ctx)
	var attending sync.WaitGroup
	defer attending.Wait()
	defer cancel(nil)
	// A read that waits for news knows no context: closing ends it.
	attending.Go(func() { <-ctx.Done(); _ = news.Close() })

	wrap := func(err error) error {
		return fmt.Errorf("rediscache: listen to %s: %w", t.name, cloudmirror.At(t.name, err))
	}
	if err := client.RegisterPushNotificationHandler("invalidate", t, true); err != nil {
		return false, wrap(err)
	}
	if err := news.Subscribe(ctx, t.store.prefix+wakeChannel); err != nil {
		return false, wrap(err)
	}
	for {
		message, err := news.Receive(ctx)
		if err != nil {
			cancel(wrap(err))
			attending.Wait()
			return proven, context.Cause(ctx)
		}
		if _, ok := message.(*redis.Subscription); ok {
			// What changed before tracking was on went unheard.
			t.store.noteAll()
			if t.store.near != nil && t.tag != "" {
				client := t.newReader()
				reader := newGatherer(client, &t.store.calls, t.store.timeout/2) // the rest is for reading without it
				t.setReader(t.name, reader)
				attending.Go(func() { <-ctx.Done(); t.dropReader(t.name, reader); _ = client.Close() })
			}
			attending.Go(func() { cancel(t.sendCanaries(ctx, &proven)) })
		}
	}
}

// clientOptions returns how to connect to the node as the data client does, but
// with tracking.
func (t *tracker) clientOptions() *redis.Options {
	o := *t.options
	o.Protocol = 3 // pushes
	o.PushNotificationProcessor = nil
	o.MaxRetries, o.PoolSize, o.MinIdleConns = -1, 1, 0
	o.OnConnect = func(ctx context.Context, conn *redis.Conn) error {
		// The keys of entries begin with a hash tag. Canaries of others would be
		// noise that grows with the square of the processes.
		err := conn.Do(ctx, "client", "tracking", "on", "bcast", "prefix", t.store.prefix+"{", "prefix", t.canaries.prefix).Err()
		if err != nil {
			return fmt.Errorf("turn on tracking: %w", err)
		}
		return nil
	}
	return &o
}

// HandlePushNotification tells the store which keys Redis calls invalid; no keys
// at all means a flush. What cannot be read may have been about any key.
func (t *tracker) HandlePushNotification(_ context.Context, _ push.NotificationHandlerContext, notification []any) error {
	var names []any
	understood := len(notification) > 1
	if understood {
		names, understood = notification[1].([]any)
	}
	if !understood {
		t.store.noteAll()
		return nil
	}
	for _, n := range names {
		name, _ := n.(string)
		if t.canaries.hear(name) {
			continue
		}
		if key, ok := strings.CutPrefix(name, t.store.prefix); ok {
			t.store.note(cache.Key(key))
		}
	}
	return nil
}

// sendCanaries writes canaries through the data client and waits to hear of
// them, and returns the first failure.
func (t *tracker) sendCanaries(ctx context.Context, proven *bool) error {
	if t.tag == "" { // there is no key to prove it with
		*proven = true
		t.report(t.name, nil)
		<-ctx.Done()
		return ctx.Err()
	}
	for {
		began := time.Now()
		if err := t.sendCanary(ctx); err != nil {
			return err
		}
		*proven = true
		t.report(t.name, nil)
		if !pause(ctx, t.canaryInterval-time.Since(began), nil) {
			return ctx.Err()
		}
	}
}

func (t *tracker) sendCanary(ctx context.Context) error {
	name, heard, forget := t.canaries.next()
	defer forget()
	ctx, cancel := context.WithTimeout(ctx, canaryPatience)
	defer cancel()
	asked := time.Now()
	answer, err := parseReply(t.canary.Run(ctx, t.store.client, []string{name}, canaryLife.Milliseconds()))
	if err != nil {
		return fmt.Errorf("rediscache: write a canary for %s: %w", t.name, err)
	}
	t.store.clock.learn(asked, answer.microseconds)
	select {
	case <-heard:
		// Redis sends what a command makes invalid before it answers the command.
		// So whatever was answered before the canary was sent has been heard.
		t.prove(t.name, asked)
		return nil
	case <-ctx.Done():
		return fmt.Errorf("rediscache: %s does not tell of changes: a canary was not heard in %v", t.name, canaryPatience)
	}
}
