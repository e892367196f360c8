package emulator

import (
	"strings"
	"time"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// order is a request for a subscription, from whichever mutation.
type order struct {
	id, planID, resourceID string
	addons                 []addonCount
	custom                 []Entitlement
	quantities             map[string]float64
	period                 Period // of billing: Month or Year; empty: that of the plan's first price
	priceOverrides         []wire.PriceOverrideInput
	minimumSpend           *Amount
	coupon                 *Coupon
	metadata               any
	startAt                time.Time // zero: now
	endAt                  time.Time // zero: open ended
	strategy               wire.ScheduleStrategy
	resetAnchor            bool // periods start over
	skipTrial              bool
	country                string // of billing; empty: not known
	billingID              string
	payer                  string                       // the id of the customer that pays; empty: who orders
	collection             wire.PaymentCollectionMethod // empty: CHARGE
	trial                  *bool                        // overrides the plan
	trialEnd               time.Time
	trialConvert           *bool
}

// prepare works out the subscription that o makes of a customer, and which of its others that one ends. It changes nothing,
// so that whoever asks for more than a subscription can make sure of it first. It has no id yet when o names none.
func (e *Emulator) prepare(c *customer, o order) (s *subscription, replaced []*subscription, err error) {
	ix := e.state.index
	plan := ix.plans[o.planID]
	if plan == nil {
		return nil, nil, errorf(codePlanNotFound, "there is no plan %q", o.planID)
	}
	if err := ix.checkParts(plan.Product, o.addons, o.custom, o.quantities); err != nil {
		return nil, nil, err
	}
	if err := checkMinimum(o.minimumSpend); err != nil {
		return nil, nil, err
	}
	if o.id != "" {
		if _, taken := e.state.subscription(o.id); taken != nil {
			return nil, nil, errorf("DuplicatedEntityNotAllowed", "subscription %q already exists", o.id)
		}
	}
	now := e.instant()
	s = &subscription{
		id: o.id, planID: plan.ID, productID: plan.Product, resourceID: o.resourceID, index: ix,
		addons: o.addons, custom: o.custom, quantities: o.quantities, metadata: o.metadata,
		priceOverrides: o.priceOverrides, minimumSpend: o.minimumSpend, coupon: o.coupon, country: o.country, billingID: o.billingID,
		collection: o.collection, createdAt: now, startAt: now, endAt: o.endAt, period: o.period,
		cancelled: !o.endAt.IsZero(), follow: !o.endAt.IsZero(),
	}
	if s.period == "" {
		s.period = plan.defaultPeriod()
	}
	if !o.startAt.IsZero() {
		s.startAt = o.startAt
	}
	if old := c.running(s, now); old != nil && o.strategy != "" && o.strategy != wire.ScheduleStrategyImmediate {
		s.startAt = old.scheduleFor(o.strategy, now)
	}
	if !s.endAt.IsZero() && !s.endAt.After(s.startAt) {
		return nil, nil, errorf(codeInvalidCancellationDate, "the subscription would end before it starts")
	}
	e.startTrial(c, s, plan, o)
	s.anchor, s.billed, s.couponAt = s.startAt, s.startAt, s.startAt
	if err := e.paidBy(c, s, o.payer); err != nil {
		return nil, nil, err
	}
	for _, old := range c.subs {
		if !s.replaces(old) {
			continue
		}
		replaced = append(replaced, old)
		if old.active(now) && !o.resetAnchor {
			s.anchor = old.anchor
			if !old.free() && !old.trialAt(now) && old.period == s.period {
				s.billed = old.billedFrom()
			}
		}
	}
	return s, replaced, nil
}

// replaces reports whether old ends when s starts. A trial of another plan runs beside what is paid for.
func (s *subscription) replaces(old *subscription) bool {
	return old.sibling(s) && !old.endedBy(s.startAt) && (old.trialAt(s.startAt) == !s.trialEnd.IsZero() || old.planID == s.planID)
}

// running returns the subscription in force that one like s is about: not a trial, if there is one.
func (c *customer) running(s *subscription, now time.Time) *subscription {
	var found *subscription
	for _, o := range c.live(now) {
		if o.sibling(s) && (found == nil || found.trialAt(now)) {
			found = o
		}
	}
	return found
}

// subscribe gives c what o asks for. A subscription of the same product, of the same resource, ends when the new one starts and
// hands over the day its periods are counted from; a trial and what is not one end each other only when of the same plan.
func (e *Emulator) subscribe(c *customer, o order) (*subscription, error) {
	s, replaced, err := e.prepare(c, o)
	if err != nil {
		return nil, err
	}
	if s.id == "" {
		s.id = e.state.newID("subscription")
	}
	now := e.instant()
	for _, old := range replaced {
		if old.status(now) == wire.SubscriptionStatusNotStarted && !s.startAt.After(old.startAt) {
			c.undo(old, now) // what was to start later never does
		} else {
			old.yield(s, now)
		}
	}
	c.subs = append(c.subs, s)
	e.pass(c, now) // what was back-dated may be over
	c.forgetEnded(now)
	c.updatedAt = e.state.stamp()
	c.scope(s.resourceID)
	if o.resetAnchor {
		e.restartPeriods(c, s, now)
	}
	if s.resourceID != "" && c.scopes[""].updatedAt.IsZero() { // made just now: the customer itself has a set too, empty
		e.recalculateScope(c, c.scopes[""])
	}
	e.recalculateFor(c, s.resourceID)
	return s, nil
}

// yield ends the subscription when the one that replaces it starts.
func (s *subscription) yield(to *subscription, now time.Time) {
	if s.successor == "" {
		s.before = ending{s.endAt, s.cancelled, s.follow}
	}
	s.endAt, s.cancelled, s.follow, s.successor = to.startAt, true, false, ""
	if to.startAt.After(now) {
		s.successor = to.id
	}
}

// restartPeriods makes the periods of what s grants start over now, of its resource or, when it is the customer's, of all.
func (e *Emulator) restartPeriods(c *customer, s *subscription, now time.Time) {
	granted := s.grants()
	for id, sc := range c.scopes {
		if s.resourceID != "" && s.resourceID != id {
			continue
		}
		for _, g := range granted {
			if m := sc.meters[g.ref()]; m != nil && m.reset != "" {
				m.anchor = s.anchor
				m.restart(now, c.updatedAt)
			}
		}
	}
}

// checkParts refuses what a subscription to a plan of the product cannot have.
func (ix *index) checkParts(productID string, addons []addonCount, custom []Entitlement, quantities map[string]float64) error {
	seen := map[string]bool{}
	for _, a := range addons {
		if addon := ix.addons[a.id]; addon == nil {
			return errorf("AddonNotFound", "there is no add-on %q", a.id)
		} else if addon.Product != productID {
			return errorf("IncompatibleSubscriptionAddon", "add-on %q is not of product %q", a.id, productID)
		} else if seen[a.id] {
			return errorf("DuplicateAddonProvisionedError", "add-on %q is given twice: give it a quantity", a.id)
		} else if a.quantity < 1 {
			return errorf("InvalidQuantity", "%v of add-on %q: give at least one", a.quantity, a.id)
		}
		seen[a.id] = true
	}
	for id, q := range quantities {
		if ix.feature(id) == nil {
			return errorf(codeFeatureNotFound, "there is no feature %q", id)
		} else if q < 0 {
			return errorf("InvalidQuantity", "%v of feature %q", q, id)
		}
	}
	for _, ent := range custom {
		if err := ix.check(ent); err != nil {
			return err
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

// paymentMissing reports whether s has to be paid for and nobody can be charged.
func (e *Emulator) paymentMissing(c *customer, s *subscription, o order) bool {
	return s.index.catalog.Billing != nil && strings.EqualFold(s.index.plans[s.planID].Pricing, "paid") &&
		s.trialEnd.IsZero() && o.charged() && !e.payer(c, s).paymentMethod
}

func errPaymentMissing(payer *customer, planID string) error {
	return errorf("PaymentMethodNotFoundError", "customer %q has no payment method, and plan %q is paid for", payer.id, planID)
}
