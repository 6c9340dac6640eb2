package config

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"cloudmirror/config/schema"
)

// Check returns what keeps a process with this role from working; nil: nothing.
// Memory caches, memory queues and file storage are within one process, so that
// the jobs of a separate front end would never reach a separate copier. Like that
// of [Load], the error has a line for each problem.
func (c *Config) Check(role Role) error {
	switch role {
	case RoleServe:
		return nil
	case RoleFrontend, RoleCopier:
	default:
		_, err := schema.Choice(RoleServe, RoleFrontend, RoleCopier).Parse(string(role))
		return fmt.Errorf("role %w", err)
	}
	var problems []error
	refuse := func(path, value, instead string) {
		problems = append(problems, c.sources.Problem(path, `%q works within one process only: %s needs %s (or run "cloudmirror serve", which does everything in one process)`,
			value, role, instead))
	}
	if c.Cache.Type == CacheMemory {
		refuse("cache.type", string(CacheMemory), string(CacheRedis))
	}
	if c.Queue.Type == QueueMemory {
		refuse("queue.type", string(QueueMemory), string(QueueSQS))
	}
	for _, b := range c.backends() {
		works := role.Capabilities().Front || len(c.Copier.Backends) == 0 || slices.Contains(c.Copier.Backends, b.ID)
		if works && b.Storage.Type == StorageFile {
			refuse(schema.Join(storagePath(b.ID), "type"), string(StorageFile), string(StorageS3))
		}
	}
	return errors.Join(problems...)
}

// warn adds warnings about what is allowed but probably a mistake.
func (c *Config) warn() {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil || c.PublicURL != "" || !listensEverywhere(host) {
		return
	}
	if slices.ContainsFunc(c.backends(), func(b *Backend) bool { return b.Storage.Type == StorageFile }) {
		c.warnings = append(c.warnings, fmt.Sprintf("public_url is not set: clients are sent to copies at %s, which is right on this machine only", c.ServerURL()))
	}
}
