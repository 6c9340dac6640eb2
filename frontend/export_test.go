package frontend

import "cloudmirror"

// Routes returns the documented path of each route and its methods.
func (f *Frontend) Routes() map[string][]string {
	routes := make(map[string][]string)
	for _, r := range f.endpoints {
		routes[r.template] = append(routes[r.template], r.methods...)
	}
	return routes
}

// KnownTargets returns how many targets are remembered.
func (f *Frontend) KnownTargets() int { return f.redirects.targets.Len() }

// ForgetTargets forgets all targets.
func (f *Frontend) ForgetTargets() { f.redirects.targets.Purge() }

// RaiseAddressEpoch says that copies have other addresses.
func (f *Frontend) RaiseAddressEpoch() { f.core.addressEpoch.Add(1) }

// withoutCopies is asAsked but for the copies, which no client may fetch.
type withoutCopies struct{ asAsked }

func (p withoutCopies) route(c client, t *redirectTarget) route {
	rt := p.asAsked.route(c, t)
	rt.best(cloudmirror.PlaceCopy).excluded = reasonUnreachable
	return rt
}

// AddDoorWithoutCopies adds a door for a host whose clients get no copies. The caller
// serves no request meanwhile.
func (f *Frontend) AddDoorWithoutCopies(host string) {
	f.redirects.doors[host] = &door{host: host, policy: withoutCopies{}}
}
