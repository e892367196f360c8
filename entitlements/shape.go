package entitlements

import (
	"slices"
	"sync/atomic"
	"unsafe"
)

// Shape is what the sets of customers have in common who have the same entitlements: what these are, sorted, and how one is found by
// its name. Customers of one plan have one shape, in memory once. It is immutable but for what it remembers to be quick, and who keeps
// it.
type Shape struct {
	index   index // finds a position by name
	refs    []Ref // the names, by position
	defs    []*definition
	wallets []int32 // of a feature, the position of the wallet that pays for it; -1 when the set holds none. Nil when none does.
	reason  Reason  // why the whole set is denied; empty when it is not

	size int
	last atomic.Pointer[arrangement]
	kept atomic.Int64 // by how many, see Join
}

// arrangement is an order in which a set came, and where each of its elements goes: the server tells them in much the same order each
// time, and sorting them is half the work of packing a set.
type arrangement struct {
	came  []*definition
	order []int32 // by position, which of them
}

// shapes are those in use, of all snapshots.
var shapes pool[Shape]

// arrange returns the shape of a set with its elements as they came, and by position which of them is there. Of two that name the same
// entitlement the one updated last is, and of two equally old ones the first.
func arrange(reason Reason, list []Grant, came []*definition) (*Shape, []int32) {
	h := hashRef(Ref{ID: string(reason)})
	for _, d := range came {
		h += d.hash * k1 // in any order
	}
	var order []int32
	sh := shapes.find(h, func(sh *Shape) bool {
		if sh.reason != reason {
			return false
		}
		if a := sh.last.Load(); a != nil && slices.Equal(a.came, came) {
			order = a.order
			return true
		}
		if order == nil {
			order = sorted(list)
		}
		return slices.EqualFunc(sh.defs, order, func(d *definition, i int32) bool { return d == came[i] })
	})
	if sh == nil {
		if order == nil {
			order = sorted(list)
		}
		sh = newShape(reason, came, order)
		shapes.add(h, sh)
	}
	if len(order) == len(came) { // each is there once, whatever the figures are
		if a := sh.last.Load(); a == nil || !slices.Equal(a.came, came) {
			sh.last.Store(&arrangement{slices.Clone(came), order})
		}
	}
	return sh, order
}

// sorted returns which elements of a list are kept, by name.
func sorted(list []Grant) []int32 {
	order := make([]int32, len(list))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int {
		if c := compareRef(list[a].Ref(), list[b].Ref()); c != 0 {
			return c
		}
		// Newest first, so that the first of equal names is the one to keep.
		switch x, y := list[a].EntitlementUpdatedAt, list[b].EntitlementUpdatedAt; {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	return slices.CompactFunc(order, func(a, b int32) bool { return list[a].Ref() == list[b].Ref() })
}

func newShape(reason Reason, came []*definition, order []int32) *Shape {
	sh := &Shape{reason: reason, refs: make([]Ref, len(order)), defs: make([]*definition, len(order))}
	sh.size = int(unsafe.Sizeof(*sh)) + len(reason)
	for at, i := range order {
		sh.defs[at], sh.refs[at] = came[i], came[i].ref
		sh.size += int(unsafe.Sizeof(sh.defs[at])+unsafe.Sizeof(sh.refs[at])) + sh.defs[at].size()
	}
	sh.index = newIndex(sh.refs)
	sh.size += len(sh.index.large) * int(unsafe.Sizeof(uint16(0)))
	for at, d := range sh.defs {
		if d.creditCurrencyID == "" {
			continue
		}
		if sh.wallets == nil {
			sh.wallets = slices.Repeat([]int32{-1}, len(order))
			sh.size += len(order) * int(unsafe.Sizeof(int32(0)))
		}
		sh.wallets[at] = int32(sh.find(Currency(d.creditCurrencyID)))
	}
	return sh
}

// walletAt is the position of the wallet that pays for the feature at position i; -1 when the set holds none.
func (sh *Shape) walletAt(i int) int {
	if sh.wallets == nil {
		return -1
	}
	return int(sh.wallets[i])
}

// Join is told by whoever keeps a snapshot of that shape for long, once for each key, and Leave when it does not any more: a few that
// share a shape may be gone tomorrow but for one, who then has all of it to himself. See [Snapshot.Size].
func (sh *Shape) Join() { sh.kept.Add(1) }

// Leave takes back a Join.
func (sh *Shape) Leave() { sh.kept.Add(-1) }

// share estimates what one more who has the shape adds to memory by it: all of it, unless many are known to share it.
func (sh *Shape) share() int {
	if sh.kept.Load() < manyKeep {
		return sh.size
	}
	return sh.size / manyKeep
}

const manyKeep = 16

// same reports whether the sets of two shapes have the same entitlements, figures and moments apart.
func (sh *Shape) same(o *Shape) bool {
	return sh == o || sh.reason == o.reason && slices.EqualFunc(sh.defs, o.defs, (*definition).same)
}
