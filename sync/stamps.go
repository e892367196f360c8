package syncer

import (
	"hash/maphash"
	"sync"

	"github.com/entcache/entcache/entitlements"
)

// stamps remembers the newest stamp of keys that were evicted (rule 6), so that a late event which meets the key while it is
// being fetched again is not taken for news. It is a direct-mapped table: bounded, and best effort once a slot is taken over.
type stamps struct {
	seed maphash.Seed

	mu    sync.Mutex // guards the following
	slots []stampSlot
}

type stampSlot struct {
	hash   uint64
	newest entitlements.Instant
}

// stampSlots is a power of two; 16 bytes each, so 1 MiB. At the default budget, what it forgets was evicted 20 minutes ago.
const stampSlots = 1 << 16

func newStamps() *stamps {
	return &stamps{seed: maphash.MakeSeed(), slots: make([]stampSlot, stampSlots)}
}

func (s *stamps) note(key entitlements.Key, newest entitlements.Instant) {
	if newest == 0 {
		return
	}
	h := maphash.Comparable(s.seed, key)
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := &s.slots[h%stampSlots]
	if slot.hash == h {
		newest = max(newest, slot.newest)
	}
	*slot = stampSlot{h, newest}
}

func (s *stamps) newest(key entitlements.Key) entitlements.Instant {
	h := maphash.Comparable(s.seed, key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if slot := s.slots[h%stampSlots]; slot.hash == h {
		return slot.newest
	}
	return 0
}
