// Package memcache keeps the cache of one process in its memory, for a
// deployment that is a single process, and for tests.
//
// It promises what cache.Store says, and that its size is bounded: when it is
// full, the entry that was not used for longest is forgotten, which is as
// harmless as a flush. It must not be used where front ends and copiers are
// separate processes: they would not see each other's claims.
package memcache
