package emulator

import (
	"context"
	"math"
	"time"

	"github.com/shopspring/decimal"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// recharge has credits bought when a customer's own wallet of a currency runs low.
type recharge struct {
	id        string
	enabled   bool
	kind      wire.ThresholdType
	threshold decimal.Decimal // of what kind says
	target    decimal.Decimal
	limit     *decimal.Decimal // what may be spent in a calendar month; nil: no limit
	lasts     wire.GrantExpirationPeriod
	createdAt time.Time // zero: never saved
	updatedAt time.Time
	month     time.Time       // the calendar month that
	spent     decimal.Decimal // was spent in
}

// newRecharge is what a wallet has for which nothing was saved.
func newRecharge() *recharge {
	return &recharge{kind: wire.ThresholdTypeCreditAmount, lasts: wire.GrantExpirationPeriodOneYear}
}

// floor is the balance below which credits are bought.
func (r *recharge) floor(cur *Currency) decimal.Decimal {
	switch {
	case r.kind != wire.ThresholdTypeDollarAmount:
		return r.threshold
	case !cur.price().IsPositive(): // another catalog
		return decimal.Zero
	}
	return r.threshold.Div(cur.price())
}

func (r *recharge) spentIn(now time.Time) decimal.Decimal {
	if month := Calendar.anchor(now); month.Equal(r.month) {
		return r.spent
	}
	return decimal.Zero
}

// price is what a credit costs that is bought automatically.
func (c *Currency) price() decimal.Decimal {
	if c.Price == nil {
		return decimal.Zero
	}
	return c.Price.Decimal
}

// rechargeable reports whether the wallet is so low that credits are to be bought for it, and can be.
func (e *Emulator) rechargeable(c *customer, s *scope, currency string) bool {
	r, cur := c.recharges[currency], e.state.index.currencies[currency]
	if r == nil || !r.enabled || s.resourceID != "" || cur == nil || e.accountOf(c, s) == nil {
		return false
	}
	balance := s.wallet(currency).balance()
	if !balance.LessThan(r.floor(cur)) || !r.target.GreaterThan(balance) || e.unpayable(c, cur.price()) {
		return false
	}
	cost := r.target.Sub(balance).Mul(cur.price())
	return r.limit == nil || !r.spentIn(e.now()).Add(cost).GreaterThan(*r.limit)
}

// unpayable reports whether an amount cannot be charged: there is a billing integration, and the customer left no payment method.
func (e *Emulator) unpayable(c *customer, amount decimal.Decimal) bool {
	return e.state.index.catalog.Billing != nil && !c.paymentMethod && amount.IsPositive()
}

// recharge buys what a wallet lacks, if it is low.
func (e *Emulator) recharge(c *customer, s *scope, cur *Currency, now time.Time) {
	if !e.rechargeable(c, s, cur.ID) {
		return
	}
	r, w := c.recharges[cur.ID], s.wallet(cur.ID)
	g := &creditGrant{
		id: newGrantID(&e.state), name: "Automatic recharge", kind: wire.CreditGrantTypePaid, amount: r.target.Sub(w.balance()),
		cost: cur.price(), costIn: "USD", recharge: r.id, createdAt: now, updatedAt: now, effectiveAt: now, expireAt: addMonths(now.UTC(), 12),
	}
	if r.lasts == wire.GrantExpirationPeriodOneMonth {
		g.expireAt = addMonths(now.UTC(), 1)
	}
	if g.cost.IsPositive() {
		g.invoice, g.paid, g.due = e.state.newID("invoice"), true, now
	}
	r.spent, r.month = r.spentIn(now).Add(g.amount.Mul(g.cost)), Calendar.anchor(now)
	w.grants = append(w.grants, g)
	w.begin(&e.state, g, now)
	w.news = true
}

// GetAutoRechargeSettings answers when and how far a wallet is recharged. One for which nothing was saved never is.
func (*query) GetAutoRechargeSettings(ctx context.Context, args wire.QueryGetAutoRechargeSettingsArgs) (*wire.AutoRechargeSettingsDTO, error) {
	q := of(ctx)
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	c, err := q.e.ofCurrency(args.Input.CustomerID, args.Input.CurrencyID)
	if err != nil {
		return nil, err
	}
	q.e.settle(c)
	r := c.recharges[args.Input.CurrencyID]
	if r == nil {
		r = newRecharge()
	}
	return q.e.rechargeOf(c, args.Input.CurrencyID, r), nil
}

// SaveAutoRechargeSettings changes what is given of the settings, and recharges a wallet that is low by them.
func (*mutation) SaveAutoRechargeSettings(ctx context.Context, args wire.MutationSaveAutoRechargeSettingsArgs) (*wire.AutoRechargeSettingsDTO, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	in := args.Input
	c, err := m.e.ofCurrency(in.CustomerID, in.CurrencyID)
	if err != nil {
		return nil, err
	}
	m.e.settle(c)
	next := newRecharge()
	if r := c.recharges[in.CurrencyID]; r != nil {
		next = new(*r)
	}
	next.enabled = in.IsEnabled
	next.kind, next.lasts = in.ThresholdType.Or(next.kind), in.GrantExpirationPeriod.Or(next.lasts)
	for field, x := range map[string]struct {
		in wire.Opt[float64]
		to *decimal.Decimal
	}{"thresholdValue": {in.ThresholdValue, &next.threshold}, "targetBalance": {in.TargetBalance, &next.target}} {
		if v := x.in.Value; v != nil {
			if !(*v >= 0) || *v > maxUnits {
				return nil, errorf(codeBadUserInput, "%s is %v: give zero or more, and %g at most", field, *v, maxUnits)
			}
			*x.to = decimal.NewFromFloat(*v)
		}
	}
	if in.MaxSpendLimit.Set {
		next.limit = nil
		if v := in.MaxSpendLimit.Value; v != nil {
			if !(*v >= 0) || math.IsInf(*v, 0) {
				return nil, errorf(codeBadUserInput, "maxSpendLimit is %v: give zero or more", *v)
			}
			next.limit = new(decimal.NewFromFloat(*v))
		}
	}
	cur := m.e.state.index.currencies[in.CurrencyID]
	if next.kind == wire.ThresholdTypeDollarAmount && !cur.price().IsPositive() {
		return nil, errorf(codeBadUserInput, "currency %q has no price: give a threshold in credits, or the catalog a price", cur.ID)
	}
	if next.enabled && !next.target.GreaterThan(next.floor(cur)) {
		return nil, errorf(codeBadUserInput, "targetBalance is %v: give more than the threshold, %v", next.target, next.floor(cur))
	}
	next.updatedAt = m.e.instant()
	if next.createdAt.IsZero() {
		next.id, next.createdAt = m.e.state.newID("automatic-recharge"), next.updatedAt
	}
	if c.recharges == nil {
		c.recharges = map[string]*recharge{}
	}
	c.recharges[cur.ID] = next
	if m.e.rechargeable(c, c.scopes[""], cur.ID) {
		m.e.recalculateScope(c, c.scopes[""])
	}
	return m.e.rechargeOf(c, cur.ID, next), nil
}

// ofCurrency finds a customer, for a question about a wallet of its.
func (e *Emulator) ofCurrency(customerID, currency string) (*customer, error) {
	c, err := e.state.present(customerID)
	if err == nil && e.state.index.currencies[currency] == nil {
		err = errorf("CustomCurrencyNotFound", "there is no currency %q", currency)
	}
	return c, err
}

func (e *Emulator) rechargeOf(c *customer, currency string, r *recharge) *wire.AutoRechargeSettingsDTO {
	w := &wire.AutoRechargeSettingsDTO{
		CustomerID: c.id, CurrencyID: currency, IsEnabled: r.enabled, ThresholdType: r.kind, ThresholdValue: r.threshold.InexactFloat64(),
		TargetBalance: r.target.InexactFloat64(), GrantExpirationPeriod: r.lasts, CurrentMonthlySpend: r.spentIn(e.now()).InexactFloat64(),
		CreatedAt: optionalTime(r.createdAt), UpdatedAt: optionalTime(r.updatedAt),
	}
	if r.limit != nil {
		w.MaxSpendLimit = new(r.limit.InexactFloat64())
	}
	return w
}
