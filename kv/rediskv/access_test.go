package rediskv_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"cloudmirror/kv"
	"cloudmirror/kv/rediskv"
	"cloudmirror/test/servers"
)

// TestDocumentedPrivilegesSuffice holds that a user of Redis with what package
// rediscache asks for can use a store, and that two prefixes share nothing.
func TestDocumentedPrivilegesSuffice(t *testing.T) {
	addr := servers.StartRedis(t).Addr()
	root := redis.NewClient(&redis.Options{Addr: addr})
	defer root.Close()
	open := func(user, prefix string) *rediskv.Store {
		if err := root.Do(t.Context(), "acl", "setuser", user, "on", ">secret", "-@all", "~"+prefix+"*", "&"+prefix+"*", "+get", "+set",
			"+del", "+time", "+eval", "+evalsha", "+ping", "+subscribe", "+client|tracking").Err(); err != nil {
			t.Fatal(err)
		}
		client := redis.NewClient(&redis.Options{Addr: addr, Username: user, Password: "secret"})
		t.Cleanup(func() { client.Close() })
		return rediskv.New(client, prefix)
	}
	const table kv.Table = "presence"
	one, other := open("one", "one:"), open("other", "other:")
	for id, store := range map[string]*rediskv.Store{"a": one, "b": other} {
		if err := store.Put(t.Context(), table, id, []byte(id), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	for id, store := range map[string]*rediskv.Store{"a": one, "b": other} {
		if value, err := store.Get(t.Context(), table, id); err != nil || string(value) != id {
			t.Errorf("get: %q, %v", value, err)
		}
		if records, err := store.List(t.Context(), table); err != nil || len(records) != 1 || records[0].ID != id {
			t.Errorf("list: %v, %v, want %s alone", records, err, id)
		}
		if err := store.Delete(t.Context(), table, id); err != nil {
			t.Error(err)
		}
	}
}
