package emulator

import (
	"slices"
	"time"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// subscription binds a customer, or one of its resources, to a plan.
type subscription struct {
	id, planID, productID string
	resourceID            string // "" is the customer itself
	index                 *index // the catalog the plan is taken from; see UpdateCatalog
	addons                []addonCount
	custom                []Entitlement      // replace the plan's by feature
	quantities            map[string]float64 // billed features: the limit is what was bought
	period                Period             // of billing: Month or Year
	metadata              any

	createdAt time.Time
	startAt   time.Time
	anchor    time.Time // periods count from here; survives a change of plan
	trialEnd  time.Time // zero: no trial
	convert   bool      // stay after the trial
	endAt     time.Time // zero: open ended
	cancelled bool      // ended, or will end, because somebody said so
}

type addonCount struct {
	id       string
	quantity float64
}

// status is the subscription's state at now.
func (s *subscription) status(now time.Time) wire.SubscriptionStatus {
	switch {
	case !s.endAt.IsZero() && !now.Before(s.endAt):
		if s.cancelled {
			return wire.SubscriptionStatusCanceled
		}
		return wire.SubscriptionStatusExpired
	case now.Before(s.startAt):
		return wire.SubscriptionStatusNotStarted
	case now.Before(s.trialEnd):
		return wire.SubscriptionStatusInTrial
	case !s.trialEnd.IsZero() && !s.convert:
		return wire.SubscriptionStatusExpired
	default:
		return wire.SubscriptionStatusActive
	}
}

// active reports whether the subscription grants its entitlements at now.
func (s *subscription) active(now time.Time) bool {
	st := s.status(now)
	return st == wire.SubscriptionStatusActive || st == wire.SubscriptionStatusInTrial
}

// grants lists what the subscription offers: its plan, replaced by custom entitlements, plus its add-ons.
func (s *subscription) grants() []grant {
	list := make([]grant, 0, 16)
	for _, e := range s.index.granted[s.planID] {
		list = append(list, grant{e, s.anchor})
	}
	for _, e := range s.custom {
		list = slices.DeleteFunc(list, func(g grant) bool { return g.ref() == e.ref() })
		list = append(list, grant{e, s.anchor})
	}
	for i := range list {
		if q, ok := s.quantities[list[i].Feature]; ok && list[i].Feature != "" {
			list[i].Limit = new(q)
		}
	}
	for _, a := range s.addons {
		addon := s.index.addons[a.id]
		if addon == nil {
			continue
		}
		for _, e := range addon.Entitlements {
			list = addGrant(list, e, a.quantity, s.anchor)
		}
	}
	return list
}

// addGrant puts an add-on's entitlement on top of what is already granted.
func addGrant(list []grant, e Entitlement, quantity float64, anchor time.Time) []grant {
	if e.Limit != nil {
		e.Limit = new(*e.Limit * quantity)
	}
	i := slices.IndexFunc(list, func(g grant) bool { return g.ref() == e.ref() })
	if i < 0 {
		return append(list, grant{e, anchor})
	}
	g := &list[i]
	if e.Limit != nil {
		g.Limit = new(deref(g.Limit) + *e.Limit)
	}
	g.Unlimited = g.Unlimited || e.Unlimited
	g.SoftLimit = g.SoftLimit || e.SoftLimit
	g.Values = append(slices.Clone(g.Values), e.Values...)
	return list
}

// order is a request for a subscription, from whichever mutation.
type order struct {
	id, planID, resourceID string
	addons                 []addonCount
	custom                 []Entitlement
	quantities             map[string]float64
	period                 Period // of billing: Month or Year; empty: as before, else Month
	metadata               any
	startAt                time.Time // zero: now
	endAt                  time.Time // zero: open ended
	atPeriodEnd            bool      // start when the present billing period ends
	resetAnchor            bool      // periods start over
	skipTrial              bool
	trial                  *bool // overrides the plan
	trialEnd               time.Time
	trialConvert           *bool
}

// subscribe gives c what o asks for. Another subscription to a plan of the same product under the same resource ends when
// the new one starts, and hands over the day its periods are counted from.
func (e *Emulator) subscribe(c *customer, o order) (*subscription, error) {
	ix := e.state.index
	plan := ix.plans[o.planID]
	if plan == nil {
		return nil, errorf(codePlanNotFound, "there is no plan %q", o.planID)
	}
	if err := ix.checkAddons(o.addons, plan.Product); err != nil {
		return nil, err
	}
	for _, ent := range o.custom {
		if err := ix.check(ent); err != nil {
			return nil, err
		}
	}
	if o.id == "" {
		o.id = e.state.newID("subscription")
	} else if s := c.subscription(o.id); s != nil {
		return nil, errorf("DuplicatedEntityNotAllowed", "subscription %q already exists", o.id)
	}

	now := e.instant()
	s := &subscription{
		id: o.id, planID: plan.ID, productID: plan.Product, resourceID: o.resourceID, index: ix,
		addons: o.addons, custom: o.custom, quantities: o.quantities, metadata: o.metadata,
		createdAt: now, startAt: now, endAt: o.endAt, period: o.period,
	}
	if s.period == "" {
		s.period = Month
	}
	if !o.startAt.IsZero() {
		s.startAt = o.startAt
	}
	var replaced []*subscription
	for _, old := range c.subs {
		if old.productID == s.productID && old.resourceID == s.resourceID && (old.endAt.IsZero() || old.endAt.After(s.startAt)) {
			replaced = append(replaced, old)
		}
	}
	if o.atPeriodEnd && len(replaced) > 0 {
		old := replaced[len(replaced)-1]
		_, s.startAt = old.period.around(old.anchor, now)
	}
	s.anchor = s.startAt
	for _, old := range replaced {
		if old.active(now) && !o.resetAnchor {
			s.anchor = old.anchor
		}
		old.endAt, old.cancelled = s.startAt, true
	}
	e.startTrial(c, s, plan, o)

	c.subs = append(c.subs, s)
	c.forgetEnded(now)
	c.updatedAt = e.state.stamp()
	c.scope(s.resourceID)
	if o.resetAnchor {
		for _, m := range c.scope(s.resourceID).meters {
			if m.reset != "" {
				m.anchor = s.anchor
				m.restart(now, c.updatedAt)
			}
		}
	}
	if s.resourceID != "" && c.scopes[""].updatedAt.IsZero() { // made just now: the customer itself has a set too, empty
		e.recalculateScope(c, c.scopes[""])
	}
	e.recalculateFor(c, s.resourceID)
	return s, nil
}

// checkAddons refuses add-ons that do not exist or belong to another product.
func (ix *index) checkAddons(addons []addonCount, productID string) error {
	for _, a := range addons {
		if addon := ix.addons[a.id]; addon == nil {
			return errorf("AddonNotFound", "there is no add-on %q", a.id)
		} else if addon.Product != productID {
			return errorf("AddonIsCompatibleWithPlan", "add-on %q is not of product %q", a.id, productID)
		}
	}
	return nil
}

// startTrial decides whether s begins as a trial: by the plan, once per customer, unless the order says otherwise.
func (e *Emulator) startTrial(c *customer, s *subscription, plan *Plan, o order) {
	trial := plan.Trial != nil && !o.skipTrial && !c.trialed(plan.ID)
	if o.trial != nil {
		trial = *o.trial
	}
	if !trial {
		return
	}
	s.trialEnd = o.trialEnd
	if plan.Trial != nil {
		s.convert = plan.Trial.Convert
		if s.trialEnd.IsZero() {
			s.trialEnd = s.startAt.AddDate(0, 0, plan.Trial.Days)
		}
	}
	if s.trialEnd.IsZero() {
		s.trialEnd = s.startAt.AddDate(0, 0, 14) // a trial asked for, of a plan that names no length
	}
	if o.trialConvert != nil {
		s.convert = *o.trialConvert
	}
}

// downgradeEnded provisions the product's downgrade plan for each subscription whose trial ended unconverted.
func (e *Emulator) downgradeEnded(c *customer, now time.Time) {
	for _, s := range slices.Clone(c.subs) {
		if s.trialEnd.IsZero() || s.convert || !s.endAt.IsZero() || now.Before(s.trialEnd) {
			continue
		}
		s.endAt = s.trialEnd
		if p := e.state.index.products[s.productID]; p != nil && p.DowngradePlan != "" && p.DowngradePlan != s.planID && !c.archived {
			c.subs = append(c.subs, &subscription{
				id: e.state.newID("subscription"), planID: p.DowngradePlan, productID: p.ID, resourceID: s.resourceID,
				index: e.state.index, createdAt: now, startAt: s.trialEnd, anchor: s.anchor, period: s.period,
			})
		}
	}
}

// endedSubscriptions is how many ended subscriptions of a customer are remembered besides its trials, which count for
// ever. A load test that changes plans all day stays as quick as it began.
const endedSubscriptions = 100

// forgetEnded drops the oldest subscriptions that have ended and were no trial.
func (c *customer) forgetEnded(now time.Time) {
	excess := len(c.subs) - endedSubscriptions
	if excess <= 0 {
		return
	}
	c.subs = slices.DeleteFunc(c.subs, func(s *subscription) bool {
		gone := excess > 0 && s.trialEnd.IsZero() && !s.endAt.IsZero() && s.endAt.Before(now)
		if gone {
			excess--
		}
		return gone
	})
}

// subscription returns the customer's subscription of that id, or nil.
func (c *customer) subscription(id string) *subscription {
	i := slices.IndexFunc(c.subs, func(s *subscription) bool { return s.id == id })
	if i < 0 {
		return nil
	}
	return c.subs[i]
}
