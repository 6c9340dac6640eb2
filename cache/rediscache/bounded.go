package rediscache

import (
	"math"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"cloudmirror/cache"
)

// A bounded keeps values by key, those that were used last, within a number of bytes.
// It is not safe for concurrent use.
type bounded[V any] struct {
	items    *simplelru.LRU[cache.Key, V]
	bytes    int64
	maxBytes int64
	size     func(cache.Key, V) int64
}

// init makes b ready, and empty. B must not be moved afterwards.
func (b *bounded[V]) init(maxBytes int64, size func(cache.Key, V) int64) {
	items, err := simplelru.NewLRU(math.MaxInt, func(key cache.Key, v V) { b.bytes -= size(key, v) })
	if err != nil { // the bound is positive
		panic(err)
	}
	*b = bounded[V]{items: items, maxBytes: maxBytes, size: size}
}

// put keeps a value, in the place of the one that is under the key.
func (b *bounded[V]) put(key cache.Key, v V) {
	b.items.Remove(key) // and its bytes
	b.items.Add(key, v)
	b.bytes += b.size(key, v)
	for b.bytes > b.maxBytes {
		b.items.RemoveOldest()
	}
}
