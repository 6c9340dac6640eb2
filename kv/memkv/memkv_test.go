package memkv_test

import (
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror/kv/kvtest"
	"cloudmirror/kv/memkv"
)

func TestStore(t *testing.T) {
	kvtest.Run(t, func(t *testing.T, test func(*testing.T, kvtest.Harness)) {
		synctest.Test(t, func(t *testing.T) {
			store := new(memkv.Store)
			test(t, kvtest.Harness{Store: store, Peer: store, Advance: time.Sleep})
		})
	})
}
