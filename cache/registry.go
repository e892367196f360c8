package cache

import (
	"slices"
	"sync"

	"github.com/entcache/entcache/entitlements"
)

// registry lists the cells that are resident, because ristretto cannot: for walking over all of them, from a customer to its
// resources, and for finding one without telling ristretto that it was read. Readers never come here.
type registry struct {
	mu         sync.Mutex // guards the following, and cell.slot
	cells      []*cell
	byHash     map[uint64]*cell
	byCustomer map[string][]*cell // resource-level cells only
	bytes      int64
}

// add lists c. It reports false when c is listed already.
func (r *registry) add(c *cell) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.slot >= 0 {
		return false
	}
	c.slot = len(r.cells)
	r.cells = append(r.cells, c)
	r.bytes += c.cost.Load()
	if r.byHash == nil {
		r.byHash = make(map[uint64]*cell)
	}
	r.byHash[hashKey(c.key)] = c
	if c.key.ResourceID != "" {
		if r.byCustomer == nil {
			r.byCustomer = make(map[string][]*cell)
		}
		r.byCustomer[c.key.CustomerID] = append(r.byCustomer[c.key.CustomerID], c)
	}
	return true
}

// remove strikes c from the list. It reports false when c is not listed.
func (r *registry) remove(c *cell) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.slot < 0 {
		return false
	}
	last := len(r.cells) - 1
	r.cells[c.slot] = r.cells[last]
	r.cells[c.slot].slot = c.slot
	r.cells[last] = nil
	r.cells = r.cells[:last]
	c.slot = -1
	r.bytes -= c.cost.Load()
	// Between ristretto's letting go of a cell and our hearing of it, the key may have been inserted again.
	if h := hashKey(c.key); r.byHash[h] == c {
		delete(r.byHash, h)
	}
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

// reprice sets the cost of c, and returns the cost of all.
func (r *registry) reprice(c *cell, cost int64) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.slot >= 0 {
		r.bytes += cost - c.cost.Load()
	}
	c.cost.Store(cost)
	return r.bytes
}

// find returns the cell of key, nil when it is not listed.
func (r *registry) find(key entitlements.Key) *cell {
	h := hashKey(key)
	r.mu.Lock()
	c := r.byHash[h]
	r.mu.Unlock()
	if c == nil || c.key != key {
		return nil
	}
	return c
}

func (r *registry) size() (cells int, bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.cells), r.bytes
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
