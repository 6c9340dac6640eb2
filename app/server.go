package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
)

// A server is one listener and what answers there.
type server struct {
	listener net.Listener
	http     *http.Server
}

// Limits of all servers. There is no limit for writing: waits, objects and
// profiles take their time.
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10        // a URL of 8 KiB, percent-encoded, and the usual headers
	minStop           = 5 * time.Second // for open requests to end at a stop, whatever copies get
)

func (a *App) listen(ctx context.Context, address string, handler http.Handler) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", address, err)
	}
	a.servers = append(a.servers, &server{listener: listener, http: newHTTPServer(handler, a.logger)})
	return nil
}

func newHTTPServer(handler http.Handler, logger *zap.Logger) *http.Server {
	errorLog, err := zap.NewStdLogAt(logger.Named("http"), zap.WarnLevel)
	if err != nil { // the level is one that there is
		panic(err)
	}
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          errorLog,
	}
}

func (s *server) serve() error {
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve on %s: %w", s.listener.Addr(), err)
	}
	return nil
}

// stop takes no more requests and waits for the open ones, up to grace.
func (s *server) stop(grace time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("stop serving on %s: requests were cut off: %w", s.listener.Addr(), err), s.http.Close())
	}
	return nil
}
