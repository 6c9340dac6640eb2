// Package storage is the contract of the places where copies are kept.
//
// Keys are made by cloudmirror.Object and mean nothing to a [Provider]. A copy
// is whole or not there: nobody sees a key before all of its bytes, its digest
// and its stored headers are in place.
package storage
