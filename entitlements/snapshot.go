package entitlements

import (
	"iter"
	"slices"
	"strings"
	"unsafe"
)

// Snapshot is everything Stigg said about one [Key]: the full set of entitlements, or the reason why there is none. It is
// immutable. "No such customer" is a snapshot with a reason, not an error: absence is data, and is cached like any other. [NewSnapshot]
// makes one; the zero value is none, and must not be used.
//
// What customers of one plan have in common is in memory once, as a [Shape]. A snapshot of its own has the figures and the moments.
type Snapshot struct {
	*origin
	shape *Shape
	// records are by position in the shape. What has been used since is in late, of a few: see at.
	records []record
	late    []record
	// counting is what this process has reported for some of them; nil when it has nothing.
	counting *[]counting
}

// origin is what events of usage never change: snapshots that follow from one another share it, so that an event copies little. Most
// checks do not read it; those of what a wallet pays for, and of usage whose period has ended, do.
type origin struct {
	key        Key
	validUntil Instant // earliest moment at which the set must be asked for again
	// stamps are the moments of the grants: different ones only, and record.stamps says which; or, of a set in which most differ, one
	// for each position.
	stamps []stamps
}

// NewSnapshot packs what the server said about key. A reason that is not empty denies everything, whatever the grants. When
// two grants name the same entitlement the one updated last is kept, and of two equally old ones the first. NewSnapshot keeps
// no reference to the slice, but does to the strings and enum values in it: do not change those afterwards.
func NewSnapshot(key Key, reason Reason, list []Grant) *Snapshot {
	var few [32]*definition
	came := few[:0]
	if len(list) > len(few) {
		came = make([]*definition, 0, len(list))
	}
	for i := range list {
		came = append(came, define(&list[i]))
	}
	sh, order := arrange(reason, list, came)
	s := &Snapshot{origin: &origin{key: key}, shape: sh}
	if len(order) == 0 {
		return s
	}
	s.records = make([]record, len(order))
	var different [fewStamps]stamps
	n, latest := 0, 0
	for at, i := range order {
		g, r := &list[i], &s.records[at]
		r.set(g, at)
		if sh.walletAt(at) >= 0 {
			r.flags |= flagPaid
		}
		s.validUntil = earlier(s.validUntil, g.ValidUntil)
		if g.Kind == KindCredit {
			// What a wallet holds after its period ended cannot be computed here: the server has to be asked.
			s.validUntil = earlier(s.validUntil, g.UsagePeriodEnd)
		}
		if n > fewStamps {
			continue
		}
		if t := stampsOf(g); n == 0 || t != different[latest] {
			if latest = slices.Index(different[:n], t); latest < 0 {
				if latest = n; n < fewStamps {
					different[n] = t
				}
				n++
			}
		}
		r.stamps = uint8(latest)
	}
	if n <= fewStamps {
		s.stamps = slices.Clone(different[:n])
		return s
	}
	s.stamps = make([]stamps, len(order))
	for at, i := range order {
		s.stamps[at] = stampsOf(&list[i])
	}
	return s
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
func (s *Snapshot) Reason() Reason { return s.shape.reason }

// Len returns how many entitlements the set holds.
func (s *Snapshot) Len() int { return len(s.records) }

// EntitlementUpdatedAt returns the newest entitlementUpdatedAt in the set; zero for a set without stamps.
func (s *Snapshot) EntitlementUpdatedAt() (newest Instant) {
	for i := range s.stamps {
		newest = max(newest, s.stamps[i].updatedAt)
	}
	return newest
}

// ValidUntil returns when the server wants the set recalculated: the earliest validUntil, or a wallet's end of period. Zero
// when it named no moment.
func (s *Snapshot) ValidUntil() Instant { return s.validUntil }

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
	i := s.shape.find(ref)
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
	if !s.shape.same(o.shape) {
		return false
	}
	for i := range s.records {
		a, b := &s.records[i], &o.records[i]
		if a.limit != b.limit || a.flags != b.flags || a.typ != b.typ || a.reason != b.reason || *s.stampsAt(i) != *o.stampsAt(i) {
			return false
		}
	}
	return true
}

// Usage returns what is held for one entitlement, as the server said it (no period rolled over).
func (s *Snapshot) Usage(ref Ref) (Usage, bool) {
	i, ok := s.Position(ref)
	if !ok {
		return Usage{}, false
	}
	f := s.Figures(i)
	return Usage{s.shape.refs[i], f.Current, f.UpdatedAt, f.PeriodStart, f.PeriodEnd, f.Seq}, true
}

// Position returns where the set holds an entitlement, false when it does not: for who compares its usage before he replaces it, and
// looks for it once. It is the same in every snapshot that is made of this one.
func (s *Snapshot) Position(ref Ref) (at int, ok bool) {
	at = s.shape.find(ref)
	return at, at >= 0
}

// Figures returns the usage of the entitlement at a position, as the server said it (no period rolled over).
func (s *Snapshot) Figures(at int) Figures { return s.at(at).used }

// WithUsage returns a snapshot that differs from s in the usage of one entitlement. It returns s itself when the set does not
// hold that entitlement. Period bounds that u leaves out keep their value.
func (s *Snapshot) WithUsage(u Usage) *Snapshot {
	i, ok := s.Position(u.Ref)
	if !ok {
		return s
	}
	next := new(*s)
	k, lates := s.lateWith(i)
	f := u.Figures()
	next.use(i, &f, k, make([]record, lates))
	return next
}

// lateWith returns the index that position i has in late, or will get, and the length of late afterwards. The length is 0 when late is full
// of others: then all records are copied.
func (s *Snapshot) lateWith(i int) (k, lates int) {
	if k = s.lateAt(i); k == mostLate {
		return k, 0
	}
	return k, max(len(s.late), k+1)
}

// use replaces the usage at position i of a snapshot that nobody else has yet, and that may share all it points to with others. k and
// room, the memory for its newer records, are as lateWith says.
func (s *Snapshot) use(i int, f *Figures, k int, room []record) {
	if len(room) == 0 {
		s.records, s.late = s.allRecords(), nil
		s.records[i].used.take(f)
		return
	}
	copy(room, s.late)
	if k == len(s.late) {
		room[k] = s.records[i]
	}
	room[k].used.take(f)
	s.late = room
}

// allRecords returns a copy of the records, with the usage that is known.
func (s *Snapshot) allRecords() []record {
	records := slices.Clone(s.records)
	for i := range s.late {
		records[s.late[i].at] = s.late[i]
	}
	return records
}

// MergeUsage returns s with the usage that settle makes of what s says, mine, and of what held says, for each entitlement: settle
// changes mine and leaves held alone, which is nil for an entitlement that held lacks. What held counts beside its usage counts in the
// result as well, if s counts nothing.
func (s *Snapshot) MergeUsage(held *Snapshot, settle func(mine, held *Figures)) *Snapshot {
	next := new(*s)
	next.merge(held, settle)
	return next
}

// merge is MergeUsage of a snapshot that nobody else has yet, and that may share all it points to with others.
func (s *Snapshot) merge(held *Snapshot, settle func(mine, held *Figures)) {
	s.records, s.late = s.allRecords(), nil
	if held != nil && s.counting == nil {
		s.countAs(held)
	}
	for i := range s.records {
		settle(&s.records[i].used, held.usedOf(i, s.shape))
	}
}

// usedOf is the usage of what is at position i of a shape; nil when s does not hold that, or is nil.
func (s *Snapshot) usedOf(i int, of *Shape) *Figures {
	if s == nil {
		return nil
	}
	if s.shape != of { // as few are
		if i = s.shape.find(of.refs[i]); i < 0 {
			return nil
		}
	}
	return &s.at(i).used
}

// Shape returns what the snapshot may have in common with others.
func (s *Snapshot) Shape() *Shape { return s.shape }

// Size estimates the bytes that one more snapshot like this keeps alive, strings included: of its shape all, as long as fewer than
// sixteen have joined it, and a sixteenth from then on; and of what counts with it, see [Tally], what its owner is likely to keep.
func (s *Snapshot) Size() int {
	n := int(unsafe.Sizeof(*s)+unsafe.Sizeof(*s.origin)) + len(s.key.CustomerID) + len(s.key.ResourceID) + s.shape.share() +
		(len(s.records)+min(len(s.records), mostLate))*int(unsafe.Sizeof(record{})) + // late ones or soon to come
		len(s.stamps)*int(unsafe.Sizeof(stamps{}))
	if counts := s.counts(); len(counts) > 0 {
		n += countingBase + len(counts)*(int(unsafe.Sizeof(counting{}))+countingEach)
	}
	return n
}

// What a program keeps of a key for which it counts, and of each tally, measured of the client in package entcache.
const (
	countingBase = 320
	countingEach = 160
)

// String is for messages: the key, the reason if any, and the names of the entitlements.
func (s *Snapshot) String() string {
	var b strings.Builder
	b.WriteString(s.key.String())
	if r := s.Reason(); r != "" {
		b.WriteString(" denied " + string(r))
	}
	for _, ref := range s.shape.refs {
		b.WriteString(", " + ref.String())
	}
	return b.String()
}
