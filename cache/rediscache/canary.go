package rediscache

import (
	"strconv"
	"strings"
	"sync"
)

// canaries are the keys by which a tracker proves that it hears. Each is written
// once, under a name that was never used before: the expiry, the removal or the
// late write of an earlier one is not taken for the one that is waited for. No
// other process listens to them.
type canaries struct {
	prefix string // of the names; this tracker's own

	mu      sync.Mutex
	count   uint64
	awaited map[string]chan struct{}
}

// next returns the name of a new canary, and a channel that is closed when it is
// heard. Call forget when done with it.
func (c *canaries) next() (name string, heard <-chan struct{}, forget func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	name = c.prefix + strconv.FormatUint(c.count, 10)
	awaited := make(chan struct{})
	if c.awaited == nil {
		c.awaited = make(map[string]chan struct{})
	}
	c.awaited[name] = awaited
	return name, awaited, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.awaited, name)
	}
}

// hear takes note of a name that was told of, and reports whether it is one of
// a canary.
func (c *canaries) hear(name string) bool {
	if !strings.HasPrefix(name, c.prefix) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if awaited, ok := c.awaited[name]; ok {
		close(awaited)
		delete(c.awaited, name)
	}
	return true
}
