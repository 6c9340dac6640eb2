// Package e2e tests the whole: the real binary as processes, on the real parts,
// asked as clients ask it.
//
// One body of tests (matrix_test.go) runs over every combination of cache, queue
// and storage; what only several processes can show is in cluster_test.go.
package e2e
