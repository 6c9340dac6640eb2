package storagetest

import (
	"fmt"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"cloudmirror/storage"
)

// Benchmark measures puts of a small and a large body: in MB/s, and in MB for
// each second of CPU that this process used.
func Benchmark(b *testing.B, p storage.Provider) {
	for _, size := range []int64{10 << 10, 64 << 20} {
		b.Run(fmt.Sprintf("Put/%dKiB", size>>10), func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			runtime.GC()
			before, i := cpuTime(b), 0
			for b.Loop() {
				i++
				key := benchKey(b, strconv.Itoa(i%8))
				o := storage.PutOptions{SizeBytes: size, Replace: true}
				if _, err := p.Put(b.Context(), key, &generated{size}, o); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(i)*float64(size)/1e6/(cpuTime(b)-before).Seconds(), "MB/cpu-s")
		})
	}
	b.Run("Stat", func(b *testing.B) {
		key := benchKey(b, "stat")
		if _, err := p.Put(b.Context(), key, &generated{1}, storage.PutOptions{SizeBytes: 1, Replace: true}); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := p.Stat(b.Context(), key); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func benchKey(b *testing.B, name string) string {
	b.Helper()
	return object(b, "https://origin.example/"+name).StorageKey("0")
}

// cpuTime is what this process has used so far, in user and system mode.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
