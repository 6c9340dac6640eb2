package memqueue_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"cloudmirror"
	"cloudmirror/queue"
	"cloudmirror/queue/memqueue"
)

func job(t testing.TB, id string) queue.Job {
	t.Helper()
	object, err := cloudmirror.ParseObject("https://origin.test/" + id)
	if err != nil {
		t.Fatal(err)
	}
	return queue.Job{
		ID: id, Object: object, Backend: cloudmirror.BackendID{Service: "s3", Region: "us-east-1"},
		Generation: cloudmirror.FirstGeneration,
	}
}

func TestSendToAFullQueueIsRefused(t *testing.T) {
	q := memqueue.New(memqueue.Options{Capacity: 2})
	send(t, q, "a", 0)
	send(t, q, "b", time.Minute)
	if err := q.Send(t.Context(), job(t, "c"), 0); !errors.Is(err, queue.ErrFull) {
		t.Fatalf("the third job is taken with the error %v, want queue.ErrFull", err)
	}
	d := receive(t, q, 1)[0]
	if err := q.Send(t.Context(), job(t, "c"), 0); !errors.Is(err, queue.ErrFull) {
		t.Fatalf("a job in flight leaves room: error %v, want queue.ErrFull", err)
	}
	if err := q.Ack(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	send(t, q, "c", 0)
}

func TestOldestDeadLetterIsDroppedWithALogLine(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	q := memqueue.New(memqueue.Options{DeadCapacity: 2, Logger: zap.New(core)})
	for i := range 3 {
		send(t, q, strconv.Itoa(i), 0)
		if err := q.Bury(t.Context(), receive(t, q, 1)[0], strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	letters, err := q.Letters(t.Context(), queue.Choice{All: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(letters) != 2 || letters[0].Reason != "1" || letters[1].Reason != "2" {
		t.Errorf("the dead letters are %v, want the last two", letters)
	}
	if logs.Len() != 1 {
		t.Errorf("%d lines in the log, want one for the dropped letter", logs.Len())
	}
}

// TestWaitingReceiversWakeAtOnce checks that nothing polls: on the bubble's
// clock, a message is received at the very instant in which it becomes ready.
func TestWaitingReceiversWakeAtOnce(t *testing.T) {
	tests := map[string]struct {
		cause func(t *testing.T, q *memqueue.Queue) // called while a receiver waits
		after time.Duration                         // when the receiver has its message
	}{
		"for a job that is sent": {func(t *testing.T, q *memqueue.Queue) {
			send(t, q, "x", 0)
		}, 0},
		"for a job whose delay ends": {func(t *testing.T, q *memqueue.Queue) {
			send(t, q, "x", 3*time.Second)
		}, 3 * time.Second},
		"for the earlier one of two delays": {func(t *testing.T, q *memqueue.Queue) {
			send(t, q, "later", 5*time.Second)
			send(t, q, "x", 2*time.Second)
		}, 2 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := memqueue.New(memqueue.Options{WaitTime: time.Hour})
				start := time.Now()
				var received sync.WaitGroup
				received.Go(func() {
					if id := receive(t, q, 1)[0].Job.ID; id != "x" {
						t.Errorf("received %s, want x", id)
					}
					if waited := time.Since(start); waited != test.after {
						t.Errorf("received after %v, want %v", waited, test.after)
					}
				})
				synctest.Wait()
				test.cause(t, q)
				received.Wait()
			})
		})
	}
}

func TestWaitingReceiversWakeWhenAJobIsVisibleAgain(t *testing.T) {
	const visibility = time.Minute
	tests := map[string]struct {
		extend func(q *memqueue.Queue, d queue.Delivery) error
		after  time.Duration
	}{
		"left alone": {func(*memqueue.Queue, queue.Delivery) error { return nil }, visibility},
		"given back": {func(q *memqueue.Queue, d queue.Delivery) error {
			return q.Extend(t.Context(), d, 0)
		}, 0},
		"hidden for a shorter time": {func(q *memqueue.Queue, d queue.Delivery) error {
			return q.Extend(t.Context(), d, time.Second)
		}, time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := memqueue.New(memqueue.Options{Visibility: visibility, WaitTime: time.Hour})
				send(t, q, "x", 0)
				d := receive(t, q, 1)[0]
				start := time.Now()
				var received sync.WaitGroup
				received.Go(func() { receive(t, q, 1) })
				synctest.Wait()
				if err := test.extend(q, d); err != nil {
					t.Error(err)
				}
				received.Wait()
				if waited := time.Since(start); waited != test.after {
					t.Errorf("received after %v, want %v", waited, test.after)
				}
			})
		})
	}
}

// TestWakeUpIsPassedOn checks the case in which the one receiver that was woken
// for a message, or waited for its time, leaves without it.
func TestWakeUpIsPassedOn(t *testing.T) {
	tests := map[string]struct {
		delay time.Duration
		cause func(send, leave func())
	}{
		"of a ready job":   {0, func(send, leave func()) { leave(); send() }},
		"of a delayed job": {time.Second, func(send, leave func()) { send(); synctest.Wait(); leave() }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := memqueue.New(memqueue.Options{WaitTime: time.Hour})
				ctx, leave := context.WithCancel(t.Context())
				var both sync.WaitGroup
				both.Go(func() {
					if _, err := q.Receive(ctx, 1); !errors.Is(err, context.Canceled) {
						t.Errorf("the receiver that leaves has the error %v", err)
					}
				})
				synctest.Wait() // so that it is the first to be woken
				start := time.Now()
				both.Go(func() {
					receive(t, q, 1)
					if waited := time.Since(start); waited != test.delay {
						t.Errorf("the other receiver waited %v, want %v", waited, test.delay)
					}
				})
				synctest.Wait()
				test.cause(func() { send(t, q, "x", test.delay) }, leave)
				both.Wait()
			})
		})
	}
}

// TestReceiverWaitsForWhatAnotherOneReceived checks that a receiver which began
// to wait on an empty queue comes to know of a message in flight.
func TestReceiverWaitsForWhatAnotherOneReceived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const visibility = time.Minute
		q := memqueue.New(memqueue.Options{Visibility: visibility, WaitTime: time.Hour})
		start := time.Now()
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() { receive(t, q, 1) })
		}
		synctest.Wait()
		send(t, q, "x", 0)
		both.Wait()
		if waited := time.Since(start); waited != visibility {
			t.Errorf("the second receive came after %v, want %v", waited, visibility)
		}
	})
}

func TestEveryWaitingReceiverGetsOneOfAsManyJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := memqueue.New(memqueue.Options{WaitTime: time.Hour})
		start := time.Now()
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() { receive(t, q, 1) })
		}
		synctest.Wait()
		for i := range 10 {
			send(t, q, strconv.Itoa(i), time.Second)
		}
		all.Wait()
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("the last receiver waited %v, want 1s", waited)
		}
	})
}

func TestReadyJobsComeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const jobs = 10_000
		q := memqueue.New(memqueue.Options{})
		for i := range jobs {
			send(t, q, strconv.Itoa(i), time.Duration(i)*time.Millisecond%time.Second)
		}
		time.Sleep(time.Second)
		last := -1
		for received := 0; received < jobs; {
			for _, d := range receive(t, q, 100) {
				var i int
				if _, err := fmt.Sscan(d.Job.ID, &i); err != nil {
					t.Fatal(err)
				}
				if i%1000 < last {
					t.Fatalf("the job of %d ms came after that of %d ms", i%1000, last)
				}
				last = i % 1000
				received++
			}
		}
	})
}

func send(t testing.TB, q *memqueue.Queue, id string, delay time.Duration) {
	t.Helper()
	if err := q.Send(t.Context(), job(t, id), delay); err != nil {
		t.Error(err)
	}
}

// receive returns at least one delivery.
func receive(t testing.TB, q *memqueue.Queue, limit int) []queue.Delivery {
	t.Helper()
	deliveries, err := q.Receive(t.Context(), limit)
	if err != nil || len(deliveries) == 0 {
		t.Errorf("received %d messages, error %v", len(deliveries), err)
		return make([]queue.Delivery, 1)
	}
	return deliveries
}

// BenchmarkSendReceiveAck takes one job through a queue in which others wait.
func BenchmarkSendReceiveAck(b *testing.B) {
	for _, waiting := range []int{0, 10_000} {
		b.Run(fmt.Sprintf("%d_delayed", waiting), func(b *testing.B) {
			q := memqueue.New(memqueue.Options{})
			for i := range waiting {
				send(b, q, strconv.Itoa(i), queue.MaxDelay-time.Duration(i)*time.Millisecond)
			}
			one := job(b, "one")
			b.ReportAllocs()
			for b.Loop() {
				if err := q.Send(b.Context(), one, 0); err != nil {
					b.Fatal(err)
				}
				if err := q.Ack(b.Context(), receive(b, q, 1)[0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
