package syncer

import (
	"hash/maphash"
	"sync"

	"github.com/entcache/entcache/entitlements"
)

// stamps remembers the newest stamp of keys that were evicted, and when their last set arrived (rule 6), so that a late event
// which meets the key while it is being fetched again is not taken for news. It is a direct-mapped table: bounded, and best
// effort once a slot is taken over.
type stamps struct {
	seed maphash.Seed

	mu    sync.Mutex // guards the following
	slots []stampSlot
}

type stampSlot struct {
	hash    uint64
	newest  entitlements.Instant // Belief.Newest
	learned entitlements.Instant // Belief.LearnedAt
}

// stampSlots is a power of two; 24 bytes each, so 1.5 MiB. At the default budget, what it forgets was evicted 20
// minutes ago on average; two keys that share a slot forget one another at once.
const stampSlots = 1 << 16

func newStamps() *stamps {
	return &stamps{seed: maphash.MakeSeed(), slots: make([]stampSlot, stampSlots)}
}

func (s *stamps) note(key entitlements.Key, newest, learned entitlements.Instant) {
	if newest == 0 {
		return
	}
	h := maphash.Comparable(s.seed, key)
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := &s.slots[h%stampSlots]
	if slot.hash == h {
		newest, learned = max(newest, slot.newest), max(learned, slot.learned)
	}
	*slot = stampSlot{h, newest, learned}
}

func (s *stamps) of(key entitlements.Key) (newest, learned entitlements.Instant) {
	h := maphash.Comparable(s.seed, key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if slot := s.slots[h%stampSlots]; slot.hash == h {
		return slot.newest, slot.learned
	}
	return 0, 0
}
