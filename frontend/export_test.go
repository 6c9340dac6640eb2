package frontend

// Routes returns the documented path of each route and its methods.
func (f *Frontend) Routes() map[string][]string {
	routes := make(map[string][]string)
	for _, r := range f.routes {
		routes[r.template] = append(routes[r.template], r.methods...)
	}
	return routes
}

// KnownTargets returns how many targets are remembered.
func (f *Frontend) KnownTargets() int { return f.redirects.known.Len() }

// ForgetTargets forgets all targets.
func (f *Frontend) ForgetTargets() { f.redirects.known.Purge() }
