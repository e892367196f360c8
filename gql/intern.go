package gql

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/entcache/entcache/entitlements"
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

// described is the description of a feature, as it stood in an answer, and what was read there.
type described struct {
	text               string
	id                 string
	featureType        entitlements.FeatureType
	meterType          entitlements.MeterType
	displayName        string
	description        string
	featureUnits       string
	featureUnitsPlural string
}

const (
	describedSlots = 1024 // 8 KiB of pointers; a catalogue has some hundreds of features
	maxDescribed   = 2048 // bytes of text; at most 2 MiB
	// describedHead is how much of the text tells one feature from another. We select refId first, and servers keep that order.
	describedHead = 64
)

// described is where the description is remembered whose text begins with head: of two that meet, the newest. Nil without an interner.
func (t *interner) described(head []byte) *atomic.Pointer[described] {
	if t == nil {
		return nil
	}
	return &t.features[maphash.Bytes(t.seed, head)%describedSlots]
}

func newDescribed(text []byte, g *entitlements.Grant) *described {
	return &described{string(text), g.ID, g.FeatureType, g.MeterType, g.DisplayName, g.Description, g.Units, g.UnitsPlural}
}

func (d *described) describe(g *entitlements.Grant) {
	g.ID, g.FeatureType, g.MeterType = d.id, d.featureType, d.meterType
	g.DisplayName, g.Description, g.Units, g.UnitsPlural = d.displayName, d.description, d.featureUnits, d.featureUnitsPlural
}
