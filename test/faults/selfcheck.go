package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"cloudmirror/test/lab"
)

// selfChecks break what the product could not be asked to do wrong, in front of
// it. Each must be seen by the clients; if not, the table means nothing.
func selfChecks() []scenario {
	return []scenario{
		{
			name: "flipped-byte", what: "the first byte of every copy is changed on its way to clients", red: []outcome{wrong},
			fault: func(ctx context.Context, p *play) error {
				s := p.storages[regions[0]]
				s.public.flip.Store(true)
				defer s.public.flip.Store(false)
				return lab.Pause(ctx, 2*time.Second)
			},
		},
		{
			name: "front-end-500", what: "every fifth request is answered with 500", red: []outcome{serverErr},
			fault: func(ctx context.Context, p *play) error {
				var n atomic.Int64
				return p.inFront(ctx, func(m *middleman, w http.ResponseWriter, r *http.Request) {
					if n.Add(1)%5 == 0 {
						w.WriteHeader(http.StatusInternalServerError)
						return
					}
					m.proxy.ServeHTTP(w, r)
				})
			},
		},
		{
			name: "redirect-to-nowhere", what: "redirects lead to a port that nothing listens on", red: []outcome{wrong},
			fault: func(ctx context.Context, p *play) error {
				nowhere, err := lab.FreeAddress()
				if err != nil {
					return err
				}
				return p.inFront(ctx, func(_ *middleman, w http.ResponseWriter, r *http.Request) {
					http.Redirect(w, r, "http://"+nowhere+"/copy", http.StatusFound)
				})
			},
		},
		{
			name: "not-found", what: "objects that exist are answered with 404", red: []outcome{wrong},
			fault: func(ctx context.Context, p *play) error {
				return p.inFront(ctx, func(_ *middleman, w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) })
			},
		},
		{
			name: "silence", what: "requests are never answered", red: []outcome{hang}, quiet: true,
			fault: func(ctx context.Context, p *play) error {
				return p.inFront(ctx, func(_ *middleman, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
			},
		},
	}
}

// inFront puts a handler before the balancer for two seconds. In a quiet scenario
// one client asks once.
func (p *play) inFront(ctx context.Context, h func(*middleman, http.ResponseWriter, *http.Request)) error {
	address, err := lab.FreeAddress()
	if err != nil {
		return err
	}
	m, err := startMiddleman(address, strings.TrimPrefix(p.balancer, "http://"))
	if err != nil {
		return err
	}
	defer m.Close()
	m.instead(func(w http.ResponseWriter, r *http.Request) { h(m, w, r) })
	front := (&url.URL{Scheme: "http", Host: address}).String()
	p.front.Store(&front)
	defer p.front.Store(nil)
	if p.scenario.quiet {
		c := newClient(p.deployment)
		c.patience = 2 * time.Second
		p.load.note(c.get(ctx, hotItem(regions[0], 0)))
		return nil
	}
	return lab.Pause(ctx, 2*time.Second)
}
