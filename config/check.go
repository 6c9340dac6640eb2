package config

import (
	"errors"
	"fmt"
	"net"
	"slices"
)

// Check reports what keeps a process with this role from working: memory caches,
// memory queues and file storage are within one process, so that a front end and
// a copier of their own would never meet. Like those of [Load], the error has a
// line for each.
func (c *Config) Check(role Role) error {
	switch role {
	case RoleServe:
		return nil
	case RoleFrontend, RoleCopier:
	default:
		return fmt.Errorf("role %q must be %s", role, alternatives([]Role{RoleServe, RoleFrontend, RoleCopier}))
	}
	var problems []error
	refuse := func(path, value, instead string) {
		problems = append(problems, c.problem(path, `%q works within one process only: %s needs %s (or run "cloudmirror serve", which does everything in one process)`,
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
			refuse(join(storagePath(b.ID), "type"), string(StorageFile), string(StorageS3))
		}
	}
	return errors.Join(problems...)
}

// warn notes what is probably not meant.
func (c *Config) warn() {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil || c.PublicURL != "" || !listensEverywhere(host) {
		return
	}
	if slices.ContainsFunc(c.backends(), func(b *Backend) bool { return b.Storage.Type == StorageFile }) {
		c.warnings = append(c.warnings, fmt.Sprintf("public_url is not set: clients are sent to copies at %s, which is right on this machine only", c.ServerURL()))
	}
}
