package syncer

import "github.com/entcache/entcache/entitlements"

// Resident is one key that a Store holds.
type Resident struct {
	Key      entitlements.Key
	Belief   *entitlements.Belief
	LastRead entitlements.Instant // or, before the first read, when the fetch began that brought it
	Reads    uint32               // grows with every tick in which it was read
}

// Store is where beliefs are kept: cache.Cache, through the root package's adapter. Its methods are called from many goroutines at
// once, some of them while the syncer holds a lock: they must not call the syncer, [Syncer.Evicted] apart.
type Store interface {
	// Peek looks at a resident key without marking it as read.
	Peek(entitlements.Key) (Resident, bool)
	// Update replaces a resident belief with what next makes of it, atomically; nil when the key is not resident.
	Update(key entitlements.Key, next func(*entitlements.Belief) *entitlements.Belief) *entitlements.Belief
	// Insert makes a key resident, and returns the belief as it is kept, and true. When there is no room for it, it returns what those who
	// wait for it are to be told, and false; and nil when the key is resident already, to be updated.
	Insert(entitlements.Key, *entitlements.Belief) (kept *entitlements.Belief, resident bool)
	// Range visits what is resident, in no order, holding no lock.
	Range(yield func(Resident) bool)
	// Resources returns the resident resource-level keys of a customer.
	Resources(customerID string) []entitlements.Key
	// Len returns how many keys are resident.
	Len() int
}
