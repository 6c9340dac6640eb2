package redisurl

import (
	"slices"
	"strconv"
	"strings"
)

// Address returns where the Redis is, for errors: the first node or sentinel of the
// URL, with how many more there are.
func (d Deployment) Address() string {
	var nodes []string
	switch {
	case d.Cluster != nil:
		nodes = d.Cluster.Addrs
	case d.Sentinel != nil:
		nodes = d.Sentinel.SentinelAddrs
	default:
		return d.Single.Addr
	}
	if more := len(nodes) - 1; more > 0 {
		return nodes[0] + " and " + strconv.Itoa(more) + " more"
	}
	return nodes[0]
}

// Identity returns what says which Redis it is: the nodes in the URL, in whatever
// order they are listed, the master's name and the database. Users, passwords,
// TLS and the other parameters are no part of it.
func (d Deployment) Identity() []string {
	var nodes []string
	master, database := "", 0
	switch {
	case d.Cluster != nil:
		nodes = d.Cluster.Addrs
	case d.Sentinel != nil:
		nodes, master, database = d.Sentinel.SentinelAddrs, d.Sentinel.MasterName, d.Sentinel.DB
	case d.Single.Network == "unix":
		return []string{d.Single.Addr, strconv.Itoa(d.Single.DB)}
	default:
		nodes, database = []string{d.Single.Addr}, d.Single.DB
	}
	known := make([]string, len(nodes))
	for i, node := range nodes {
		known[i] = strings.ToLower(node)
	}
	slices.Sort(known)
	return append(slices.Compact(known), master, strconv.Itoa(database))
}
