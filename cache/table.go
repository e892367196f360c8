package cache

import (
	"math/bits"
	"sync/atomic"

	"github.com/entcache/entcache/entitlements"
)

// table finds the listed cell of a hash without a lock: chains of cells, at most one for each hash. Whoever changes it holds
// registry.mu; a reader follows pointers, each of which was right when it was loaded. A cell that is taken out keeps its own
// pointer to the next, so that a reader who stands on it reaches the rest of the chain; it is never put back, so that no chain
// leads anywhere twice.
type table struct {
	buckets []atomic.Pointer[cell]
	shift   uint // of a hash, to the number of its bucket
}

// newTable returns a table for about so many cells. More make longer chains, and nothing worse.
func newTable(cells int64) table {
	n := bits.Len64(uint64(min(max(cells, 1<<8), 1<<22) - 1)) // at most 32 MiB of buckets, with eight gigabytes of cells
	return table{buckets: make([]atomic.Pointer[cell], 1<<n), shift: 64 - uint(n)}
}

// bucket takes the high bits: ristretto divides its shards, and we the insert locks, by the low ones. The multiplication is
// there for a hash that is bad at the top.
func (t *table) bucket(hash uint64) *atomic.Pointer[cell] {
	return &t.buckets[hash*0x9e3779b97f4a7c15>>t.shift]
}

// find returns the cell of that hash, nil when there is none. It may be another key's.
func (t *table) find(hash uint64) *cell {
	for c := t.bucket(hash).Load(); c != nil; c = c.next.Load() {
		if c.hash == hash {
			return c
		}
	}
	return nil
}

// findKey returns the cell of key, nil when it is not listed.
func (t *table) findKey(key entitlements.Key) *cell {
	if c := t.find(hashKey(key)); c != nil && c.key == key {
		return c
	}
	return nil
}

func (t *table) add(c *cell) {
	b := t.bucket(c.hash)
	c.next.Store(b.Load())
	b.Store(c)
}

func (t *table) remove(c *cell) {
	at := t.bucket(c.hash)
	for held := at.Load(); held != nil; held = at.Load() {
		if held == c {
			at.Store(c.next.Load())
			return
		}
		at = &held.next
	}
}
