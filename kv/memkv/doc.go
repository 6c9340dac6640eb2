// Package memkv is a kv.Store in the memory of one process.
package memkv
