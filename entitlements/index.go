package entitlements

import (
	"math/bits"
	"slices"
)

// index finds an entitlement by name in a set that never changes: an open-addressed table of positions, at most half full, so
// that a lookup is one hash and, nearly always, one comparison of strings. Sets of the usual size have it in one cache line.
//
// Alternative that lost: binary search over the sorted names, at 20 entitlements four to five string comparisons and
// mispredicted branches.
type index struct {
	small [smallSlots]uint8 // position + 1; 0 is empty
	large []uint16          // the same for larger sets, instead of small; length is a power of two
}

const (
	smallSlots = 64
	smallShift = 64 - 6
	maxSmall   = smallSlots / 2
	// maxLarge is the largest set that gets an index. Stigg's sets are tens of entitlements; a larger one is searched.
	maxLarge = 1 << 14
)

func newIndex(refs []Ref) (x index) {
	n := len(refs)
	switch {
	case n <= maxSmall:
		for i := range refs {
			at := hashRef(refs[i]) >> smallShift
			for x.small[at%smallSlots] != 0 {
				at++
			}
			x.small[at%smallSlots] = uint8(i + 1)
		}
	case n <= maxLarge:
		x.large = make([]uint16, 1<<bits.Len(uint(2*n-1)))
		mask := uint64(len(x.large) - 1)
		for i := range refs {
			at := hashRef(refs[i])
			for x.large[at&mask] != 0 {
				at++
			}
			x.large[at&mask] = uint16(i + 1)
		}
	}
	return x
}

// find returns the position of ref in the set, or -1.
func (sh *Shape) find(ref Ref) int {
	if len(sh.refs) > maxSmall {
		return sh.findLarge(ref)
	}
	for at := hashRef(ref) >> smallShift; ; at++ {
		n := int(sh.index.small[at%smallSlots]) - 1
		if n < 0 {
			return -1
		}
		if r := &sh.refs[n]; r.Kind == ref.Kind && sameID(r.ID, ref.ID) {
			return n
		}
	}
}

func (sh *Shape) findLarge(ref Ref) int {
	large := sh.index.large
	if large == nil {
		return sh.search(ref)
	}
	mask := uint64(len(large) - 1)
	for at := hashRef(ref); ; at++ {
		n := int(large[at&mask]) - 1
		if n < 0 {
			return -1
		}
		if sh.refs[n] == ref {
			return n
		}
	}
}

// search serves sets larger than maxLarge.
func (sh *Shape) search(ref Ref) int {
	i, ok := slices.BinarySearchFunc(sh.refs, ref, compareRef)
	if !ok {
		return -1
	}
	return i
}

// hashRef mixes the whole name, eight bytes at a time: names that differ only in the middle must not share a slot, or a set of
// thousands becomes a search through thousands.
func hashRef(r Ref) uint64 {
	const k1, k2 = 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93
	s := r.ID
	h := uint64(len(s))<<1 | uint64(r.Kind)
	if n := len(s); n >= 8 {
		for i := 0; i+8 < n; i += 8 {
			h = (bits.RotateLeft64(h, 29) ^ load8(s[i:])) * k1
		}
		h = bits.RotateLeft64(h, 29) ^ load8(s[n-8:])
	} else {
		for i := range n {
			h = h<<8 ^ uint64(s[i])*k1
		}
	}
	h *= k2
	return h ^ h>>32*k1
}

// sameID is a == b, quicker for names of the usual length than the comparison of any strings is.
func sameID(a, b string) bool {
	if n := len(a); n == len(b) && n >= 8 && n <= 16 {
		return load8(a) == load8(b) && load8(a[n-8:]) == load8(b[n-8:])
	}
	return a == b
}

// load8 is one machine load: the compiler joins the eight.
func load8(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
