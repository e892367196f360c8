package cache

import (
	"sync"

	"github.com/entcache/entcache/entitlements"
)

// This file is the policy: who gets into ristretto, who waits, and who leaves. The questions it answers are in doc.go. What it
// decides over is kept in registry.go (who is listed) and room.go (who waits, and in what order).

const (
	// The waiting room has an eighth of MaxBytes, ristretto the rest. With a sixteenth, the cache follows a change of who is
	// popular more slowly; with a quarter, there is less room for those who are popular. See BenchmarkHitRatio.
	roomShare = 8
	// How many of those that wait may apply for one that comes. Each takes ristretto some microseconds.
	applications = 4
)

// inserting is the lock of a key's hash under which its cell is listed, applies, is priced and is struck off: ristretto would throw
// away the second of two inserts of one key at a time. Whoever holds it may take registry.mu, and no other of its kind.
func (c *Cache) inserting(hash uint64) *sync.Mutex { return &c.inserts[hash%uint64(len(c.inserts))] }

// enroll lists a new cell, and puts it into ristretto as long as that has room; after that it waits. When the place is taken it
// returns nil and, if that is by the same key, what is believed of it.
func (c *Cache) enroll(key entitlements.Key, b *entitlements.Belief) (*cell, *entitlements.Belief) {
	h := hashKey(key)
	mu := c.inserting(h)
	mu.Lock()
	defer mu.Unlock()
	if held := c.registry.table.find(h); held != nil {
		if held.key == key {
			return nil, held.belief.Load()
		}
		return nil, nil // another key with the same 64-bit hash: this one is fetched each time, never confused with it
	}
	cl := newCell(key, h, b)
	if !c.registry.add(cl, c.placeable) {
		c.place(cl)
	}
	return cl, nil
}

// place has a listed cell apply to ristretto, and wait in the room when it is refused. The caller holds the key's insert lock and
// c.open.
func (c *Cache) place(cl *cell) {
	for !c.index.Set(cl.hash, cl, cl.cost.Load()) {
		c.index.Wait() // the queue is full: a false return means that the value was dropped
	}
	c.index.Wait()
	// It may be in the room, where it came from or where an eviction that was under way before has sent it since; and it may give
	// way to somebody at any time. First take it out, then look: if ristretto holds it now, whatever evicts it comes later, and
	// sends it back. GetTTL looks without telling ristretto that somebody read it.
	c.registry.unwait(cl)
	if _, in := c.index.GetTTL(cl.hash); in {
		cl.admitted = true
	} else {
		c.registry.wait(cl)
	}
}

// yielded runs on ristretto's goroutine when it has let go of a cell: to make room for others, or because of Close. It must not
// strike the cell off: whoever holds the key's insert lock may be having it apply again already, and an unlisted cell in
// ristretto would answer readers without any event's reaching it.
func (c *Cache) yielded(cl *cell) {
	if cl != nil && !c.gate.closed.Load() { // what Close lets go of is seen to there
		c.registry.wait(cl)
	}
}

// reprice takes note of a cell that has grown or shrunk by more than a tenth. An update alone would go past ristretto's bound: a
// cell that grows past it may be refused, like a newcomer, and waits then. The caller holds no lock.
func (c *Cache) reprice(cl *cell, b *entitlements.Belief) {
	old, cost := cl.cost.Load(), costOf(b)
	if cost*10 >= old*9 && cost*10 <= old*11 {
		return
	}
	c.open.RLock()
	defer c.open.RUnlock()
	if c.gate.closed.Load() {
		return
	}
	mu := c.inserting(cl.hash)
	mu.Lock()
	c.repriceLocked(cl, cost)
	mu.Unlock()
	c.trim()
}

// repriceLocked sets the cost of a cell, for the registry and, unless the cell waits, for ristretto. The caller holds the key's
// insert lock and c.open.
func (c *Cache) repriceLocked(cl *cell, cost int64) {
	old := cl.cost.Load()
	placed := c.registry.reprice(cl, cost)
	if listed, waiting := c.registry.state(cl); !listed || waiting {
		return
	}
	if cost > old && placed > c.placeable {
		// Ristretto makes room for newcomers only: let this one apply again, at its new price. Readers find it listed meanwhile.
		c.index.Del(cl.hash)
		c.index.Wait()
	}
	c.place(cl) // for ristretto a new cost, or a newcomer; for readers nothing
}

// trim keeps the room to its bound. Who has waited longest applies to ristretto if it was read while it waited, and goes to the
// end of the queue when it is refused; who was not read leaves, and so does everybody once enough have applied. The caller holds
// c.open and no insert lock.
func (c *Cache) trim() {
	for left := applications; ; {
		cl, read := c.registry.overdue()
		if cl == nil {
			return
		}
		mu := c.inserting(cl.hash)
		mu.Lock()
		if _, waiting := c.registry.state(cl); waiting && read && left > 0 {
			left--
			c.place(cl)
		} else if c.registry.drop(cl) {
			c.gone(cl)
		}
		mu.Unlock()
	}
}

// gone counts and tells of a cell that was struck off to make room. The caller holds the key's insert lock.
func (c *Cache) gone(cl *cell) {
	if cl.admitted {
		c.evicted.Add(1)
	} else {
		c.refused.Add(1)
	}
	c.tell(cl)
}

func (c *Cache) tell(cl *cell) {
	if c.onEvict != nil {
		c.onEvict(cl.key, cl.belief.Load())
	}
}
