package lab

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// Ports are never those that the kernel gives to connections, and no two servers get
// the same.
func TestFreePort(t *testing.T) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		t.Fatal(err)
	}
	ephemeral, err := strconv.Atoi(strings.Fields(string(text))[0])
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for range 500 {
		port, err := FreePort()
		if err != nil {
			t.Fatal(err)
		}
		if n, err := strconv.Atoi(port); err != nil || n < 1024 || n >= min(ephemeral, 32_768) || seen[port] {
			t.Fatalf("port %s, error %v, seen before: %t; connections have those from %d on", port, err, seen[port], ephemeral)
		}
		seen[port] = true
	}
}
