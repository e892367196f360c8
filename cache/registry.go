package cache

import (
	"slices"
	"sync"

	"github.com/entcache/entcache/entitlements"
)

// registry lists the cells that are resident, because ristretto cannot, and does not hold them all: for walking over all of them,
// from a customer to its resources, for finding one without telling ristretto that it was read, and for finding what waits.
// Whether a key is resident is whether its cell is listed, nothing else. A cell is listed once in its life, and struck off once.
type registry struct {
	table table

	mu         sync.Mutex // guards the following, the changes of table, and of each cell what cell.go says
	cells      []*cell
	byCustomer map[string][]*cell // resource-level cells only
	bytes      int64              // the room's included
	room       room
}

// add lists c, which waits when it is more than may be placed, unless it is too large for the room. It reports whether c waits.
func (r *registry) add(c *cell, placeable int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.slot = len(r.cells)
	r.cells = append(r.cells, c)
	r.bytes += c.cost.Load()
	r.joinLocked(c)
	if c.key.ResourceID != "" {
		if r.byCustomer == nil {
			r.byCustomer = make(map[string][]*cell)
		}
		r.byCustomer[c.key.CustomerID] = append(r.byCustomer[c.key.CustomerID], c)
	}
	r.table.add(c)
	if r.bytes-r.room.bytes > placeable && c.cost.Load() <= r.room.max {
		r.room.enter(c)
	}
	return c.waiting
}

// join has a listed cell join the shape of what is believed of it now, and leave the one before.
func (r *registry) join(c *cell) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.slot >= 0 {
		r.joinLocked(c)
	}
}

func (r *registry) joinLocked(c *cell) {
	shape := c.belief.Load().Snapshot.Shape()
	if c.shape != nil {
		c.shape.Leave()
	}
	shape.Join()
	c.shape = shape
}

// remove strikes c from the list. It reports false when c is not listed.
func (r *registry) remove(c *cell) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.removeLocked(c)
}

func (r *registry) removeLocked(c *cell) bool {
	if c.slot < 0 {
		return false
	}
	if c.waiting {
		r.room.leave(c)
	}
	last := len(r.cells) - 1
	r.cells[c.slot] = r.cells[last]
	r.cells[c.slot].slot = c.slot
	r.cells[last] = nil
	r.cells = r.cells[:last]
	c.slot = -1
	c.leave()
	c.shape.Leave()
	r.bytes -= c.cost.Load()
	r.table.remove(c)
	if c.key.ResourceID != "" {
		rest := slices.DeleteFunc(r.byCustomer[c.key.CustomerID], func(o *cell) bool { return o == c })
		if len(rest) == 0 {
			delete(r.byCustomer, c.key.CustomerID)
		} else {
			r.byCustomer[c.key.CustomerID] = rest
		}
	}
	return true
}

// wait has a listed cell wait, if it does not yet.
func (r *registry) wait(c *cell) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.slot >= 0 && !c.waiting {
		r.room.enter(c)
	}
}

// unwait takes c out of the room, where it may not be.
func (r *registry) unwait(c *cell) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.waiting {
		r.room.leave(c)
	}
}

// overdue returns who is at the door: nil when all that wait may stay. read says whether it was read since it began to wait.
func (r *registry) overdue() (c *cell, read bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.room.bytes <= r.room.max {
		return nil, false
	}
	c = r.room.first
	return c, c.reads.Load() != c.seen
}

// drop strikes off a cell that waits, if somebody has to go.
func (r *registry) drop(c *cell) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return c.waiting && r.room.bytes > r.room.max && r.removeLocked(c)
}

// lists reports whether c is listed, without a lock.
func (r *registry) lists(c *cell) bool { return r.table.find(c.hash) == c }

// state returns whether c is listed, and whether it waits.
func (r *registry) state(c *cell) (listed, waiting bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return c.slot >= 0, c.waiting
}

// reprice sets the cost of c, and returns the cost of all that do not wait.
func (r *registry) reprice(c *cell, cost int64) (placed int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.slot >= 0 {
		r.bytes += cost - c.cost.Load()
	}
	if c.waiting {
		r.room.reprice(c, cost)
	} else {
		c.cost.Store(cost)
	}
	return r.bytes - r.room.bytes
}

func (r *registry) size() (cells, waiting int, bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.cells), r.room.cells, r.bytes
}

func (r *registry) all() []*cell {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.cells)
}

func (r *registry) resources(customerID string) []entitlements.Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := make([]entitlements.Key, 0, len(r.byCustomer[customerID]))
	for _, c := range r.byCustomer[customerID] {
		keys = append(keys, c.key)
	}
	return keys
}
