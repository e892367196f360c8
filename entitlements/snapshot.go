package entitlements

import (
	"iter"
	"slices"
	"strings"
	"unsafe"
)

// Snapshot is everything Stigg said about one [Key]: the full set of entitlements, or the reason why there is none. It is
// immutable. "No such customer" is a snapshot with a reason, not an error: absence is data, and is cached like any other.
type Snapshot struct {
	key    Key
	reason Reason
	grants *grants
	// records and seqs are parallel to grants.items. They are apart because usage changes far more often than what is granted: a
	// usage event copies these two and shares the rest.
	records []record
	seqs    []uint64 // see Usage.Seq
	// counting is what this process has reported for some of them; nil when it has nothing.
	counting []counting
}

// record is all that a decision reads of one entitlement, in one cache line.
type record struct {
	id          string
	limit       float64
	current     float64
	periodStart Instant
	periodEnd   Instant
	updatedAt   Instant // of the usage
	wallet      int32   // position of the wallet that pays for this feature; -1 when the set holds none
	kind        Kind
	typ         Type
	flags       uint8
}

func (r *record) ref() Ref { return Ref{r.kind, r.id} }

const (
	flagGranted = 1 << iota
	flagHasLimit
	flagUnlimited
	flagSoftLimit
	flagDenied    // the server gave a reason; it is in the item
	flagUncounted // a number without a meter to count against its limit
)

// grants is the part of a snapshot that only a new set replaces.
type grants struct {
	index      index // finds a position by name
	items      []item
	updatedAt  Instant // newest entitlementUpdatedAt
	validUntil Instant // earliest moment at which the set must be asked for again
}

// item is the rest of one entitlement: what is read when somebody asks for details.
type item struct {
	featureType FeatureType
	meterType   MeterType
	resetPeriod ResetPeriod
	reason      Reason
	enumValues  []string
	anchor      Instant
	updatedAt   Instant // of the grant
	validUntil  Instant

	creditRate       float64
	creditCurrencyID string

	displayName, description, units, unitsPlural string
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
	s.records = make([]record, 0, len(list))
	for n, i := range order {
		src := &list[i]
		if n > 0 && src.Ref() == list[order[n-1]].Ref() {
			continue
		}
		g.items = append(g.items, newItem(src))
		s.records = append(s.records, newRecord(src))
		g.updatedAt = max(g.updatedAt, src.EntitlementUpdatedAt)
		g.validUntil = earlier(g.validUntil, src.ValidUntil)
		if src.Kind == KindCredit {
			// What a wallet holds after its period ended cannot be computed here: the server has to be asked.
			g.validUntil = earlier(g.validUntil, src.UsagePeriodEnd)
		}
	}
	s.seqs = make([]uint64, len(s.records))
	g.index = newIndex(s.records)
	for i := range g.items {
		if it := &g.items[i]; it.creditCurrencyID != "" {
			s.records[i].wallet = int32(s.find(Currency(it.creditCurrencyID)))
		}
	}
	return s
}

func newItem(g *Grant) item {
	return item{
		featureType: g.FeatureType, meterType: g.MeterType,
		resetPeriod: g.ResetPeriod, reason: g.AccessDeniedReason, enumValues: g.EnumValues,
		anchor: g.UsagePeriodAnchor, updatedAt: g.EntitlementUpdatedAt, validUntil: g.ValidUntil,
		creditRate: g.CreditRate, creditCurrencyID: g.CreditCurrencyID,
		displayName: g.DisplayName, description: g.Description, units: g.Units, unitsPlural: g.UnitsPlural,
	}
}

func newRecord(g *Grant) record {
	r := record{
		id: g.ID, kind: g.Kind, typ: g.Type(), wallet: -1,
		current: g.CurrentUsage, updatedAt: g.UsageUpdatedAt, periodStart: g.UsagePeriodStart, periodEnd: g.UsagePeriodEnd,
	}
	set := func(flag uint8, on bool) {
		if on {
			r.flags |= flag
		}
	}
	set(flagGranted, g.IsGranted)
	set(flagHasLimit, g.HasUsageLimit)
	set(flagUnlimited, g.HasUnlimitedUsage)
	set(flagSoftLimit, g.HasSoftLimit)
	set(flagDenied, g.AccessDeniedReason != "")
	set(flagUncounted, g.FeatureType == FeatureNumber && g.MeterType == MeterNone)
	if g.HasUsageLimit {
		r.limit = g.UsageLimit
	}
	return r
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

// Key returns whose entitlements these are.
func (s *Snapshot) Key() Key { return s.key }

// Reason is why the whole set is denied (no such customer, archived, no active subscription); empty when it is not.
func (s *Snapshot) Reason() Reason { return s.reason }

// Len returns how many entitlements the set holds.
func (s *Snapshot) Len() int { return len(s.records) }

// EntitlementUpdatedAt returns the newest entitlementUpdatedAt in the set; zero for a set without stamps.
func (s *Snapshot) EntitlementUpdatedAt() Instant { return s.grants.updatedAt }

// ValidUntil returns when the server wants the set recalculated: the earliest validUntil, or a wallet's end of period. Zero
// when it named no moment.
func (s *Snapshot) ValidUntil() Instant { return s.grants.validUntil }

// All yields every entitlement as it reads at the moment now, features first, by id.
func (s *Snapshot) All(now Instant) iter.Seq[Entitlement] {
	return func(yield func(Entitlement) bool) {
		for i := range s.records {
			if !yield(s.entitlement(i, now)) {
				return
			}
		}
	}
}

// Find returns one entitlement as it reads at the moment now.
func (s *Snapshot) Find(ref Ref, now Instant) (Entitlement, bool) {
	i := s.find(ref)
	if i < 0 {
		return Entitlement{}, false
	}
	return s.entitlement(i, now), true
}

func (s *Snapshot) entitlement(i int, now Instant) Entitlement {
	return Entitlement{snapshot: s, now: now, pending: s.pendingAt(i), index: int32(i)}
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
	return slices.EqualFunc(s.records, o.records, sameGrant) && slices.EqualFunc(s.grants.items, o.grants.items, sameItem)
}

// sameGrant compares the parts of a record that are not usage.
func sameGrant(a, b record) bool {
	return a.id == b.id && a.kind == b.kind && a.typ == b.typ && a.flags == b.flags && a.limit == b.limit && a.wallet == b.wallet
}

func sameItem(a, b item) bool {
	return a.featureType == b.featureType && a.meterType == b.meterType &&
		a.resetPeriod == b.resetPeriod && a.reason == b.reason &&
		a.anchor == b.anchor && a.updatedAt == b.updatedAt && a.validUntil == b.validUntil &&
		a.creditRate == b.creditRate && a.creditCurrencyID == b.creditCurrencyID &&
		a.displayName == b.displayName && a.description == b.description && a.units == b.units && a.unitsPlural == b.unitsPlural &&
		slices.Equal(a.enumValues, b.enumValues)
}

// Usage returns what is held for one entitlement, as the server said it (no period rolled over).
func (s *Snapshot) Usage(ref Ref) (Usage, bool) {
	i := s.find(ref)
	if i < 0 {
		return Usage{}, false
	}
	return s.usageAt(i), true
}

func (s *Snapshot) usageAt(i int) Usage {
	r := &s.records[i]
	return Usage{Ref: r.ref(), Current: r.current, UpdatedAt: r.updatedAt, PeriodStart: r.periodStart, PeriodEnd: r.periodEnd, Seq: s.seqs[i]}
}

// WithUsage returns a snapshot that differs from s in the usage of one entitlement. It returns s itself when the set does not
// hold that entitlement. Period bounds that u leaves out keep their value.
func (s *Snapshot) WithUsage(u Usage) *Snapshot {
	i := s.find(u.Ref)
	if i < 0 {
		return s
	}
	if u.PeriodStart == 0 {
		u.PeriodStart = s.records[i].periodStart
	}
	if u.PeriodEnd == 0 {
		u.PeriodEnd = s.records[i].periodEnd
	}
	next := s.cloneUsage()
	next.setUsage(i, u)
	return next
}

func (s *Snapshot) cloneUsage() *Snapshot {
	next := *s
	next.records, next.seqs = slices.Clone(s.records), slices.Clone(s.seqs)
	return &next
}

func (s *Snapshot) setUsage(i int, u Usage) {
	r := &s.records[i]
	r.current, r.updatedAt, r.periodStart, r.periodEnd = u.Current, u.UpdatedAt, u.PeriodStart, u.PeriodEnd
	s.seqs[i] = u.Seq
}

// MergeUsage returns s with the usage that choose picks for each entitlement: it is called with what s says and with what held
// says, for every entitlement that both hold, and returns one of the two. Entitlements that held lacks are chosen with a zero
// second argument and false. What held counts beside its usage counts in the result as well, if s counts nothing.
func (s *Snapshot) MergeUsage(held *Snapshot, choose func(mine, held Usage, both bool) Usage) *Snapshot {
	next := s.cloneUsage()
	if held != nil && s.counting == nil {
		next.countAs(held)
	}
	for i := range next.records {
		var h Usage
		j := -1
		if held != nil {
			if j = held.find(next.records[i].ref()); j >= 0 {
				h = held.usageAt(j)
			}
		}
		next.setUsage(i, choose(s.usageAt(i), h, j >= 0))
	}
	return next
}

// Size estimates the bytes the snapshot keeps alive, strings included. Strings that snapshots share are counted in each.
func (s *Snapshot) Size() int {
	const perSnapshot = int(unsafe.Sizeof(Snapshot{}) + unsafe.Sizeof(grants{}))
	const perEntitlement = int(unsafe.Sizeof(record{}) + unsafe.Sizeof(item{}) + unsafe.Sizeof(uint64(0)))
	n := perSnapshot + len(s.key.CustomerID) + len(s.key.ResourceID) + len(s.records)*perEntitlement + len(s.grants.index.large)*2
	for i := range s.records {
		it := &s.grants.items[i]
		n += len(s.records[i].id) + len(it.displayName) + len(it.description) + len(it.units) + len(it.unitsPlural) + len(it.creditCurrencyID)
		for _, v := range it.enumValues {
			n += int(unsafe.Sizeof(v)) + len(v)
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
	for i := range s.records {
		b.WriteString(", " + s.records[i].ref().String())
	}
	return b.String()
}
