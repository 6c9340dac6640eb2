package config

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// DeploymentID returns a name that all processes of one deployment share and no
// others: 32 hexadecimal digits of a SHA-256. It comes from what makes them one
// deployment: the Redis (nodes, database, prefix) and the prefix of the queues;
// for a process by itself, from its data directory and listen address. Users and
// passwords are no part of it, so that it may be shown to anybody.
func (c *Config) DeploymentID() string {
	parts := append([]string{"shared"}, redisIdentity(c.Cache.Redis.URL)...)
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

// redisIdentity returns what of a Redis URL says which Redis it is, in whatever
// order its nodes are listed.
func redisIdentity(text string) []string {
	u, err := url.Parse(text)
	if err != nil { // the key was checked
		return nil
	}
	query := u.Query()
	if u.Scheme == "unix" {
		return []string{u.Path, database(query.Get("db"))}
	}
	nodes := query["addr"]
	nodes = append(nodes, u.Host)
	for i, node := range nodes {
		nodes[i] = canonicalNode(node)
	}
	slices.Sort(nodes)
	db := strings.Trim(u.Path, "/")
	if db == "" {
		db = query.Get("db")
	}
	return append(slices.Compact(nodes), query.Get("master_name"), database(db))
}

func canonicalNode(node string) string {
	u := url.URL{Host: strings.ToLower(node)}
	if u.Port() == "" {
		return strings.TrimSuffix(u.Host, ":") + ":6379"
	}
	return u.Host
}

func database(db string) string {
	if db == "" {
		return "0"
	}
	return db
}
