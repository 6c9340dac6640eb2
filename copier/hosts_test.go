package copier_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror/copier"
)

// Strangers name hosts: only so many are remembered, those of which something was
// wanted last.
func TestHostsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) { o.Manners.Remembered = 100 })
		b.fail("host.test", 5, unreachable())
		b.origin.script(copiesIn(0))
		for i := range 99 {
			b.ask(fmt.Sprintf("https://host%d.test/", i))
		}
		synctest.Wait()
		if n := b.value("cloudmirror_origin_hosts_paused"); n != 1 {
			t.Errorf("%v hosts are paused, want 1 of 100", n)
		}
		b.ask("https://one.more.test/")
		synctest.Wait()
		if n := b.value("cloudmirror_origin_hosts_paused"); n != 0 {
			t.Errorf("%v hosts are paused, want the oldest to be forgotten", n)
		}
	})
}

// A host with running copies is not forgotten, or its bound would be too.
func TestABusyHostIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) { o.Manners.Remembered = 10 })
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
