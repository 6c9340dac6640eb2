package frontend

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/kv"
)

// DefaultMaxWaiters is the bound of waiting requests if Options name none.
const DefaultMaxWaiters = 20_000

// Options are what a Frontend is made of. Only Engine and Services are required.
type Options struct {
	Engine   copies // a *engine.Engine that has each backend of Services
	Services map[string]Service

	// Tokens let their bearers change state, until SetTokens replaces them. Empty:
	// such requests are refused.
	Tokens []cloudmirror.Token

	PublicURL    string // base of the addresses of jobs; empty: they are relative
	DeploymentID string // our pseudonym in CDN-Loop (RFC 8586), a token; empty: loops are not detected
	Version      string // for people

	MaxWaiters          int            // requests that wait for copies at the same time; 0: DefaultMaxWaiters
	MaxWaitersPerClient int            // those of one IPv4 address or IPv6 network of 64 bits; 0: not bounded
	TrustedProxies      []netip.Prefix // whose X-Forwarded-For is believed

	// Presence tells of the processes of the deployment: a *presence.Board. Nil:
	// nothing is known of them.
	Presence notes

	// Handlers of /healthz, /readyz and /metrics. Nil: the path is unknown.
	Health, Ready, Metrics http.Handler

	// Objects serve the copies that this process keeps itself: each handles
	// /objects/<service>/<region>/ and sees the path behind the region, with its
	// slash.
	Objects map[cloudmirror.BackendID]http.Handler

	// Records are where all front ends find the background jobs of each. Nil: each
	// knows its own.
	Records kv.Store

	Registerer prometheus.Registerer // nil: metrics are not exported
	Logger     *zap.Logger           // nil: no logs
	// Audit logs what operators do and which tokens are wrong; its level should let
	// all of it through. Nil: Logger does.
	Audit *zap.Logger
}

// complete checks the options and puts defaults in.
func (o *Options) complete() error {
	if o.Engine == nil {
		return errors.New("frontend: an engine is required")
	}
	if strings.ContainsAny(o.DeploymentID, " \t,;\"") {
		return fmt.Errorf("frontend: the deployment id %q is no token", o.DeploymentID)
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Audit == nil {
		o.Audit = o.Logger
	}
	if o.MaxWaiters <= 0 {
		o.MaxWaiters = DefaultMaxWaiters
	}
	return nil
}
