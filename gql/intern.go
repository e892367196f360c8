package gql

import (
	"hash/maphash"
	"sync/atomic"
)

// interner returns equal strings for equal bytes, mostly the same one. Feature ids, names and units repeat in every customer's
// set: without it each fetch of twenty entitlements would allocate a hundred copies, and each resident customer keep them.
//
// It is a table of fixed size in which the newest of two colliding strings stays: bounded, lock-free, and only ever wrong in
// that it allocates. A nil interner allocates always.
type interner struct {
	seed     maphash.Seed
	slots    [internSlots]atomic.Pointer[string]
	features [describedSlots]atomic.Pointer[described]
}

const (
	internSlots = 4096 // 32 KiB of pointers; a catalogue has some hundreds of strings
	internMax   = 512  // bytes; at most 2 MiB
)

func newInterner() *interner { return &interner{seed: maphash.MakeSeed()} }

func (t *interner) get(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if t == nil || len(b) > internMax {
		return string(b)
	}
	slot := &t.slots[maphash.Bytes(t.seed, b)%internSlots]
	if held := slot.Load(); held != nil && *held == string(b) {
		return *held
	}
	s := string(b)
	slot.Store(&s)
	return s
}
