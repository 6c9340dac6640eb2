// Package kvtest is the suite that holds a driver to the contract of kv.Store.
package kvtest
