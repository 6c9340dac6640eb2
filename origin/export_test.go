package origin

// Transports returns how many transports the client keeps.
func (c *Client) Transports() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.transports)
}
