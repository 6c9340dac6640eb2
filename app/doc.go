// Package app wires a configuration into running parts, and stops them in order.
//
// It is the only place that knows all drivers: one switch for each contract.
// Nothing here fails because a dependency is down: the process starts, says so
// in /readyz and the log, and keeps trying.
package app
