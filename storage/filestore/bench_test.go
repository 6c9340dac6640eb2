package filestore_test

import (
	"testing"

	"cloudmirror/storage/storagetest"
)

func BenchmarkProvider(b *testing.B) { storagetest.Benchmark(b, newStore(b, b.TempDir()).Store) }
