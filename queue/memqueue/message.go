package memqueue

import (
	"container/heap"
	"container/list"
	"time"
)

// A message is in one of two places: in the list of those that are ready, or in
// the heap of those that become ready later, delayed or hidden by a receive.
type message struct {
	body     string
	receives int
	receipt  string        // of the newest receive; "" before the first one
	element  *list.Element // its place in ready; nil while it is in waiting
	due      time.Time     // while it is in waiting: when it becomes ready
	index    int           // its place in waiting
}

// waiting is a heap of messages, the one that is due first on top.
type waiting []*message

var _ heap.Interface = (*waiting)(nil)

func (w waiting) Len() int           { return len(w) }
func (w waiting) Less(i, j int) bool { return w[i].due.Before(w[j].due) }

func (w waiting) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].index, w[j].index = i, j
}

func (w *waiting) Push(x any) {
	m := x.(*message)
	m.index = len(*w)
	*w = append(*w, m)
}

func (w *waiting) Pop() any {
	last := len(*w) - 1
	m := (*w)[last]
	(*w)[last] = nil
	*w = (*w)[:last]
	return m
}
