package lab

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports are below those that Linux gives to connections (from 32,768 on), which
// could take the port of a server that is being restarted.
const firstPort, portCount = 20_000, 12_000

// given are the ports that FreePort has returned, so that no two servers of this
// process get the same one.
var given sync.Map

// FreePort returns a TCP port of the loopback address that nothing listens on. It
// returns no port twice.
func FreePort() (string, error) {
	for range 1000 {
		port := strconv.Itoa(firstPort + rand.IntN(portCount))
		listener, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			return "", err
		}
		if _, taken := given.LoadOrStore(port, true); !taken {
			return port, nil
		}
	}
	return "", fmt.Errorf("no free port between %d and %d", firstPort, firstPort+portCount)
}

// FreeAddress returns 127.0.0.1 and a free port.
func FreeAddress() (string, error) {
	port, err := FreePort()
	return "127.0.0.1:" + port, err
}
