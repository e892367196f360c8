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
	priceOverrides        []wire.PriceOverrideInput
	minimumSpend          *Amount // of a period; nil: the plan's. Without a currency it is in that of the prices
	coupon                *Coupon // nil: none
	country               string  // of billing: chooses among prices
	billingID             string
	collection            wire.PaymentCollectionMethod // empty: nothing was said
	metadata              any
	payer                 string // the id of the customer that pays for it; empty: whose it is

	createdAt time.Time
	startAt   time.Time
	anchor    time.Time // periods count from here; survives a change of plan
	billed    time.Time // those that are paid for count from here; zero: from anchor
	couponAt  time.Time // when coupon was applied
	trialEnd  time.Time // zero: no trial
	convert   bool      // stay after the trial
	endAt     time.Time // zero: open ended
	cancelled bool      // ended, or will end, because somebody said so
	follow    bool      // the product's downgrade plan begins when it ends

	changes   []change // scheduled, in order of their instants
	successor string   // the id of the subscription, not begun yet, whose start ends this one
	before    ending   // how it would have ended without its successor
}

// ending is how a subscription ends.
type ending struct {
	at                time.Time
	cancelled, follow bool
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

// trialAt reports whether the subscription is, or begins as, a trial at t.
func (s *subscription) trialAt(t time.Time) bool {
	if t.Before(s.startAt) {
		t = s.startAt
	}
	return t.Before(s.trialEnd)
}

// endedBy reports whether the subscription is known to be over at t.
func (s *subscription) endedBy(t time.Time) bool {
	return !s.endAt.IsZero() && !s.endAt.After(t) || !s.trialEnd.IsZero() && !s.convert && !s.trialEnd.After(t)
}

// sibling reports whether the two are of one product, of the same customer or resource.
func (s *subscription) sibling(o *subscription) bool {
	return s.productID == o.productID && s.resourceID == o.resourceID
}

// billing is the period that is paid for at now: that of a trial is the trial.
func (s *subscription) billing(p Period, now time.Time) (start, end time.Time) {
	switch {
	case now.Before(s.startAt):
		now = s.startAt
	case !s.endAt.IsZero() && !now.Before(s.endAt):
		now = s.endAt.Add(-time.Millisecond)
	}
	if s.trialAt(now) {
		return s.startAt, s.trialEnd
	}
	return p.around(s.billedFrom(), now)
}

// billedFrom is what the periods that are paid for count from. Who leaves a free plan, or goes from months to years, begins a new one.
func (s *subscription) billedFrom() time.Time {
	if s.billed.IsZero() {
		return s.anchor
	}
	return s.billed
}

func (s *subscription) free() bool { return s.index.plans[s.planID].Pricing == "free" }

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
