// Package cachetest is the suite that every cache.Store passes: each sentence of
// that contract is a test here. A driver's own tests call [Run] with a [Harness]
// and add what only that driver can get wrong.
//
// The suite is itself tested by breaking drivers: one that forgets to compare,
// to expire or to notify must fail it.
package cachetest
