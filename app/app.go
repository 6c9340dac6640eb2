package app

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/config"
	"cloudmirror/copier"
	"cloudmirror/engine"
	"cloudmirror/frontend"
	"cloudmirror/presence"
)

// Options are what an App is made of.
type Options struct {
	Config  *config.Config
	Role    config.Role
	Logger  *zap.Logger
	Audit   *zap.Logger // of what operators do; nil: Logger
	Version string
}

// An App is one process: what its role needs, and its listeners.
type App struct {
	config   *config.Config
	role     config.Role // for people
	does     config.Capabilities
	logger   *zap.Logger
	audit    *zap.Logger // nil: logger
	registry *prometheus.Registry

	ownTokens []cloudmirror.Token // that the process made for itself, if none is configured

	drivers  *drivers
	engine   *engine.Engine
	health   *health
	board    *presence.Board
	frontend *frontend.Frontend // nil: the process answers no clients
	copier   *copier.Copier     // nil: the process makes no copies
	servers  []*server
}

// Run builds an App, runs it until ctx ends, and stops it in order.
func Run(ctx context.Context, o Options) error {
	a, err := New(ctx, o)
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

// New opens the drivers and the listeners, so that an address in use or a directory
// that cannot be written is an error here. Nothing is served until Run, which must
// follow.
func New(ctx context.Context, o Options) (*App, error) {
	if err := o.Config.Check(o.Role); err != nil {
		return nil, err
	}
	return newApp(ctx, o, o.Role.Capabilities())
}

// newApp is New for any set of capabilities, and does not check the configuration.
func newApp(ctx context.Context, o Options, does config.Capabilities) (*App, error) {
	a := &App{config: o.Config, role: o.Role, does: does, logger: o.Logger, audit: o.Audit, registry: prometheus.NewRegistry()}
	a.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	var err error
	if a.drivers, err = a.openDrivers(ctx); err != nil {
		return nil, err
	}
	a.engine = engine.New(engine.Options{
		Cache: a.drivers.cache, Near: a.drivers.near, NearLag: a.drivers.settle, Backends: a.engineBackends(), Logger: o.Logger, Registerer: a.registry,
	})
	a.watchTokens()
	a.health = newHealth(o.Logger, a.drivers.dependencies, a.registry) //nolint:contextcheck // a scrape has no context
	a.board = a.newBoard(o.Version)
	if err := a.start(ctx, o.Version); err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

// start builds what the process does, and opens its listeners.
func (a *App) start(ctx context.Context, version string) (err error) {
	if a.does.Copy {
		a.copier = a.newCopier()
	}
	if a.does.Front {
		if a.frontend, err = a.newFrontend(version); err != nil {
			return err
		}
		if err := a.listen(ctx, a.config.Listen, a.frontend.Handler()); err != nil {
			return err
		}
	}
	if a.config.AdminListen != "" {
		return a.listen(ctx, a.config.AdminListen, a.adminHandler())
	}
	return nil
}

// Addresses returns what the App listens on: the front end's address, if it has
// one, and the admin address, if it is configured.
func (a *App) Addresses() []net.Addr {
	var addresses []net.Addr
	for _, s := range a.servers {
		addresses = append(addresses, s.listener.Addr())
	}
	return addresses
}

// listeners returns the addresses at which copies are never made from.
func (a *App) listeners() []netip.AddrPort {
	var own []netip.AddrPort
	for _, address := range a.Addresses() {
		if tcp, ok := address.(*net.TCPAddr); ok {
			own = append(own, tcp.AddrPort())
		}
	}
	return own
}

// Run serves until ctx ends, then stops in order: not ready, a delay in which
// balancers notice, waiting clients answered with the fallback, open requests
// and running copies given their time, the rest handed back.
func (a *App) Run(ctx context.Context) error {
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	var background, copying sync.WaitGroup
	background.Go(func() { a.health.run(serving) })
	background.Go(func() { a.board.Run(serving) })
	for _, run := range a.drivers.background {
		background.Go(func() { run(serving) })
	}
	failed := make(chan error, len(a.servers))
	for _, s := range a.servers {
		background.Go(func() { failed <- s.serve() })
	}
	working, stopWorking := context.WithCancel(ctx)
	defer stopWorking()
	if a.copier != nil {
		copying.Go(func() { a.copier.Run(working) })
	}
	a.health.ready.Store(true)
	a.logger.Info("started", zap.String("role", string(a.role)), zap.Stringers("listen", a.Addresses()), a.statusPage())

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	a.logger.Info("stopping", zap.Error(err))
	stopWorking()
	a.board.Drain()
	a.health.ready.Store(false)
	if a.frontend != nil {
		if err == nil {
			time.Sleep(a.config.ShutdownDelay) //nolint:forbidigo // nothing can end it sooner: the process was told to stop already
		}
		a.frontend.Drain()
	}
	err = errors.Join(err, a.shutDown()) //nolint:contextcheck // ctx has ended: that is why it stops
	copying.Wait()
	stopServing()
	background.Wait()
	err = errors.Join(err, a.close())
	a.logger.Info("stopped")
	return err
}

// shutDown waits for the open requests of all servers.
func (a *App) shutDown() error {
	var wait sync.WaitGroup
	errs := make([]error, len(a.servers))
	for i, s := range a.servers {
		wait.Go(func() { errs[i] = s.stop(max(a.config.Copier.Grace, minStop)) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

// close ends what New made, in the opposite order.
func (a *App) close() error {
	if a.frontend != nil {
		a.frontend.Close()
	}
	a.engine.Close()
	for _, s := range a.servers { // closed already, unless nothing was served yet
		_ = s.listener.Close()
	}
	return a.drivers.close()
}
