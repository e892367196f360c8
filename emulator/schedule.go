package emulator

import (
	"maps"
	"slices"
	"time"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// change is what an update says of a subscription, now or at an instant to come. What is nil or empty stays as it is.
type change struct {
	at             time.Time
	addons         *[]addonCount
	quantities     *map[string]float64
	period         Period
	custom         []Entitlement // each replaces the custom entitlement of its feature
	priceOverrides *[]wire.PriceOverrideInput
	minimumSpend   **Amount
	coupon         **Coupon
	metadata       *any
	latest         bool // take the plan as it is published then
}

func (ch *change) empty() bool {
	return ch.addons == nil && ch.quantities == nil && ch.period == "" && len(ch.custom) == 0 &&
		ch.priceOverrides == nil && ch.minimumSpend == nil && ch.coupon == nil && ch.metadata == nil && !ch.latest
}

// change makes ch true of s.
func (e *Emulator) change(s *subscription, ch change) {
	if ch.addons != nil {
		s.addons = *ch.addons
	}
	if ch.quantities != nil {
		s.quantities = *ch.quantities
	}
	if ch.period != "" && ch.period != s.period {
		s.period, s.billed = ch.period, e.instant()
	}
	for _, ent := range ch.custom {
		s.custom = slices.DeleteFunc(slices.Clone(s.custom), func(old Entitlement) bool { return old.ref() == ent.ref() })
		s.custom = append(s.custom, ent)
	}
	if ch.priceOverrides != nil {
		s.priceOverrides = *ch.priceOverrides
	}
	if ch.minimumSpend != nil {
		s.minimumSpend = *ch.minimumSpend
	}
	if ch.coupon != nil {
		s.coupon, s.couponAt = *ch.coupon, e.instant()
	}
	if ch.metadata != nil {
		s.metadata = *ch.metadata
	}
	if ch.latest && e.state.index.plans[s.planID] != nil {
		s.index = e.state.index
	}
}

// schedule keeps ch for its instant. Of what was scheduled before, it takes the place of what it says anew.
func (s *subscription) schedule(ch change) {
	for i := range s.changes {
		old := &s.changes[i]
		if ch.addons != nil {
			old.addons = nil
		}
		if ch.quantities != nil {
			old.quantities = nil
		}
		if ch.period != "" {
			old.period = ""
		}
		if ch.priceOverrides != nil {
			old.priceOverrides = nil
		}
		if ch.minimumSpend != nil {
			old.minimumSpend = nil
		}
		if ch.coupon != nil {
			old.coupon = nil
		}
		if ch.metadata != nil {
			old.metadata = nil
		}
		old.latest = old.latest && !ch.latest
	}
	s.changes = append(slices.DeleteFunc(s.changes, func(old change) bool { return old.empty() }), ch)
	slices.SortStableFunc(s.changes, func(a, b change) int { return a.at.Compare(b.at) })
}

// scheduleFor is when a strategy lets a change take effect.
func (s *subscription) scheduleFor(strategy wire.ScheduleStrategy, now time.Time) time.Time {
	switch strategy {
	case wire.ScheduleStrategyEndOfBillingPeriod:
		_, end := s.billing(s.period, now)
		return end
	case wire.ScheduleStrategyEndOfBillingMonth:
		_, end := s.billing(Month, now)
		return end
	}
	return now
}

// dropSchedule forgets the scheduled changes of s, and the subscriptions that were to take its place.
func (c *customer) dropSchedule(s *subscription, now time.Time) {
	s.changes = nil
	for s.successor != "" {
		c.undo(c.subscription(s.successor), now)
	}
}

// undo takes back a subscription that has not begun: what was to end at its start goes on, or until the start of the one after it.
func (c *customer) undo(next *subscription, now time.Time) {
	after := c.subscription(next.successor)
	next.endAt, next.cancelled, next.follow, next.successor = now, true, false, ""
	next.changes = nil
	for _, s := range c.subs {
		if s.successor == next.id {
			s.successor = ""
			s.endAt, s.cancelled, s.follow = s.before.at, s.before.cancelled, s.before.follow
			if after != nil && after.replaces(s) {
				s.yield(after, now)
			}
		}
	}
}

// scheduled is one entry of what the API lists as scheduled for a subscription.
type scheduled struct {
	at        time.Time
	kind      wire.SubscriptionScheduleType
	variables any // a member of the union ScheduleVariables, or nil
	target    *wire.PackageDto
}

// scheduledOf lists what is scheduled for s: an entry for each add-on, feature and setting that changes, and one for another plan.
func (e *Emulator) scheduledOf(c *customer, s *subscription, now time.Time) []scheduled {
	list := []scheduled{}
	plan := packageOfPlan(s.index.plans[s.planID])
	for _, ch := range s.changes {
		add := func(kind wire.SubscriptionScheduleType, variables any, target *wire.PackageDto) {
			list = append(list, scheduled{ch.at, kind, variables, target})
		}
		if ch.addons != nil {
			quantities := map[string]float64{}
			for _, a := range s.addons {
				quantities[a.id] = 0 // removed, unless named below
			}
			for _, a := range *ch.addons {
				quantities[a.id] = a.quantity
			}
			for _, id := range slices.Sorted(maps.Keys(quantities)) {
				add(wire.SubscriptionScheduleTypeAddon, &wire.AddonChangeVariables{AddonRefID: id, NewQuantity: quantities[id]}, packageOfAddon(s.index.addons[id]))
			}
		}
		if ch.quantities != nil {
			for _, id := range slices.Sorted(maps.Keys(*ch.quantities)) {
				q := (*ch.quantities)[id]
				add(wire.SubscriptionScheduleTypeUnitAmount, &wire.UnitAmountChangeVariables{FeatureID: &id, NewUnitAmount: &q}, plan)
			}
		}
		if ch.period != "" {
			add(wire.SubscriptionScheduleTypeBillingPeriod, &wire.BillingPeriodChangeVariables{BillingPeriod: billingPeriod(ch.period)}, plan)
		}
		if ch.priceOverrides != nil {
			for _, p := range *ch.priceOverrides {
				if id := p.AddonID.Or(""); id != "" {
					add(wire.SubscriptionScheduleTypePriceOverride, &wire.AddonPriceOverrideChangeVariables{AddonRefID: id, FeatureID: p.FeatureID.Value}, packageOfAddon(s.index.addons[id]))
				} else {
					add(wire.SubscriptionScheduleTypePriceOverride, &wire.PlanPriceOverrideChangeVariables{PlanRefID: s.planID, FeatureID: p.FeatureID.Value}, plan)
				}
			}
		}
		if ch.minimumSpend != nil { // the schema has no kind for it
			add(wire.SubscriptionScheduleTypePriceOverride, &wire.PlanPriceOverrideChangeVariables{PlanRefID: s.planID}, plan)
		}
		if ch.coupon != nil {
			add(wire.SubscriptionScheduleTypeCoupon, nil, plan)
		}
		if ch.metadata != nil {
			add(wire.SubscriptionScheduleTypeAdditionalMetaData, nil, plan)
		}
		if ch.latest {
			add(wire.SubscriptionScheduleTypeMigrateToLatest, nil, plan)
		}
	}
	if next := c.subscription(s.successor); s.successor != "" && next != nil && next.status(now) == wire.SubscriptionStatusNotStarted {
		list = append(list, planChange(s, next))
	}
	slices.SortStableFunc(list, func(a, b scheduled) int { return a.at.Compare(b.at) })
	return list
}

// planChange tells that next takes the place of s. Going from a plan that inherits to one it inherits from, or from what costs
// to what is free, is a downgrade.
func planChange(s, next *subscription) scheduled {
	var addons []*wire.PlanChangeAddon
	for _, a := range next.addons {
		addons = append(addons, &wire.PlanChangeAddon{AddonRefID: a.id, Quantity: a.quantity})
	}
	var quantities []*wire.BillableFeature
	for _, id := range slices.Sorted(maps.Keys(next.quantities)) {
		quantities = append(quantities, &wire.BillableFeature{FeatureID: id, Quantity: next.quantities[id]})
	}
	var prices []*wire.PriceOverrideChangeVariables
	for _, p := range next.priceOverrides {
		prices = append(prices, &wire.PriceOverrideChangeVariables{AddonRefID: p.AddonID.Value, FeatureID: p.FeatureID.Value, PlanRefID: &next.planID})
	}
	entry := scheduled{at: next.startAt, target: packageOfPlan(next.index.plans[next.planID])}
	if s.index.descends(s.planID, next.planID) || s.index.plans[s.planID].Pricing != "free" && next.index.plans[next.planID].Pricing == "free" {
		entry.kind = wire.SubscriptionScheduleTypeDowngrade
		entry.variables = &wire.DowngradeChangeVariables{
			DowngradePlanRefID: next.planID, Addons: &addons, BillableFeatures: &quantities, PriceOverrides: &prices,
			BillingPeriod: billingPeriod(next.period),
		}
		return entry
	}
	kind := wire.PlanChangeTypeUpgrade
	if s.planID == next.planID {
		kind = wire.PlanChangeTypeNone
	}
	entry.kind = wire.SubscriptionScheduleTypePlan
	entry.variables = &wire.PlanChangeVariables{
		PlanRefID: next.planID, ChangeType: kind, Addons: &addons, BillableFeatures: &quantities, PriceOverrides: &prices,
		BillingPeriod: billingPeriod(next.period),
	}
	return entry
}

// descends reports whether a plan inherits from another, however far.
func (ix *index) descends(planID, fromID string) bool {
	for p := ix.plans[planID]; p != nil && p.Parent != ""; p = ix.plans[p.Parent] {
		if p.Parent == fromID {
			return true
		}
	}
	return false
}

func (sc scheduled) update() *wire.SubscriptionScheduledUpdate {
	w := &wire.SubscriptionScheduledUpdate{
		ScheduleStatus: wire.SubscriptionScheduleStatusScheduled, ScheduledExecutionTime: wire.NewDateTime(sc.at).String(),
		SubscriptionScheduleType: sc.kind, TargetPackage: sc.target,
	}
	if sc.variables != nil {
		w.ScheduleVariables = &wire.ScheduleVariables{Value: sc.variables}
	}
	return w
}

func packageOfPlan(p *Plan) *wire.PackageDto {
	return &wire.PackageDto{ID: wire.ID(p.ID), RefID: p.ID, DisplayName: p.Name, PricingType: p.pricingType()}
}

func packageOfAddon(a *Addon) *wire.PackageDto {
	if a == nil {
		return nil
	}
	return &wire.PackageDto{ID: wire.ID(a.ID), RefID: a.ID, DisplayName: a.Name, PricingType: a.pricingType()}
}

func billingPeriod(p Period) *wire.BillingPeriod {
	if p == Year {
		return new(wire.BillingPeriodAnnually)
	}
	return new(wire.BillingPeriodMonthly)
}
