package frontend

import (
	"net/http"

	lru "github.com/hashicorp/golang-lru/v2"

	"cloudmirror"
	"cloudmirror/api"
)

// redirects answers clients that want objects: with redirects and, where this process
// keeps copies itself, with the copies.
type redirects struct {
	*core
	doors        map[string]*door // by host; always one for anyHost
	targets      *lru.Cache[targetKey, *redirectTarget]
	waiters      *waiterLimit
	deploymentID string
	objects      map[cloudmirror.BackendID]http.Handler
}

func newRedirects(c *core, o Options, waiters *waiterLimit) *redirects {
	return &redirects{
		core: c, doors: map[string]*door{anyHost: {host: anyHost, policy: asAsked{}}}, targets: newTargetMemory(), waiters: waiters,
		deploymentID: o.DeploymentID, objects: o.Objects,
	}
}

// endpoints lists those of redirects but the one below /objects/, which goes around
// the router.
func (rd *redirects) endpoints() []endpoint {
	return []endpoint{
		{reading(), api.RedirectPrefix + "*", api.RedirectPrefix + objectTemplate, rd.redirect},
		{[]string{http.MethodOptions}, api.RedirectPrefix + "*", api.RedirectPrefix + objectTemplate, rd.preflight},
	}
}
