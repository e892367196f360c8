package entitlements

// record is one entitlement of one customer: all that a decision reads but its name, in 56 bytes.
type record struct {
	limit  float64
	used   Figures
	at     int32 // its position
	stamps uint8 // see Snapshot.stamps
	typ    Type
	flags  uint8
	reason uint8 // the server's, see reasonCode
}

const (
	flagGranted = 1 << iota
	flagHasLimit
	flagUnlimited
	flagSoftLimit
	flagUncounted // a number without a meter to count against its limit
	flagPaid      // a wallet of the set pays for it, see Shape.walletAt
)

// mostLate is how many records a snapshot has whose usage is newer than that in records. Usage changes far more often than anything
// else, and of few features: an event copies these, and only one about yet another feature copies all records.
const mostLate = 3

// stamps are the moments of a grant. Most entitlements of a customer have the same.
type stamps struct {
	anchor     Instant // what usage periods are counted from
	updatedAt  Instant
	validUntil Instant
}

// fewStamps is how many different ones a set has at most, unless it has one for each entitlement.
const fewStamps = 16

func stampsOf(g *Grant) stamps {
	return stamps{g.UsagePeriodAnchor, g.EntitlementUpdatedAt, g.ValidUntil}
}

func (s *Snapshot) stampsAt(i int) *stamps {
	if len(s.stamps) == len(s.records) { // one for each, be it because all differ
		return &s.stamps[i]
	}
	return &s.stamps[s.records[i].stamps]
}

// at is the record at position i, with the usage that is known.
func (s *Snapshot) at(i int) *record {
	if k := s.lateAt(i); k < len(s.late) {
		return &s.late[k]
	}
	return &s.records[i]
}

// lateAt is where late has the record at position i; behind its end when it has not.
func (s *Snapshot) lateAt(i int) int {
	for k := range s.late {
		if int(s.late[k].at) == i {
			return k
		}
	}
	return len(s.late)
}

// set makes it the record of the position at.
func (r *record) set(g *Grant, at int) {
	*r = record{
		typ: g.Type(), at: int32(at), reason: reasonCode(g.AccessDeniedReason),
		used: Figures{Current: g.CurrentUsage, UpdatedAt: g.UsageUpdatedAt, PeriodStart: g.UsagePeriodStart, PeriodEnd: g.UsagePeriodEnd},
	}
	if g.IsGranted {
		r.flags |= flagGranted
	}
	if g.HasUsageLimit {
		r.flags |= flagHasLimit
		r.limit = g.UsageLimit
	}
	if g.HasUnlimitedUsage {
		r.flags |= flagUnlimited
	}
	if g.HasSoftLimit {
		r.flags |= flagSoftLimit
	}
	if g.FeatureType == FeatureNumber && g.MeterType == MeterNone {
		r.flags |= flagUncounted
	}
}

// reasonAt is the server's own reason for denying the entitlement at position i; empty when it has none.
func (s *Snapshot) reasonAt(i int) Reason {
	switch code := s.records[i].reason; code {
	case 0:
		return ""
	case reasonOther:
		return s.shape.defs[i].reason
	default:
		return reasons[code-1]
	}
}

// take makes held what f is, but for the bounds of the period that f leaves out. It goes field by field: to copy the whole right after its
// fields were written would wait for them (store forwarding).
func (held *Figures) take(f *Figures) {
	held.Current, held.UpdatedAt, held.Seq = f.Current, f.UpdatedAt, f.Seq
	if f.PeriodStart != 0 {
		held.PeriodStart = f.PeriodStart
	}
	if f.PeriodEnd != 0 {
		held.PeriodEnd = f.PeriodEnd
	}
}
