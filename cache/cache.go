package cache

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/ristretto/v2"

	"github.com/entcache/entcache/entitlements"
)

// DefaultMaxBytes bounds a cache whose configuration names no bound.
const DefaultMaxBytes = 256 << 20

// Config configures [New].
type Config struct {
	// MaxBytes bounds the estimated memory of what is resident. Zero means DefaultMaxBytes; a negative value is an error.
	MaxBytes int64
	// OnEvict is told once of every key that stops being resident, or was refused, with the last belief about it. It runs on
	// ristretto's own goroutine or the one that inserts, and must not call the cache. Nil is fine.
	OnEvict func(entitlements.Key, *entitlements.Belief)
}

// Cache holds beliefs. Use New.
type Cache struct {
	gate     gate
	index    *ristretto.Cache[uint64, *cell]
	registry registry
	onEvict  func(entitlements.Key, *entitlements.Belief)
	maxBytes int64

	// open is held shared by whatever writes to ristretto, and exclusively by Close.
	open    sync.RWMutex
	inserts [256]sync.Mutex // one insert at a time per key: the second of two would be thrown away

	evicted, refused atomic.Uint64
}

const (
	cellOverhead = 64 + 172 + 16 + 128 // the cell, ristretto's item and policy entry (measured), the registry's slot, the belief
	// A typical customer's set, for the size of ristretto's frequency sketch: ten counters for each that fits.
	typicalBytes = 4 << 10
)

// New returns an empty cache. It starts ristretto's two goroutines, which [Cache.Close] ends.
func New(cfg Config) (*Cache, error) {
	if cfg.MaxBytes < 0 {
		return nil, fmt.Errorf("cache: MaxBytes is %d: give a positive number of bytes, or 0 for %d", cfg.MaxBytes, int64(DefaultMaxBytes))
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = DefaultMaxBytes
	}
	c := &Cache{onEvict: cfg.OnEvict, maxBytes: cfg.MaxBytes}
	index, err := ristretto.NewCache(&ristretto.Config[uint64, *cell]{
		NumCounters:        min(max(10*cfg.MaxBytes/typicalBytes, 1<<10), 1<<24), // 1<<24 counters take about 80 MB
		MaxCost:            cfg.MaxBytes,
		BufferItems:        64,
		IgnoreInternalCost: true,
		KeyToHash:          func(h uint64) (uint64, uint64) { return h, 0 }, // hashed already; the cell's key tells collisions apart
		OnEvict:            func(i *ristretto.Item[*cell]) { c.gone(i.Value, &c.evicted) },
		OnReject:           func(i *ristretto.Item[*cell]) { c.gone(i.Value, &c.refused) },
	})
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	c.index = index
	return c, nil
}

// gone runs on ristretto's goroutine when it lets go of a cell.
func (c *Cache) gone(cl *cell, count *atomic.Uint64) {
	if cl == nil || !c.registry.remove(cl) {
		return
	}
	if !c.gate.closed.Load() { // what Close lets go of gave way to nobody
		count.Add(1)
	}
	if c.onEvict != nil {
		c.onEvict(cl.key, cl.belief.Load())
	}
}

// Lookup returns what is believed of a customer or one of its resources, nil when it is not resident or the cache is closed.
// It never waits. now is the reader's coarse clock, and marks the key as read; first reports whether this is the first read of
// the key at that tick, so that a reader with something slow to say about the key can say it once a tick.
func (c *Cache) Lookup(customerID, resourceID string, now entitlements.Instant) (b *entitlements.Belief, first bool) {
	s := c.gate.enter()
	if s == nil {
		return nil, false
	}
	cl, ok := c.index.Get(hash(customerID, resourceID))
	if !ok || !cl.is(customerID, resourceID) {
		s.n.Add(leaveNoHit)
		return nil, false
	}
	s.n.Add(leaveHit)
	return cl.belief.Load(), cl.touch(now)
}

// Peek looks at a resident key without marking it as read: not for eviction either.
func (c *Cache) Peek(key entitlements.Key) (Entry, bool) {
	cl := c.registry.find(key)
	if cl == nil {
		return Entry{}, false
	}
	return cl.entry(), true
}

// Update replaces the belief about a resident key with what next makes of it, atomically: next is called again when another
// update came in between, so it must be pure. A nil result, or the belief itself, changes nothing. Update returns the belief
// that stands afterwards, nil when the key is not resident.
func (c *Cache) Update(key entitlements.Key, next func(*entitlements.Belief) *entitlements.Belief) *entitlements.Belief {
	cl := c.registry.find(key)
	if cl == nil {
		return nil
	}
	for {
		old := cl.belief.Load()
		b := next(old)
		if b == nil || b == old {
			return old
		}
		if cl.belief.CompareAndSwap(old, b) {
			if b.Snapshot != old.Snapshot {
				c.reprice(cl, b)
			}
			return b
		}
	}
}

// reprice tells ristretto when a cell has grown or shrunk by more than a tenth: an update alone goes past its bound. A cell that
// grows past the bound may be refused, like a newcomer.
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
	h := hashKey(cl.key)
	mu := &c.inserts[h%256]
	mu.Lock()
	defer mu.Unlock()
	if held, ok := c.index.Get(h); !ok || held != cl {
		return
	}
	if bytes := c.registry.reprice(cl, cost); cost > old && bytes > c.maxBytes {
		// Ristretto makes room for newcomers only: let this one apply again, at its new price. For a reader in between it is a
		// miss; nobody else can insert meanwhile.
		c.index.Del(h)
		c.index.Wait()
	}
	// The same pointer: for ristretto a new cost, for readers nothing. Should it be evicted right now this is an insert after
	// all, so settle as one.
	c.place(h, cl, cost)
}

// Insert makes key resident with b, unless it is resident already: then it does nothing and returns false together with the
// belief that stands, for the caller to Update. It returns nil and false when ristretto refuses a newcomer (the cache is full
// of keys that are read more) or the cache is closed.
func (c *Cache) Insert(key entitlements.Key, b *entitlements.Belief) (*entitlements.Belief, bool) {
	c.open.RLock()
	defer c.open.RUnlock()
	if c.gate.closed.Load() {
		return nil, false
	}
	h := hashKey(key)
	mu := &c.inserts[h%256]
	mu.Lock()
	defer mu.Unlock()
	if held, ok := c.index.Get(h); ok {
		if held.key == key {
			return held.belief.Load(), false
		}
		return nil, false // another key with the same 64-bit hash: this one is fetched each time, never confused with it
	}
	cl := &cell{key: key, slot: -1}
	cl.belief.Store(b)
	cl.lastRead.Store(int64(b.ConfirmedAt)) // whoever had it fetched counts as its first reader
	cost := costOf(b)
	cl.cost.Store(cost)
	if !c.place(h, cl, cost) {
		return nil, false
	}
	return b, true
}

// place puts cl into ristretto and waits until that has happened, and lists it for as long as it is there. The caller holds
// the key's insert lock and c.open.
func (c *Cache) place(h uint64, cl *cell, cost int64) bool {
	c.registry.add(cl) // before it can be evicted, so that gone finds it
	for !c.index.Set(h, cl, cost) {
		c.index.Wait() // the queue is full: a false return means that the value was dropped
	}
	c.index.Wait()
	// Once more: an eviction that was already under way may have struck it off after the first time. List, then look: whatever
	// evicts it from here on finds it listed.
	again := c.registry.add(cl)
	if held, ok := c.index.Get(h); ok && held == cl {
		return true
	}
	if again { // gone has seen to everything else
		c.registry.remove(cl)
	} else {
		c.gone(cl, &c.evicted)
	}
	return false
}

func costOf(b *entitlements.Belief) int64 { return int64(b.Snapshot.Size() + cellOverhead) }

// Entry is one resident key.
type Entry struct {
	Key      entitlements.Key
	Belief   *entitlements.Belief
	LastRead entitlements.Instant // or when it was inserted
	Reads    uint32               // ticks of the readers' clock in which it was read, modulo 2^32
}

func (c *cell) entry() Entry {
	return Entry{c.key, c.belief.Load(), entitlements.Instant(c.lastRead.Load()), c.reads.Load()}
}

// Range calls yield for every key that was resident at the start, in no order, until it returns false. It holds no lock while
// it does.
func (c *Cache) Range(yield func(Entry) bool) {
	for _, cl := range c.registry.all() {
		if !yield(cl.entry()) {
			return
		}
	}
}

// Len returns how many keys are resident.
func (c *Cache) Len() int {
	n, _ := c.registry.size()
	return n
}

// Resources returns the resident resource-level keys of a customer.
func (c *Cache) Resources(customerID string) []entitlements.Key {
	return c.registry.resources(customerID)
}

// Stats are counters since New, and sizes now.
type Stats struct {
	Resident int   // keys
	Bytes    int64 // estimated memory of what is resident
	MaxBytes int64
	Hits     uint64 // Lookups that found something
	Evicted  uint64 // keys that gave way to others
	Refused  uint64 // newcomers that did not get in
}

// Stats returns the counters. It takes a short lock that no reader takes.
func (c *Cache) Stats() Stats {
	n, bytes := c.registry.size()
	return Stats{Resident: n, Bytes: bytes, MaxBytes: c.maxBytes, Hits: c.gate.hits(), Evicted: c.evicted.Load(), Refused: c.refused.Load()}
}

// Close ends ristretto's goroutines. Lookups that are under way finish; later ones find nothing. It is safe against everything
// else and against itself.
func (c *Cache) Close() {
	c.open.Lock()
	defer c.open.Unlock()
	if c.gate.close() {
		c.index.Close()
	}
}
