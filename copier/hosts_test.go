package copier_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror/copier"
)

// Jobs name hosts, and clients choose them: at most a number is remembered of those
// that are paused, and others do not count among them.
func TestHostsAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) { o.Limits.Remembered = 10 })
		b.fail("paused0.test", 5, unreachable())
		b.origin.script(copiesIn(0))
		for i := range 50 {
			b.ask(fmt.Sprintf("https://host%d.test/", i))
		}
		b.settle()
		if n := b.value("cloudmirror_origin_hosts_paused"); n != 1 {
			t.Errorf("%v hosts are paused, want 1 in spite of 50 others", n)
		}
		asked := b.origin.asked()
		b.ask("https://paused0.test/another")
		if b.settle(); b.origin.asked() != asked {
			t.Error("a host that is paused was asked at once")
		}
		for i := range 10 {
			b.fail(fmt.Sprintf("paused%d.test", i+1), 5, unreachable())
		}
		if n := b.value("cloudmirror_origin_hosts_paused"); n != 10 {
			t.Errorf("%v hosts are paused, want the oldest of 11 to be forgotten", n)
		}
	})
}

// A host with running copies is not forgotten, or its bound would be too.
func TestABusyHostIsNotForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) { o.Limits.Remembered = 10 })
		b.origin.script(copiesIn(time.Hour))
		for i := range 7 {
			b.ask(fmt.Sprintf("https://busy.test/%d", i))
		}
		b.settle()
		b.origin.script(copiesIn(0))
		b.ask("https://busy.test/short")
		b.settle()
		for i := range 50 {
			b.ask(fmt.Sprintf("https://host%d.test/", i))
		}
		b.settle()
		b.origin.script(copiesIn(time.Hour))
		for i := range 7 {
			b.ask(fmt.Sprintf("https://busy.test/more/%d", i))
		}
		b.settle()
		if most := b.origin.mostOf("busy.test"); most != 8 || b.origin.asked() != 8+50+1 {
			t.Errorf("%d copies of the host ran at a time, want 8; %d requests in all", most, b.origin.asked())
		}
	})
}
