package redisurl

import (
	"slices"
	"strconv"
	"strings"
)

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
