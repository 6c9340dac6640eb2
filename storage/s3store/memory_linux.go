package s3store

import "syscall"

// mapMemory returns memory outside of the heap. It stays mapped for ever: net/http
// may read the body of a request for a moment after the request has ended.
func mapMemory(size int) []byte {
	memory, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil { // no room for mappings; the heap may have some
		return make([]byte, size)
	}
	return memory
}

// releaseMemory gives the pages back until the memory is used again. Their content
// is lost.
func releaseMemory(memory []byte) {
	_ = syscall.Madvise(memory, syscall.MADV_DONTNEED) // at worst they stay
}
