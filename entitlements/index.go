package entitlements

import "math/bits"

// index finds an entitlement by name in a set that never changes: an open-addressed table of positions, at most half full, so
// that a lookup is one hash over at most sixteen bytes and, nearly always, one comparison of strings.
//
// Alternative that lost: binary search over the sorted names, at 20 entitlements four to five string comparisons and
// mispredicted branches, twice the time of the whole decision.
type index struct {
	slots []uint16 // position + 1; 0 is empty; length is a power of two
	shift uint8
}

// maxIndexed is the largest set that gets an index. Stigg's sets are tens of entitlements; a larger one is searched.
const maxIndexed = 1 << 14

func newIndex(items []item) index {
	if len(items) == 0 || len(items) > maxIndexed {
		return index{}
	}
	size := 1 << bits.Len(uint(2*len(items)-1))
	x := index{slots: make([]uint16, size), shift: uint8(64 - bits.TrailingZeros(uint(size)))}
	for i := range items {
		at := hashRef(items[i].ref) >> x.shift
		for x.slots[at] != 0 {
			at = (at + 1) & uint64(size-1)
		}
		x.slots[at] = uint16(i + 1)
	}
	return x
}

// hashRef mixes the length with the first and the last eight bytes: names of features differ at one end or the other. Names
// that differ only in between share a slot and cost a comparison more.
func hashRef(r Ref) uint64 {
	const k1, k2 = 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93
	s := r.ID
	h := uint64(len(s))<<1 | uint64(r.Kind)
	if len(s) >= 8 {
		h ^= load8(s) * k1
		h = bits.RotateLeft64(h, 29) ^ load8(s[len(s)-8:])
	} else {
		for i := range len(s) {
			h = h<<8 ^ uint64(s[i])*k1
		}
	}
	h *= k2
	return h ^ h>>32*k1
}

// load8 is one machine load: the compiler joins the eight.
func load8(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
