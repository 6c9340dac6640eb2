package app_test

import (
	"net/http"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"cloudmirror/app"
)

// The start line has an address that answers, also for a listener of all addresses.
func TestTheStartLineNamesTheStatusPage(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	c := load(t, nil)
	c.Listen = ":0"
	started := make(chan struct{})
	_, stop := start(t, c, func(o *app.Options) {
		o.Logger = zap.New(core, zap.Hooks(func(e zapcore.Entry) error {
			if e.Message == "started" {
				close(started)
			}
			return nil
		}))
	})
	<-started
	url, _ := logs.FilterMessage("started").All()[0].ContextMap()["status"].(string)
	if status, header, _ := get(t, url); status != http.StatusOK || header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("GET %s: %d, %v", url, status, header)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
