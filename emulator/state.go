package emulator

import (
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// account is everything the emulator remembers about customers. Emulator.mu guards it all: a change, the stamps it draws
// and the events it emits are one step, so every subscriber sees changes in the order they were made.
type account struct {
	clock     *clock
	held      time.Time // set while something is made to happen that was due before the present
	index     *index
	customers map[string]*customer
	made      []*madeCoupon // by createOneCoupon, the oldest first
	checks    []EntitlementCheck
	reports   reportMemory
	events    eventQueue
	stamps    Stamps
	lastStamp time.Time
	lastID    uint64
}

type customer struct {
	id, name, email string
	billingID       string
	marketplaceID   string  // of AWS
	coupon          *Coupon // that its subscriptions get when they name none
	couponAt        time.Time
	paymentMethod   bool // left at a checkout
	metadata        any
	createdAt       time.Time
	updatedAt       time.Time
	archived        bool

	subs      []*subscription // oldest first, ended ones included
	promos    []*promotion
	checkouts []*checkout // open, oldest first
	overrides map[overrideKey]override
	recharges map[string]*recharge // by currency
	scopes    map[string]*scope    // by resource id; "" is the customer itself and always there
}

// live returns the subscriptions that grant something at now, oldest first.
func (c *customer) live(now time.Time) []*subscription {
	var list []*subscription
	for _, s := range c.subs {
		if s.active(now) {
			list = append(list, s)
		}
	}
	return list
}

// began reports whether the subscription is a trial that was not taken back before it began.
func (s *subscription) began() bool {
	return !s.trialEnd.IsZero() && (s.endAt.IsZero() || !s.endAt.Before(s.startAt))
}

// trialed reports whether the customer ever began a trial of the plan.
func (c *customer) trialed(planID string) bool {
	return slices.ContainsFunc(c.subs, func(s *subscription) bool { return s.planID == planID && s.began() })
}

// promotion is a grant outside any subscription.
type promotion struct {
	id          string
	entitlement Entitlement
	startedAt   time.Time
	endsAt      time.Time // zero: for life
	revoked     bool
	hidden      bool
	group       string // the feature group that it was granted with; empty: by itself
}

func (p *promotion) active(now time.Time) bool {
	return !p.revoked && (p.endsAt.IsZero() || now.Before(p.endsAt))
}

type overrideKey struct {
	resourceID string
	ref        ref
}

// override replaces whatever the customer's subscriptions and promotions say about one feature or currency.
type override struct {
	entitlement Entitlement
	denied      string // an AccessDeniedReason; empty: granted
	setAt       time.Time
}

// scope is what one key (customer, resource) has: the set as last calculated, and the usage that outlives it.
type scope struct {
	resourceID string
	set        []*entitled // in order of ref
	denied     string      // an EntitlementsStateAccessDeniedReason, or empty
	updatedAt  time.Time   // the stamp of the set
	recalcAt   time.Time   // when the set is no longer true by itself; zero: never
	meters     map[ref]*meter
	wallets    map[string]*wallet // by currency
	past       []State            // see record
}

// entitled is one entitlement of a set, all its sources combined.
type entitled struct {
	ref       ref
	feature   *Feature  // nil for a currency
	currency  *Currency // nil for a feature
	limit     *float64
	unlimited bool
	soft      bool
	values    []string
	reset     Period
	resetOn   ResetOn
	since     time.Time // start of the first source
	anchor    time.Time // what periods are counted from: since, moved by resetOn
	rate      *CreditRate
	denied    string // an AccessDeniedReason, or empty
	updatedAt time.Time
}

// metered reports whether the entitlement has usage.
func (e *entitled) metered() bool { return e.ref.credit || e.feature.Metered() }

// meter counts the usage of one feature or currency under one key.
type meter struct {
	used       decimal.Decimal
	reset      Period
	anchor     time.Time
	start, end time.Time // the current period; zero when usage never resets
	updatedAt  time.Time
	seen       map[string]bool // in this period, of a meter of unique values
	measured   []measurement   // in order of when it happened
}

// follow makes the meter count in the periods of e. Usage is kept, only a period's end clears it; but it is stamped, since
// the same usage of another period is news.
func (m *meter) follow(e *entitled, now, stamp time.Time) {
	if m.reset == e.reset && m.anchor.Equal(e.anchor) {
		return
	}
	m.reset, m.anchor, m.updatedAt = e.reset, e.anchor, stamp
	m.start, m.end = time.Time{}, time.Time{}
	if m.reset != "" {
		m.start, m.end = m.reset.around(m.anchor, now)
	}
}

// over reports whether the meter's period has ended. The end itself still belongs to the old period.
func (m *meter) over(now time.Time) bool { return !m.end.IsZero() && now.After(m.end) }

// next begins, when a period is over, the one that now belongs to. That is the one that ends now, if one does: nobody who looked more
// often would find it over.
func (m *meter) next(now, stamp time.Time) { m.restart(now.Add(-1), stamp) }

// restart begins the period that holds now, with nothing used.
func (m *meter) restart(now, stamp time.Time) {
	m.used, m.seen = decimal.Zero, nil
	m.updatedAt = stamp
	if m.reset != "" {
		m.start, m.end = m.reset.around(m.anchor, now)
	}
}
