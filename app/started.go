package app

import (
	"net"
	"strconv"

	"go.uber.org/zap"
)

// statusPage returns the field of the start line that says where people see how the
// process fares: the status page of a front end, /readyz of a copier. A copier without
// admin_listen has none.
func (a *App) statusPage() zap.Field {
	if len(a.servers) == 0 {
		return zap.Skip()
	}
	path := "/status"
	if a.frontend == nil {
		path = "/readyz"
	}
	return zap.String("status", "http://"+dialable(a.servers[0].listener.Addr())+path)
}

// dialable returns an address of a listener as a client on this machine asks for it.
func dialable(address net.Addr) string {
	if tcp, ok := address.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("localhost", strconv.Itoa(tcp.Port))
	}
	return address.String()
}
