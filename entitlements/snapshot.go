package entitlements

import (
	"iter"
	"slices"
	"strings"
)

// Snapshot is everything Stigg said about one [Key]: the full set of entitlements, or the reason why there is none. It is
// immutable. "No such customer" is a snapshot with a reason, not an error: absence is data, and is cached like any other.
type Snapshot struct {
	key    Key
	reason Reason
	grants *grants
	// usage is parallel to grants.items. It is apart from them because it changes far more often: a usage event copies this
	// slice and shares the grants.
	usage []usage
}

// grants is the part of a snapshot that only a new set replaces.
type grants struct {
	items      []item  // sorted by ref
	index      index   // finds a position in items
	updatedAt  Instant // newest entitlementUpdatedAt
	validUntil Instant // earliest moment at which the set must be asked for again
}

// item is one entitlement without its usage.
type item struct {
	ref         Ref
	featureType FeatureType
	meterType   MeterType
	typ         Type
	resetPeriod ResetPeriod
	flags       uint8
	wallet      int32 // index of the wallet that pays for this feature; -1 when the set holds none
	reason      Reason
	limit       float64
	enumValues  []string
	anchor      Instant
	updatedAt   Instant
	validUntil  Instant

	creditRate       float64
	creditCurrencyID string

	displayName, description, units, unitsPlural string
}

const (
	flagGranted = 1 << iota
	flagHasLimit
	flagUnlimited
	flagSoftLimit
)

// usage is the moving part of one entitlement.
type usage struct {
	current     float64
	updatedAt   Instant
	periodStart Instant
	periodEnd   Instant
	seq         uint64
}

// NewSnapshot packs what the server said about key. A reason that is not empty denies everything, whatever the grants. When
// two grants name the same entitlement the one updated last is kept, and of two equally old ones the first. NewSnapshot keeps
// no reference to the slice, but does to the strings and enum values in it: do not change those afterwards.
func NewSnapshot(key Key, reason Reason, list []Grant) *Snapshot {
	s := &Snapshot{key: key, reason: reason, grants: &grants{}}
	if len(list) == 0 {
		return s
	}
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
	g := s.grants
	g.items = make([]item, 0, len(list))
	s.usage = make([]usage, 0, len(list))
	for n, i := range order {
		src := &list[i]
		if n > 0 && src.Ref() == list[order[n-1]].Ref() {
			continue
		}
		g.items = append(g.items, newItem(src))
		s.usage = append(s.usage, usage{
			current:     src.CurrentUsage,
			updatedAt:   src.UsageUpdatedAt,
			periodStart: src.UsagePeriodStart,
			periodEnd:   src.UsagePeriodEnd,
		})
		g.updatedAt = max(g.updatedAt, src.EntitlementUpdatedAt)
		g.validUntil = earlier(g.validUntil, src.ValidUntil)
		if src.Kind == KindCredit {
			// What a wallet holds after its period ended cannot be computed here: the server has to be asked.
			g.validUntil = earlier(g.validUntil, src.UsagePeriodEnd)
		}
	}
	g.index = newIndex(g.items)
	for i := range g.items {
		if it := &g.items[i]; it.creditCurrencyID != "" {
			it.wallet = int32(g.find(Currency(it.creditCurrencyID)))
		}
	}
	return s
}

func newItem(g *Grant) item {
	it := item{
		ref:         g.Ref(),
		featureType: g.FeatureType, meterType: g.MeterType, typ: g.Type(),
		resetPeriod: g.ResetPeriod, wallet: -1, reason: g.AccessDeniedReason, limit: g.UsageLimit, enumValues: g.EnumValues,
		anchor: g.UsagePeriodAnchor, updatedAt: g.EntitlementUpdatedAt, validUntil: g.ValidUntil,
		creditRate: g.CreditRate, creditCurrencyID: g.CreditCurrencyID,
		displayName: g.DisplayName, description: g.Description, units: g.Units, unitsPlural: g.UnitsPlural,
	}
	if g.IsGranted {
		it.flags |= flagGranted
	}
	if g.HasUsageLimit {
		it.flags |= flagHasLimit
	} else {
		it.limit = 0
	}
	if g.HasUnlimitedUsage {
		it.flags |= flagUnlimited
	}
	if g.HasSoftLimit {
		it.flags |= flagSoftLimit
	}
	return it
}

// Type returns which of the typed questions the grant answers. A number with a meter this package does not know is Metered:
// it is metered, whatever the meter.
func (g *Grant) Type() Type {
	if g.Kind == KindCredit {
		return TypeCredit
	}
	switch g.FeatureType {
	case FeatureBoolean:
		return TypeBoolean
	case FeatureEnum:
		return TypeEnum
	case FeatureNumber:
		if g.MeterType == MeterNone || g.MeterType == "" {
			return TypeNumeric
		}
		return TypeMetered
	}
	return TypeUnspecified
}

func earlier(a, b Instant) Instant {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

// find returns the position of ref in items, or -1.
func (g *grants) find(ref Ref) int {
	slots := g.index.slots
	if len(slots) == 0 {
		return g.search(ref)
	}
	for at := hashRef(ref) >> (g.index.shift & 63); ; at++ {
		n := slots[at&uint64(len(slots)-1)]
		if n == 0 {
			return -1
		}
		if it := &g.items[n-1]; it.ref.ID == ref.ID && it.ref.Kind == ref.Kind {
			return int(n - 1)
		}
	}
}

// search serves sets without an index: empty ones, and any larger than maxIndexed.
func (g *grants) search(ref Ref) int {
	lo, hi := 0, len(g.items)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		switch r := &g.items[mid].ref; {
		case r.Kind == ref.Kind && r.ID == ref.ID:
			return mid
		case compareRef(*r, ref) < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return -1
}

// Key returns whose entitlements these are.
func (s *Snapshot) Key() Key { return s.key }

// Reason is why the whole set is denied (no such customer, archived, no active subscription); empty when it is not.
func (s *Snapshot) Reason() Reason { return s.reason }

// Len returns how many entitlements the set holds.
func (s *Snapshot) Len() int { return len(s.usage) }

// EntitlementUpdatedAt returns the newest entitlementUpdatedAt in the set; zero for a set without stamps.
func (s *Snapshot) EntitlementUpdatedAt() Instant { return s.grants.updatedAt }

// ValidUntil returns when the server wants the set recalculated: the earliest validUntil, or a wallet's end of period. Zero
// when it named no moment.
func (s *Snapshot) ValidUntil() Instant { return s.grants.validUntil }

// All yields every entitlement as it reads at the moment now, features first, by id.
func (s *Snapshot) All(now Instant) iter.Seq[Entitlement] {
	return func(yield func(Entitlement) bool) {
		for i := range s.usage {
			if !yield(Entitlement{s, now, int32(i)}) {
				return
			}
		}
	}
}

// Find returns one entitlement as it reads at the moment now.
func (s *Snapshot) Find(ref Ref, now Instant) (Entitlement, bool) {
	i := s.grants.find(ref)
	if i < 0 {
		return Entitlement{}, false
	}
	return Entitlement{s, now, int32(i)}, true
}

// SameGrants reports whether o says the same as s, usage apart: the same reason and the same entitlements with the same
// content and stamps.
func (s *Snapshot) SameGrants(o *Snapshot) bool {
	if s.reason != o.reason {
		return false
	}
	if s.grants == o.grants {
		return true
	}
	return slices.EqualFunc(s.grants.items, o.grants.items, sameItem)
}

func sameItem(a, b item) bool {
	return a.ref == b.ref && a.featureType == b.featureType && a.meterType == b.meterType &&
		a.resetPeriod == b.resetPeriod && a.flags == b.flags && a.reason == b.reason && a.limit == b.limit &&
		a.anchor == b.anchor && a.updatedAt == b.updatedAt && a.validUntil == b.validUntil &&
		a.creditRate == b.creditRate && a.creditCurrencyID == b.creditCurrencyID &&
		a.displayName == b.displayName && a.description == b.description && a.units == b.units && a.unitsPlural == b.unitsPlural &&
		slices.Equal(a.enumValues, b.enumValues)
}

// Usage returns what is held for one entitlement, as the server said it (no period rolled over).
func (s *Snapshot) Usage(ref Ref) (Usage, bool) {
	i := s.grants.find(ref)
	if i < 0 {
		return Usage{}, false
	}
	return s.usageAt(i), true
}

func (s *Snapshot) usageAt(i int) Usage {
	u := &s.usage[i]
	return Usage{Ref: s.grants.items[i].ref, Current: u.current, UpdatedAt: u.updatedAt, PeriodStart: u.periodStart, PeriodEnd: u.periodEnd, Seq: u.seq}
}

// WithUsage returns a snapshot that differs from s in the usage of one entitlement. It returns s itself when the set does not
// hold that entitlement. Period bounds that u leaves out keep their value.
func (s *Snapshot) WithUsage(u Usage) *Snapshot {
	i := s.grants.find(u.Ref)
	if i < 0 {
		return s
	}
	next := *s
	next.usage = slices.Clone(s.usage)
	next.setUsage(i, u)
	return &next
}

func (s *Snapshot) setUsage(i int, u Usage) {
	dst := &s.usage[i]
	dst.current, dst.updatedAt, dst.seq = u.Current, u.UpdatedAt, u.Seq
	if u.PeriodStart != 0 {
		dst.periodStart = u.PeriodStart
	}
	if u.PeriodEnd != 0 {
		dst.periodEnd = u.PeriodEnd
	}
}

// MergeUsage returns s with the usage that choose picks for each entitlement: it is called with what s says and with what held
// says, for every entitlement that both hold, and returns one of the two. Entitlements that held lacks are chosen with a zero
// second argument and false.
func (s *Snapshot) MergeUsage(held *Snapshot, choose func(mine, held Usage, both bool) Usage) *Snapshot {
	next := *s
	next.usage = slices.Clone(s.usage)
	for i := range next.usage {
		var h Usage
		j := -1
		if held != nil {
			if j = held.grants.find(next.grants.items[i].ref); j >= 0 {
				h = held.usageAt(j)
			}
		}
		u := choose(s.usageAt(i), h, j >= 0)
		next.usage[i] = usage{current: u.Current, updatedAt: u.UpdatedAt, periodStart: u.PeriodStart, periodEnd: u.PeriodEnd, seq: u.Seq}
	}
	return &next
}

// Size estimates the bytes the snapshot keeps alive, strings included. Strings that snapshots share are counted in each.
func (s *Snapshot) Size() int {
	const perSnapshot, perItem, perUsage, perSlot = 112 + 96, 304, 40, 2
	n := perSnapshot + len(s.key.CustomerID) + len(s.key.ResourceID) + len(s.usage)*(perItem+perUsage) + len(s.grants.index.slots)*perSlot
	for i := range s.grants.items {
		it := &s.grants.items[i]
		n += len(it.ref.ID) + len(it.displayName) + len(it.description) + len(it.units) + len(it.unitsPlural) + len(it.creditCurrencyID)
		for _, v := range it.enumValues {
			n += 16 + len(v)
		}
	}
	return n
}

// String is for messages: the key, the reason if any, and the names of the entitlements.
func (s *Snapshot) String() string {
	var b strings.Builder
	b.WriteString(s.key.String())
	if s.reason != "" {
		b.WriteString(" denied " + string(s.reason))
	}
	for i := range s.grants.items {
		b.WriteString(", " + s.grants.items[i].ref.String())
	}
	return b.String()
}
