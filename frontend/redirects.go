package frontend

import (
	"net/http"

	lru "github.com/hashicorp/golang-lru/v2"

	"cloudmirror"
)

// redirects answers clients that want objects: with redirects and, where this process
// keeps copies itself, with the copies.
type redirects struct {
	*core
	known        *lru.Cache[knownKey, *known]
	waiters      *waitingRoom
	deploymentID string
	objects      map[cloudmirror.BackendID]http.Handler
}

func newRedirects(c *core, o Options, waiters *waitingRoom) *redirects {
	return &redirects{core: c, known: newKnownTargets(), waiters: waiters, deploymentID: o.DeploymentID, objects: o.Objects}
}

// routes lists the routes of redirects but the one below /objects/, which goes around
// the router.
func (rd *redirects) routes() []route {
	return []route{
		{reading(), "/v1/redirect/*", "/v1/redirect/{service}/{region}/{url}", rd.redirect},
		{[]string{http.MethodOptions}, "/v1/redirect/*", "/v1/redirect/{service}/{region}/{url}", rd.preflight},
	}
}
