package rediscache_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"cloudmirror/cache/rediscache"
	"cloudmirror/test/servers"
)

func TestStoreWorksOnWithoutTracking(t *testing.T) {
	server := servers.StartRedis(t)
	if err := raw(t, server).Do(t.Context(),
		"acl", "setuser", "app", "on", ">secret", "~*", "&*", "+@all", "-client|tracking").Err(); err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.WarnLevel)
	registry := prometheus.NewRegistry()
	store := open(t, rediscache.Options{
		URL: "redis://app:secret@" + server.Addr(), Logger: zap.New(core), Registerer: registry,
	})
	await(t, "tracking was tried again and again", func() error {
		if n := interruptions(t, registry); n < 3 {
			return fmt.Errorf("it was tried %v times", n)
		}
		return nil
	})
	if err := store.Watching(); err == nil || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("the status is %v", err)
	}
	key := newKey(t)
	changed, stop := store.Watch(key)
	defer stop()
	if _, err := claim(t.Context(), store, key); err != nil {
		t.Error(err)
	}
	select {
	case <-changed: // the store's own changes are known without Redis
	default:
		t.Error("the store's own change was not told")
	}
	if n := logs.Len(); n != 1 {
		t.Errorf("the refusal is logged %d times: %v", n, logs.All())
	}
}

// interruptions returns how often a listening connection was lost or refused.
func interruptions(t *testing.T, registry *prometheus.Registry) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "cloudmirror_cache_watch_interruptions_total" {
			return family.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatal("there is no metric of interruptions")
	return 0
}

func TestDocumentedPrivilegesSuffice(t *testing.T) {
	server := servers.StartRedis(t)
	if err := raw(t, server).Do(t.Context(), "acl", "setuser", "app", "on", ">secret", "-@all",
		"~cloudmirror:*", "&cloudmirror:*", "+get", "+set", "+del", "+time", "+eval", "+evalsha", "+ping", "+subscribe",
		"+client|tracking").Err(); err != nil {
		t.Fatal(err)
	}
	store := openWatching(t, "redis://app:secret@"+server.Addr())
	if err := store.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	wantHeard(t, store, openWatching(t, singleURL(server)))
	wantHeard(t, openWatching(t, singleURL(server)), store)
}

func TestErrorsNeverHaveThePassword(t *testing.T) {
	server := servers.StartRedis(t, "--requirepass", "right")
	core, logs := observer.New(zap.DebugLevel)
	store := open(t, rediscache.Options{URL: "redis://:hunter2@" + server.Addr(), Logger: zap.New(core)})
	_, getErr := store.Get(t.Context(), newKey(t))
	_, claimErr := claim(t.Context(), store, newKey(t))
	await(t, "the refusal is logged", func() error {
		if logs.Len() == 0 {
			return errors.New("there is no log")
		}
		return nil
	})
	for _, err := range []error{getErr, claimErr, store.Ping(t.Context()), store.Watching()} {
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error is %v", err)
		}
	}
	for _, entry := range logs.All() {
		for _, field := range entry.Context {
			if err, ok := field.Interface.(error); ok && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the log has the password: %v", err)
			}
		}
	}
}
