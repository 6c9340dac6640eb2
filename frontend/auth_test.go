package frontend_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"cloudmirror"
	"cloudmirror/frontend"
)

func TestWrongTokensAreCountedAndLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		w := newWorld(t, func(o *frontend.Options) { o.Audit = zap.New(core) })
		for range 20 {
			w.operate(http.MethodDelete, purgePath("us-east-1"), "Bearer wrong-token", "")
		}
		w.operate(http.MethodPost, "/v1/warm", "", warmPayload)
		if wrong, missing := w.unauthorized("wrong"), w.unauthorized("missing"); wrong != 20 || missing != 1 {
			t.Errorf("%v wrong and %v missing tokens are counted, want 20 and 1", wrong, missing)
		}
		if lines := logs.All(); len(lines) != 1 || lines[0].ContextMap()["count"] != int64(1) || lines[0].ContextMap()["latest"] != "192.0.2.1" {
			t.Errorf("the log has %v, want one line of the first wrong token", lines)
		}
		time.Sleep(10 * time.Second) // the bubble's
		w.operate(http.MethodPost, "/v1/warm", "Basic d3JvbmctdG9rZW4=", warmPayload)
		lines := logs.All()
		if len(lines) != 2 || lines[1].ContextMap()["count"] != int64(20) || lines[1].Level != zap.WarnLevel {
			t.Errorf("the log has %v, want a second line of the other 20", lines)
		}
		for _, line := range lines {
			if text := line.Message + lines[0].ContextMap()["latest"].(string); strings.Contains(text, "token=") || strings.Contains(text, "wrong-token") {
				t.Errorf("the log shows a token: %v", line)
			}
		}
	})
}

// Whether /v1/status tells a cause says whether a token is right.
func TestTokensAreNotTriedUnseenAtTheStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.failed(&cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 404, Permanent: true, Message: "gone", Err: errDown})
		path := "/v1/status/" + east.String() + "/" + mustObject(originURL).Target()
		for _, authorization := range []string{"", "Bearer " + token, "Bearer wrong"} {
			w.operate(http.MethodGet, path, authorization, "")
		}
		if wrong, missing := w.unauthorized("wrong"), w.unauthorized("missing"); wrong != 1 || missing != 0 {
			t.Errorf("%v wrong and %v missing tokens are counted, want 1 and 0", wrong, missing)
		}
	})
}

func (w *world) unauthorized(reason string) (count float64) {
	w.t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == "cloudmirror_unauthorized_total" && metric.GetLabel()[0].GetValue() == reason {
				count += metric.GetCounter().GetValue()
			}
		}
	}
	return count
}

func TestTheAuditHasALogOfItsOwn(t *testing.T) {
	audit, audited := observer.New(zap.InfoLevel)
	other, others := observer.New(zap.ErrorLevel)
	w := newWorld(t, func(o *frontend.Options) { o.Logger, o.Audit = zap.New(other), zap.New(audit) })
	w.operate(http.MethodDelete, purgePath("*"), "Bearer "+token, "")
	if audited.FilterMessage("purge").Len() != 1 || others.Len() != 0 {
		t.Errorf("the audit has %v, the log %v", audited.All(), others.All())
	}
}
