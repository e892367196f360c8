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
	index    *ristretto.Cache[uint64, *cell]
	registry registry
	onEvict  func(entitlements.Key, *entitlements.Belief)
	maxBytes int64
	// placeable is ristretto's part of maxBytes; the waiting room has the rest.
	placeable int64

	// open is held shared by whatever writes to ristretto, and exclusively by Close.
	open    sync.RWMutex
	inserts [256]sync.Mutex // one insert at a time per key: the second of two would be thrown away

	evicted, refused atomic.Uint64
}

const (
	cellOverhead = 128 + 172 + 16 + 128 // the cell, ristretto's item and policy entry (measured), the registry's slot, the belief
	// A typical customer's set, for the size of ristretto's frequency sketch: ten counters for each that fits.
	typicalBytes = 4 << 10
	// The waiting room has an eighth of MaxBytes, ristretto the rest. Half of it follows a change of who is popular more slowly,
	// and of twice it those who are popular have less; see BenchmarkHitRatio.
	roomShare = 8
	// How many of those that wait may apply for one that comes. Each takes ristretto some microseconds.
	applications = 4
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
		KeyToHash:          func(h uint64) (uint64, uint64) { return h, 0 }, // hashed already; the cell's key tells collisions apart
		OnEvict:            func(i *ristretto.Item[*cell]) { c.yielded(i.Value) },
		// Who is refused is asked after by whoever had it apply, see place.
	})
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	c.index = index
	return c, nil
}

// yielded runs on ristretto's goroutine when it has let go of a cell: to make room for others, or because of Close. It must not
// strike the cell off: whoever holds the key's insert lock may be having it apply again already, and an unlisted cell in
// ristretto would answer readers without any event's reaching it.
func (c *Cache) yielded(cl *cell) {
	if cl != nil && !c.gate.closed.Load() { // what Close lets go of is seen to there
		c.registry.wait(cl)
	}
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
		mu := &c.inserts[cl.hash%256]
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
		return c.lookupWaiting(s, customerID, resourceID, now)
	}
	s.n.Add(leaveHit)
	return cl.belief.Load(), cl.touch(now)
}

// lookupWaiting is Lookup for what ristretto, which now knows that it is read, does not hold. It is a function of its own, and hashes
// once more, to keep the path of a hit short.
//
//go:noinline
func (c *Cache) lookupWaiting(s *stripe, customerID, resourceID string, now entitlements.Instant) (b *entitlements.Belief, first bool) {
	cl := c.registry.table.find(hash(customerID, resourceID))
	if cl == nil || !cl.is(customerID, resourceID) {
		s.n.Add(leaveNoHit)
		return nil, false
	}
	s.n.Add(leaveHit)
	return cl.belief.Load(), cl.touch(now)
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
// update came in between, so it must be pure. A nil result, or the belief itself, changes nothing. Update returns the belief
// that stands afterwards, nil when the key is not resident.
func (c *Cache) Update(key entitlements.Key, next func(*entitlements.Belief) *entitlements.Belief) *entitlements.Belief {
	cl := c.registry.table.findKey(key)
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

// reprice takes note of a cell that has grown or shrunk by more than a tenth. An update alone would go past ristretto's bound: a
// cell that grows past it may be refused, like a newcomer, and waits then.
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
	c.priced(cl, cost)
	c.trim()
}

func (c *Cache) priced(cl *cell, cost int64) {
	mu := &c.inserts[cl.hash%256]
	mu.Lock()
	defer mu.Unlock()
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

// Insert makes key resident with b, unless it is resident already: then it does nothing and returns false together with the
// belief that stands, for the caller to Update. It returns nil and false when b is larger than there is room for or the cache is
// closed. When ristretto is full, or refuses the newcomer, it is resident in the waiting room.
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

// enroll lists a new cell, and puts it into ristretto as long as that has room; after that it waits. When the place is taken it
// returns nil and, if that is by the same key, what is believed of it.
func (c *Cache) enroll(key entitlements.Key, b *entitlements.Belief) (*cell, *entitlements.Belief) {
	h := hashKey(key)
	mu := &c.inserts[h%256]
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
	n, _, _ := c.registry.size()
	return n
}

// Resources returns the resident resource-level keys of a customer.
func (c *Cache) Resources(customerID string) []entitlements.Key {
	return c.registry.resources(customerID)
}

// Stats are counters since New, and sizes now.
type Stats struct {
	Resident int   // keys
	Waiting  int   // of them, those in the waiting room
	Bytes    int64 // estimated memory of what is resident
	MaxBytes int64
	Hits     uint64 // Lookups that found something
	Evicted  uint64 // keys that gave way to others
	Refused  uint64 // newcomers that left without having got further than the waiting room
}

// Stats returns the counters. It takes a short lock that no reader takes.
func (c *Cache) Stats() Stats {
	n, waiting, bytes := c.registry.size()
	return Stats{
		Resident: n, Waiting: waiting, Bytes: bytes, MaxBytes: c.maxBytes,
		Hits: c.gate.hits(), Evicted: c.evicted.Load(), Refused: c.refused.Load(),
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
