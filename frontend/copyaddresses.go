package frontend

import (
	"net/http"
	"sync/atomic"

	"cloudmirror"
)

// copyAddresses remembers where the copies of an object are, one address for each
// backend. The zero value is empty. It is safe for concurrent use.
type copyAddresses struct {
	known atomic.Pointer[[]copyAddress] // what it points to is never changed
}

// A copyAddress is where the copy of a generation is fetched, by any method.
type copyAddress struct {
	backend    cloudmirror.BackendID
	generation cloudmirror.Generation
	epoch      uint64 // of core.addressEpoch when the address was made
	redirect   *redirect
}

// find returns the redirect to a copy; nil if it is not known in this epoch.
func (c *copyAddresses) find(id cloudmirror.BackendID, g cloudmirror.Generation, epoch uint64) *redirect {
	known := c.known.Load()
	if known == nil {
		return nil
	}
	for i := range *known {
		if a := &(*known)[i]; a.epoch == epoch && a.generation == g && a.backend == id {
			return a.redirect
		}
	}
	return nil
}

// keep remembers an address in place of another one in its backend. Of two that are
// kept at the same time, one may be lost.
func (c *copyAddresses) keep(a copyAddress) {
	all := []copyAddress{a}
	if known := c.known.Load(); known != nil {
		for _, other := range *known {
			if other.backend != a.backend {
				all = append(all, other)
			}
		}
	}
	c.known.Store(&all)
}

// locateCopy returns the redirect to a present copy. Those to signed addresses are made
// for each client, all others once for each generation and epoch.
func (rd *redirects) locateCopy(r *http.Request, t *redirectTarget, at *candidate, g cloudmirror.Generation) (*redirect, error) {
	epoch := rd.addressEpoch.Load() // before the address is made: one that is out of date meanwhile is not found
	if to := t.addresses.find(at.place.Backend, g, epoch); to != nil {
		return to, nil
	}
	link, err := rd.engine.Link(r.Context(), *at.want, g, r.Method)
	if err != nil {
		return nil, err
	}
	to := newRedirect(cloudmirror.Location{Place: at.place, URL: link.URL})
	if !link.Private {
		t.addresses.keep(copyAddress{backend: at.place.Backend, generation: g, epoch: epoch, redirect: to})
	}
	return to, nil
}
