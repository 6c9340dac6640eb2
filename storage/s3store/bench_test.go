package s3store_test

import (
	"testing"

	"cloudmirror/storage/storagetest"
	"cloudmirror/test/servers"
)

func BenchmarkProvider(b *testing.B) {
	server := servers.StartVersityGW(b, region)
	storagetest.Benchmark(b, newStore(b, server, server.CreateBucket(b, ""), nil))
}
