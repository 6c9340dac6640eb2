package config

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"

	"cloudmirror/redisurl"
)

// DeploymentID returns 32 hexadecimal digits that all processes of one deployment
// share and other deployments do not. They are of a SHA-256 of what makes processes
// one deployment: the Redis (nodes, database, prefix) and the prefix of the queues;
// for a process by itself, its data directory and listen address. Users and
// passwords are no part of it, so that the id is no secret.
func (c *Config) DeploymentID() string {
	parts := []string{"shared"}
	if redis, err := redisurl.Parse(c.Cache.Redis.URL); err == nil { // the key was checked
		parts = append(parts, redis.Identity()...)
	}
	parts = append(parts, c.Cache.Redis.Prefix, c.Queue.SQS.Prefix)
	if c.Cache.Type == CacheMemory || c.Queue.Type == QueueMemory {
		directory, err := filepath.Abs(c.DataDir)
		if err != nil { // the working directory is gone
			directory = c.DataDir
		}
		parts = []string{"embedded", directory, c.Listen}
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}
