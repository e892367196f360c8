package syncer

import (
	"slices"

	"github.com/entcache/entcache/entitlements"
)

// The queues of a refresher: what is asked for, and what is due later.

// fifo is a queue in which a key stands once.
type fifo struct {
	keys []entitlements.Key
	has  map[entitlements.Key]bool // whether it is urgent
}

func (q *fifo) push(key entitlements.Key, urgent bool) bool {
	was, ok := q.has[key]
	q.has[key] = was || urgent
	if !ok {
		q.keys = append(q.keys, key)
	}
	return !ok
}

// yieldTo takes out what is not urgent and the pass comes to.
func (q *fifo) yieldTo(pass map[entitlements.Key]struct{}) {
	q.keys = slices.DeleteFunc(q.keys, func(key entitlements.Key) bool {
		_, ok := pass[key]
		if ok = ok && !q.has[key]; ok {
			delete(q.has, key)
		}
		return ok
	})
}

func (q *fifo) pop() (key entitlements.Key, ok bool) {
	if len(q.keys) == 0 {
		return key, false
	}
	key = q.keys[0]
	q.keys = q.keys[1:]
	delete(q.has, key)
	return key, true
}

type due struct {
	at  entitlements.Instant
	key entitlements.Key
}

// dueHeap has the earliest first.
type dueHeap []due

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)        { *h = append(*h, x.(due)) }
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	(*h)[last] = due{}
	*h = (*h)[:last]
	return x
}
