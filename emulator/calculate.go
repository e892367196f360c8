package emulator

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// grant is what one source offers for one feature or currency.
type grant struct {
	Entitlement
	anchor time.Time // start of the source; periods count from here
}

// recalculate computes and stamps the set of every key of c anew, and tells the subscribers. A change at the level of the
// customer is a change for each of its resources.
func (e *Emulator) recalculate(c *customer) {
	for _, id := range slices.Sorted(maps.Keys(c.scopes)) {
		e.recalculateScope(c, c.scopes[id])
	}
}

// recalculateFor is recalculate for a change that concerns one resource only, when resourceID is not empty.
func (e *Emulator) recalculateFor(c *customer, resourceID string) {
	if resourceID == "" {
		e.recalculate(c)
		return
	}
	e.recalculateScope(c, c.scope(resourceID))
}

func (e *Emulator) recalculateScope(c *customer, s *scope) {
	now := e.now()
	s.updatedAt = e.state.stamp()
	before := s.set
	for _, r := range slices.SortedFunc(maps.Keys(s.meters), compareRefs) {
		if s.meters[r].over(now) { // first: what is left of a period that is over must not count in the next one's
			e.turn(s, r, now, s.updatedAt)
		}
	}
	e.fill(c, s, now)
	e.chargeDenials(s)
	e.state.stampSet(s, before)
	e.record(s)
	e.emitEntitlements(c, s)
	e.emitBalances(c, s)
}

// scope returns the key's state, made on first use. An unused key of a resource holds what the customer itself has.
func (c *customer) scope(resourceID string) *scope {
	s := c.scopes[resourceID]
	if s == nil {
		s = &scope{resourceID: resourceID, meters: map[ref]*meter{}}
		c.scopes[resourceID] = s
	}
	return s
}

// fill computes the set of one key at now: which sources apply, what they add up to, and until when that holds.
func (e *Emulator) fill(c *customer, s *scope, now time.Time) {
	s.set, s.denied, s.recalcAt = nil, "", time.Time{}
	until := func(t time.Time) {
		if t.After(now) && (s.recalcAt.IsZero() || t.Before(s.recalcAt)) {
			s.recalcAt = t
		}
	}

	byRef := map[ref][]grant{}
	subscribed := false
	// By anchor, which outlives a change of plan: whose plan changed last is not who came last.
	subs := slices.SortedStableFunc(slices.Values(c.subs), func(a, b *subscription) int { return a.anchor.Compare(b.anchor) })
	for _, sub := range subs {
		if sub.resourceID != "" && sub.resourceID != s.resourceID {
			continue
		}
		if sub.status(now) == wire.SubscriptionStatusNotStarted {
			until(sub.startAt)
		}
		if !sub.active(now) {
			continue
		}
		subscribed = true
		until(sub.trialEnd)
		until(sub.endAt)
		for i := range sub.changes {
			until(sub.changes[i].at)
		}
		for _, g := range sub.grants() {
			byRef[g.ref()] = append(byRef[g.ref()], g)
		}
	}
	for _, p := range c.promos {
		if p.active(now) {
			until(p.endsAt)
			r := p.entitlement.ref()
			byRef[r] = append(byRef[r], grant{p.entitlement, p.startedAt})
		}
	}

	if c.archived {
		s.denied, s.recalcAt = string(wire.EntitlementsStateAccessDeniedReasonCustomerIsArchived), time.Time{}
		return
	}
	combined := map[ref]*entitled{}
	for r, grants := range byRef {
		if ent := e.state.index.combine(r, grants); ent != nil {
			combined[r] = ent
		}
	}
	for key, o := range c.overrides {
		if key.resourceID == "" || key.resourceID == s.resourceID {
			if _, own := c.overrides[overrideKey{s.resourceID, key.ref}]; own && key.resourceID != s.resourceID {
				continue // the resource's own override is nearer
			}
			since := o.setAt
			if sold := combined[key.ref]; sold != nil {
				since = sold.since // an override does not move the periods of what was sold
			}
			if ent := e.state.index.combine(key.ref, []grant{{o.entitlement, since}}); ent != nil {
				ent.denied = o.denied
				combined[key.ref] = ent
			}
		}
	}
	e.openWallets(c, s, combined, now)
	for _, r := range slices.SortedFunc(maps.Keys(combined), compareRefs) {
		ent := combined[r]
		s.set = append(s.set, ent)
		if ent.metered() {
			m := s.meters[r]
			if m == nil {
				m = &meter{updatedAt: s.updatedAt}
				s.meters[r] = m
			}
			m.follow(ent, now, s.updatedAt)
			if r.credit {
				e.fund(c, s, ent, now)
			}
		}
	}
	for _, w := range s.wallets {
		until(w.next(now))
	}
	if len(s.set) == 0 && !subscribed {
		s.denied = string(wire.EntitlementsStateAccessDeniedReasonNoActiveSubscription)
	}
}

// combine merges all sources of one feature or currency, subscriptions first. Periods count from the first source, so that
// they do not move while others come and go. Of the rest the most generous wins: unlimited before soft before hard, then
// the higher limit; values of an enum unite, and credits of a currency add up. It is nil when the catalog no longer has
// the feature.
func (ix *index) combine(r ref, grants []grant) *entitled {
	best := slices.MaxFunc(grants, func(a, b grant) int {
		return cmp.Or(
			compareBool(a.Unlimited, b.Unlimited),
			compareBool(a.SoftLimit, b.SoftLimit),
			cmp.Compare(deref(a.Limit), deref(b.Limit)),
		)
	})
	ent := &entitled{
		ref: r, limit: best.Limit, unlimited: best.Unlimited, soft: best.SoftLimit,
		reset: best.Reset, resetOn: best.ResetOn, rate: best.CreditRate,
		since: grants[0].anchor, anchor: best.ResetOn.anchor(grants[0].anchor),
	}
	if r.credit {
		ent.currency = ix.currencies[r.id]
		if ent.currency == nil {
			return nil
		}
		total := 0.0
		for _, g := range grants {
			total += deref(g.Limit)
		}
		ent.limit = new(total)
		return ent
	}
	ent.feature = ix.features[r.id]
	if ent.feature == nil {
		return nil
	}
	for _, g := range grants {
		for _, v := range g.Values {
			if !slices.Contains(ent.values, v) {
				ent.values = append(ent.values, v)
			}
		}
	}
	return ent
}

// chargeDenials denies the features that draw on an exhausted wallet, and the wallet itself.
func (e *Emulator) chargeDenials(s *scope) {
	const reason = string(wire.AccessDeniedReasonInsufficientCredits)
	for _, ent := range s.set {
		if ent.denied != "" && ent.denied != reason {
			continue
		}
		ent.denied = ""
		wallet := ent
		if !ent.ref.credit {
			if ent.rate == nil {
				continue
			}
			wallet = s.find(ref{id: ent.rate.Currency, credit: true})
		}
		if wallet == nil {
			ent.denied = reason
			continue
		}
		m := s.meters[wallet.ref]
		if wallet.soft || m.used.InexactFloat64() < deref(wallet.limit) {
			continue
		}
		ent.denied = reason
		if !m.end.IsZero() {
			// The wallet refills just after its period's end, and the set with it.
			refill := m.end.Add(time.Millisecond)
			if s.recalcAt.IsZero() || refill.Before(s.recalcAt) {
				s.recalcAt = refill
			}
		}
	}
}

// find returns the key's entitlement to a feature or currency, or nil.
func (s *scope) find(r ref) *entitled {
	i, found := slices.BinarySearchFunc(s.set, r, func(e *entitled, r ref) int { return compareRefs(e.ref, r) })
	if !found {
		return nil
	}
	return s.set[i]
}

// rollover restarts the meters of s whose period is over. A wallet that refills may lift a denial, which changes the set.
func (e *Emulator) rollover(c *customer, s *scope, now time.Time) {
	restarted, refilled := false, false
	for _, r := range slices.SortedFunc(maps.Keys(s.meters), compareRefs) {
		if m := s.meters[r]; m.over(now) {
			e.turn(s, r, now, e.state.stamp())
			restarted, refilled = true, refilled || r.credit
		}
	}
	if refilled && slices.ContainsFunc(s.set, func(ent *entitled) bool {
		return ent.denied == string(wire.AccessDeniedReasonInsufficientCredits)
	}) {
		e.recalculateScope(c, s)
	}
	if restarted {
		e.record(s)
	}
}

// look returns the key as a reader sees it now. A resource nobody has acted on is not remembered: its answer is the
// customer's own set, with nothing used and the customer's stamp.
func (e *Emulator) look(c *customer, resourceID string) *scope {
	e.settle(c)
	if s := c.scopes[resourceID]; s != nil {
		return s
	}
	s := &scope{resourceID: resourceID, meters: map[ref]*meter{}, updatedAt: c.scopes[""].updatedAt}
	e.fill(c, s, e.now())
	e.chargeDenials(s)
	e.state.stampSet(s, nil)
	return s
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}

func deref(f *float64) float64 {
	if f == nil {
		return 0
	}
	return *f
}
