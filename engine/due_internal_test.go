package engine

import (
	"fmt"
	"testing"
	"time"

	"cloudmirror/cache"
)

func TestDueTimes(t *testing.T) {
	d, now := newDueTimes(), time.Now()
	key := cache.Key("{hash}:s3:eu-west-1")
	if !d.isDue(key, now) {
		t.Error("an unknown copy is not due")
	}
	for _, in := range []time.Duration{time.Hour, time.Minute, 10 * 365 * 24 * time.Hour, time.Millisecond} {
		d.set(key, now.Add(in))
		if d.isDue(key, now.Add(in-time.Millisecond)) || !d.isDue(key, now.Add(in)) {
			t.Errorf("a copy that is due in %v: before that %v, then %v", in, d.isDue(key, now.Add(in-time.Millisecond)), d.isDue(key, now.Add(in)))
		}
	}
}

// In a set that is full, what is due first makes place.
func TestDueTimesForgetWhatIsDueFirst(t *testing.T) {
	d, now := newDueTimes(), time.Now()
	first := cache.Key("first")
	set, _ := d.find(first)
	same := []cache.Key{first}
	for i := 0; len(same) <= dueWays; i++ {
		key := cache.Key(fmt.Sprint(i))
		if other, _ := d.find(key); other == set {
			same = append(same, key)
		}
	}
	for _, i := range []int{1, 0, 2, 3, 4} { // the last one finds the set full
		d.set(same[i], now.Add(time.Duration(i+1)*time.Minute))
	}
	for i, key := range same[1:] {
		if d.isDue(key, now) {
			t.Errorf("copy %d is forgotten", i+1)
		}
	}
	if !d.isDue(first, now) {
		t.Error("the copy that was due first is still remembered, beside as many as there are places")
	}
}
