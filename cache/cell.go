package cache

import (
	"math/bits"
	"sync/atomic"

	"github.com/dgraph-io/ristretto/v2/z"

	"github.com/entcache/entcache/entitlements"
)

// cell is the one place where the belief about a key lives while the key is resident, in ristretto or in the waiting room.
type cell struct {
	key    entitlements.Key // compared on every read: two keys may share a hash
	hash   uint64           // of key
	belief atomic.Pointer[entitlements.Belief]

	// lastRead is the reader's clock at the last Lookup; reads counts the ticks of that clock in which there was one. Both are
	// written at most once per tick, so a hot cell's cache line stays shared between the processors.
	lastRead atomic.Int64
	reads    atomic.Uint32
	gone     atomic.Bool // struck off the list, for ever

	seen uint32 // reads when it began to wait; guarded by registry.mu
	cost atomic.Int64
	slot int                  // position in registry.cells, -1 when not there; guarded by registry.mu
	next atomic.Pointer[cell] // in its chain of the table

	older, newer *cell // neighbours in the room; guarded by registry.mu
	waiting      bool  // is in the room; guarded by registry.mu
	admitted     bool  // ristretto has held it; guarded by the key's insert lock

	shape *entitlements.Shape // that it has joined; guarded by registry.mu
	// It has 128 bytes, so that what a hit touches is one cache line.
}

func newCell(key entitlements.Key, hash uint64, b *entitlements.Belief) *cell {
	c := &cell{key: key, hash: hash, slot: -1}
	c.belief.Store(b)
	c.lastRead.Store(int64(b.ConfirmedAt)) // whoever had it fetched counts as its first reader
	c.cost.Store(costOf(b))
	return c
}

func (c *cell) is(customerID, resourceID string) bool {
	return c.key.CustomerID == customerID && c.key.ResourceID == resourceID
}

// touch marks the cell as read and reports whether it is the first time at this tick.
func (c *cell) touch(now entitlements.Instant) bool {
	last := c.lastRead.Load()
	if last == int64(now) || !c.lastRead.CompareAndSwap(last, int64(now)) { // of several at once, one is the first
		return false
	}
	c.reads.Add(1)
	return true
}

// leave marks the cell as struck off. What is believed stays what it was, at another address: to whoever compares that to what was there
// before, it has changed.
func (c *cell) leave() {
	c.gone.Store(true)
	for {
		b := c.belief.Load()
		if c.belief.CompareAndSwap(b, new(*b)) {
			return
		}
	}
}

// hash mixes the two ids without joining them. It is the runtime's own string hash, seeded anew in each process.
func hash(customerID, resourceID string) uint64 {
	h := z.MemHashString(customerID)
	if resourceID != "" {
		h = bits.RotateLeft64(h, 23)*0x9e3779b97f4a7c15 ^ z.MemHashString(resourceID)
	}
	return h
}

func hashKey(k entitlements.Key) uint64 { return hash(k.CustomerID, k.ResourceID) }
