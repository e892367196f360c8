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
	// OnEvict is told once of every key that stops being resident, with the last belief about it; one that never could be, because
	// it is larger than there is room for, is among them. It runs on the goroutine that inserts, updates or closes, under locks
	// of the cache, and must not call the cache. Nil is fine.
	OnEvict func(entitlements.Key, *entitlements.Belief)
}

// Cache holds beliefs. Use New.
type Cache struct {
	gate     gate
	hits     tally
	index    *ristretto.Cache[uint64, *cell]
	registry registry
	onEvict  func(entitlements.Key, *entitlements.Belief)
	maxBytes int64
	// placeable is ristretto's part of maxBytes; the waiting room has the rest.
	placeable int64

	// open is held shared by whatever writes to ristretto, and exclusively by Close.
	open    sync.RWMutex
	inserts [256]sync.Mutex // by hash, see inserting

	evicted, refused atomic.Uint64
}

const (
	cellOverhead = 128 + 172 + 16 + 128 // the cell, ristretto's item and policy entry (measured), the registry's slot, the belief
	// A typical customer's set, for the size of ristretto's frequency sketch: ten counters for each that fits.
	typicalBytes = 2 << 10
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
	c.registry.table = newTable(cfg.MaxBytes / typicalBytes)
	c.registry.room.max = cfg.MaxBytes / roomShare
	c.placeable = cfg.MaxBytes - c.registry.room.max
	index, err := ristretto.NewCache(&ristretto.Config[uint64, *cell]{
		NumCounters:        min(max(10*cfg.MaxBytes/typicalBytes, 1<<10), 1<<24), // 1<<24 counters take about 80 MB
		MaxCost:            c.placeable,
		BufferItems:        64,
		IgnoreInternalCost: true,
		KeyToHash:          func(h uint64) (uint64, uint64) { return h, 0 }, // hashed already; a cell's key tells collisions apart
		OnEvict:            func(i *ristretto.Item[*cell]) { c.yielded(i.Value) },
		// Who is refused is asked after by whoever had it apply, see place.
	})
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	c.index = index
	return c, nil
}

// Lookup returns what is believed of a customer or one of its resources, nil when it is not resident or the cache is closed.
// It never waits. now is the reader's coarse clock, and marks the key as read; first reports whether this is the first read of
// the key at that tick, so that a reader with something slow to say about the key can say it once a tick.
func (c *Cache) Lookup(customerID, resourceID string, now entitlements.Instant) (b *entitlements.Belief, first bool) {
	h := hash(customerID, resourceID)
	cl := c.registry.table.find(h)
	if cl == nil || !cl.is(customerID, resourceID) {
		c.report(h)
		return nil, false
	}
	c.hits.add()
	if first = cl.touch(now); first {
		c.report(h)
	}
	return cl.belief.Load(), first
}

// report tells ristretto that a key was read, or asked for. It is a function of its own to keep the path of a hit short.
//
//go:noinline
func (c *Cache) report(hash uint64) {
	if s := c.gate.enter(); s != nil {
		c.index.Get(hash)
		s.leave()
	}
}

// Peek looks at a resident key without marking it as read: not for eviction either.
func (c *Cache) Peek(key entitlements.Key) (Entry, bool) {
	cl := c.registry.table.findKey(key)
	if cl == nil {
		return Entry{}, false
	}
	return cl.entry(), true
}

// Update replaces the belief about a resident key with what next makes of it, atomically: next is called again when another
// update, or an eviction, came in between, so it must be pure. A nil result, or the belief itself, changes nothing. Update
// returns the belief that stands afterwards, nil when the key is not resident, or is no longer: it gave way to others meanwhile,
// or the new belief is larger than there is room for.
func (c *Cache) Update(key entitlements.Key, next func(*entitlements.Belief) *entitlements.Belief) *entitlements.Belief {
	for cl := c.registry.table.findKey(key); cl != nil; cl = c.registry.table.findKey(key) {
		old := cl.belief.Load()
		b := next(old)
		if b == nil || b == old {
			if c.registry.lists(cl) {
				return old
			}
			continue
		}
		if cl.belief.CompareAndSwap(old, b) {
			if b.Snapshot.Shape() != old.Snapshot.Shape() {
				c.registry.join(cl)
			}
			if b.Snapshot != old.Snapshot {
				c.reprice(cl, b)
			}
			// Only now: whoever strikes the cell off from here on tells OnEvict of b, or of what has replaced it. When it is gone
			// already, OnEvict may have been told of what stood before, and the key may be resident again, without what next does.
			if c.registry.lists(cl) {
				return b
			}
		}
	}
	return nil
}

// Insert makes key resident with b, unless it is resident already: then it does nothing and returns false together with the
// belief that stands, for the caller to Update. It returns nil and false when b is larger than there is room for, when a resident
// key has the same 64-bit hash, or when the cache is closed. When ristretto is full, or refuses the newcomer, it is resident in
// the waiting room.
func (c *Cache) Insert(key entitlements.Key, b *entitlements.Belief) (*entitlements.Belief, bool) {
	c.open.RLock()
	defer c.open.RUnlock()
	if c.gate.closed.Load() {
		return nil, false
	}
	cl, stands := c.enroll(key, b)
	if cl == nil {
		return stands, false
	}
	c.trim()
	if listed, _ := c.registry.state(cl); !listed {
		return nil, false
	}
	return b, true
}

func costOf(b *entitlements.Belief) int64 { return int64(b.Snapshot.Size() + cellOverhead) }

// Entry is one resident key.
type Entry struct {
	Key      entitlements.Key
	Belief   *entitlements.Belief
	LastRead entitlements.Instant // before the first Lookup, ConfirmedAt of what was inserted: when its fetch began
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
	n, _, _ := c.registry.size()
	return n
}

// Resources returns the resident resource-level keys of a customer.
func (c *Cache) Resources(customerID string) []entitlements.Key {
	return c.registry.resources(customerID)
}

// Stats are counters since New, and sizes now.
type Stats struct {
	Resident int    // keys
	Waiting  int    // of them, those in the waiting room
	Bytes    int64  // estimated memory of what is resident
	MaxBytes int64  // what Bytes is bounded by: Config.MaxBytes, or its default
	Hits     uint64 // Lookups that found something
	Evicted  uint64 // keys that gave way to others
	Refused  uint64 // newcomers that left without having got further than the waiting room
}

// Stats returns the counters. It takes a short lock that no reader takes.
func (c *Cache) Stats() Stats {
	n, waiting, bytes := c.registry.size()
	return Stats{
		Resident: n, Waiting: waiting, Bytes: bytes, MaxBytes: c.maxBytes,
		Hits: c.hits.sum(), Evicted: c.evicted.Load(), Refused: c.refused.Load(),
	}
}

// Close ends ristretto's goroutines. Lookups that are under way finish; later ones find nothing. It is safe against everything
// else and against itself.
func (c *Cache) Close() {
	c.open.Lock()
	defer c.open.Unlock()
	if !c.gate.close() {
		return
	}
	c.index.Close()
	for _, cl := range c.registry.all() { // they gave way to nobody: told of, and not counted
		if c.registry.remove(cl) {
			c.tell(cl)
		}
	}
}
