package entitlements

import (
	"math"
	"math/bits"
	"slices"
)

// index finds an entitlement by name in a set that never changes: an open-addressed table of positions, at most half full, so
// that a lookup is one hash and, nearly always, one comparison of strings. A set of the usual size has it in 64 bytes, and keeps the
// best of many hashes: for most sets of up to twenty that is one by which every name has a slot of its own. With any one hash, the
// unluckiest name of twenty is found at the third comparison or so, as long as its set lives.
//
// Alternative that lost: binary search over the sorted names, at 20 entitlements four to five string comparisons and
// mispredicted branches.
type index struct {
	small  [smallSlots]uint8 // position + 1; 0 is empty
	spread uint64            // of small: the hash that was chosen, see slot
	large  []uint16          // the same for larger sets, instead of small; length is a power of two
}

const (
	smallSlots = 64
	smallShift = 64 - 6
	maxSmall   = smallSlots / 2
	// spreads is how many hashes a small index tries at most. One in 28 suits twenty names, and one in 13,000 thirty-two, which have to
	// make do with the best of these: at some ten microseconds, once for each shape.
	spreads = 64
	// maxLarge is the largest set that gets an index. Stigg's sets are tens of entitlements; a larger one is searched.
	maxLarge = 1 << 14
)

func newIndex(refs []Ref) (x index) {
	n := len(refs)
	switch {
	case n <= maxSmall:
		var mixed [maxSmall]uint64
		for i := range refs {
			mixed[i] = mix(refs[i])
		}
		best := math.MaxInt
		for i := 0; i < spreads && best > n; i++ {
			spread := bits.RotateLeft64(k2*uint64(2*i+1), i) | 1 // any odd numbers that are unlike one another
			if try, steps := newSmall(mixed[:n], spread, best); steps < best {
				x, best = try, steps
			}
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

// newSmall returns a small index of names that are mixed, and how many comparisons it takes to find every name once. It gives up when
// these cannot be fewer than best.
func newSmall(mixed []uint64, spread uint64, best int) (x index, steps int) {
	x.spread = spread
	for i := range mixed {
		if steps+len(mixed)-i >= best {
			return x, best
		}
		at := x.slot(mixed[i])
		for steps++; x.small[at%smallSlots] != 0; steps++ {
			at++
		}
		x.small[at%smallSlots] = uint8(i + 1)
	}
	return x, steps
}

// slot is where a small index looks first for a name that is mixed.
func (x *index) slot(mixed uint64) uint64 { return (mixed ^ mixed>>32) * x.spread >> smallShift }

// find returns the position of ref in the set, or -1.
func (sh *Shape) find(ref Ref) int {
	n := len(ref.ID)
	if n < 8 || n > 16 || len(sh.refs) > maxSmall {
		return sh.findUnusual(ref)
	}
	// A name of the usual length, in a set of the usual size, is two loads.
	first, last := load8(ref.ID), load8(ref.ID[n-8:])
	for slot := sh.index.slot(mixTwo(ref, first, last)); ; slot++ {
		at := int(sh.index.small[slot%smallSlots]) - 1
		if at < 0 {
			return -1
		}
		if r := &sh.refs[at]; r.Kind == ref.Kind && len(r.ID) == n && load8(r.ID) == first && load8(r.ID[n-8:]) == last {
			return at
		}
	}
}

func (sh *Shape) findUnusual(ref Ref) int {
	if len(sh.refs) > maxSmall {
		return sh.findLarge(ref)
	}
	for slot := sh.index.slot(mix(ref)); ; slot++ {
		at := int(sh.index.small[slot%smallSlots]) - 1
		if at < 0 || sh.refs[at] == ref {
			return at
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

const k1, k2 = 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93

// hashRef is a hash of which any bits will do.
func hashRef(r Ref) uint64 {
	h := mix(r)
	h = (h ^ h>>32) * k2
	return h ^ h>>32*k1
}

// mix takes in the whole name, eight bytes at a time: names that differ only in the middle must not share a slot, or a set of thousands
// becomes a search through thousands. Two names may differ in the upper bits alone of what it returns: slot and hashRef bring them down.
func mix(r Ref) uint64 {
	s := r.ID
	n := len(s)
	if n < 8 {
		h := uint64(n)<<1 | uint64(r.Kind)
		for i := range n {
			h = h<<8 ^ uint64(s[i])*k1
		}
		return h
	}
	h := mixTwo(r, load8(s), load8(s[n-8:]))
	for i := 8; i+8 < n; i += 8 {
		h = bits.RotateLeft64(h*k1, 29) ^ load8(s[i:])
	}
	return h
}

// mixTwo is mix of a name of 8 to 16 bytes, of which the first and the last eight are all: they may overlap. Shape.find relies on it.
func mixTwo(r Ref, first, last uint64) uint64 {
	h := uint64(len(r.ID))<<1 | uint64(r.Kind)
	return bits.RotateLeft64((bits.RotateLeft64(h, 29)^first)*k1, 29) ^ last
}

// load8 is one machine load: the compiler joins the eight.
func load8(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
