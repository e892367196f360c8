package emulator

import (
	"context"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/entcache/entcache/emulator/internal/pricing"
	"github.com/entcache/entcache/emulator/internal/wire"
)

// Coupons lists the coupons of the catalog, in its order, and then those that were made, the oldest first. The connection has no
// cursors; those that paging takes are as elsewhere.
func (*query) Coupons(ctx context.Context, args wire.QueryCouponsArgs) (*wire.CouponConnection, error) {
	q := of(ctx)
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	var found []*Coupon
	for _, c := range q.e.state.coupons() {
		if q.e.letsCoupon(args.Filter.Or(wire.CouponFilter{}), c) {
			found = append(found, c)
		}
	}
	found, _, err := page(found, func(c *Coupon) string { return c.ID }, args.Paging.Or(wire.CursorPaging{}))
	if err != nil {
		return nil, err
	}
	edges := []*wire.CouponEdge{}
	for _, c := range found {
		edges = append(edges, &wire.CouponEdge{Node: q.e.couponOf(c)})
	}
	return &wire.CouponConnection{Edges: &edges}, nil
}

// letsCoupon reports whether a filter lets a coupon through. What nobody here knows of coupons (whose they are, where they come
// from) no filter is about.
func (e *Emulator) letsCoupon(f wire.CouponFilter, c *Coupon) bool {
	id, status, kind := f.ID.Or(wire.UUIDFilterComparison{}), f.Status.Or(wire.CouponStatusFilterComparison{}), f.Type.Or(wire.CouponTypeFilterComparison{})
	lets := func(f wire.CouponFilter) bool { return e.letsCoupon(f, c) }
	_, at := e.state.created(c, e.began)
	return matchesText(f.RefID, c.ID) && matchesText(f.Name, c.Name) && matchesText(f.Description, c.Description) && matchesText(f.BillingID, "") &&
		matchesEnum(id.Eq, id.Neq, id.In, id.NotIn, c.ID) &&
		matchesEnum(status.Eq, status.Neq, status.In, status.NotIn, c.status()) &&
		matchesEnum(kind.Eq, kind.Neq, kind.In, kind.NotIn, c.kind()) &&
		matchesTime(f.CreatedAt, at) && matchesTime(f.UpdatedAt, at) &&
		!slices.ContainsFunc(f.And.Or(nil), func(f wire.CouponFilter) bool { return !lets(f) }) &&
		(f.Or.Value == nil || slices.ContainsFunc(*f.Or.Value, lets))
}

func (c *Coupon) status() wire.CouponStatus {
	if c.Archived {
		return wire.CouponStatusArchived
	}
	return wire.CouponStatusActive
}

func (c *Coupon) kind() wire.CouponType {
	if c.PercentOff != nil {
		return wire.CouponTypePercentage
	}
	return wire.CouponTypeFixed
}

func (e *Emulator) couponOf(c *Coupon) *wire.Coupon {
	data, at := e.state.created(c, e.began)
	w := &wire.Coupon{
		ID: wire.ID(c.ID), RefID: c.ID, Name: c.Name, Description: optional(c.Description), Type: c.kind(), Status: c.status(),
		AdditionalMetaData: metadata(data), CreatedAt: wire.NewDateTime(at), UpdatedAt: wire.NewDateTime(at), SyncStates: &[]*wire.SyncState{},
	}
	if c.PercentOff != nil {
		w.PercentOff = new(c.PercentOff.InexactFloat64())
		w.DiscountValue = *w.PercentOff
		return w
	}
	amounts := []*wire.Money{}
	for _, a := range c.AmountsOff {
		amounts = append(amounts, moneyOf(a.Currency, a.Amount.Decimal))
	}
	w.AmountsOff, w.DiscountValue = &amounts, amounts[0].Amount
	return w
}

func moneyOf(currency string, amount decimal.Decimal) *wire.Money {
	return &wire.Money{Amount: amount.InexactFloat64(), Currency: wire.Currency(currency)}
}

// applied is a coupon as it is applied to a subscription, or a discount made for one.
func (e *Emulator) applied(in wire.Opt[wire.SubscriptionCouponInput], code wire.Opt[string]) (*Coupon, error) {
	if in.Value == nil {
		if code.Or("") == "" {
			return nil, nil
		}
		in.Value = &wire.SubscriptionCouponInput{PromotionCode: code}
	}
	if d := in.Value.Discount.Value; d != nil {
		return discountMade(d)
	}
	id := in.Value.CouponID.Or(in.Value.BillingCouponID.Or(in.Value.PromotionCode.Or("")))
	c := e.state.coupon(id)
	switch {
	case c == nil:
		return nil, errorf("CouponNotFound", "there is no coupon %q", id)
	case c.Archived:
		return nil, errorf("ArchivedCouponCantBeApplied", "coupon %q is archived", id)
	}
	return c, nil
}

// discountMade is a discount that is no coupon of the catalog.
func discountMade(in *wire.SubscriptionCouponDiscountInput) (*Coupon, error) {
	c := &Coupon{Name: in.Name.Or("Discount"), Description: in.Description.Or(""), Months: int(in.DurationInMonths.Or(0))}
	if p := in.PercentOff.Value; p != nil {
		c.PercentOff = &Decimal{decimal.NewFromFloat(*p)}
	}
	for _, a := range in.AmountsOff.Or(nil) {
		c.AmountsOff = append(c.AmountsOff, Amount{Amount: &Decimal{decimal.NewFromFloat(a.Amount)}, Currency: string(a.Currency.Or(defaultCurrency))})
	}
	ck := &checker{ix: &index{coupons: map[string]*Coupon{}}}
	checked := []Coupon{*c}
	checked[0].ID = "discount"
	if ck.coupons(checked); len(ck.errs) > 0 {
		return nil, errorf(codeBadUserInput, "the discount cannot be applied: %v", ck.errs[0])
	}
	return c, nil
}

// discount is the coupon as arithmetic, in a currency; nil when it takes nothing off there.
func (c *Coupon) discount(currency string) *pricing.Discount {
	if c == nil {
		return nil
	}
	if c.PercentOff != nil {
		return &pricing.Discount{Percent: c.PercentOff.Decimal}
	}
	for _, a := range c.AmountsOff {
		if a.Currency == currency {
			return &pricing.Discount{Amount: a.Amount.Decimal}
		}
	}
	return nil
}

// previewOf is the coupon as an estimate shows it.
func (c *Coupon) previewOf(currency string) *wire.SubscriptionPreviewDiscount {
	d := c.discount(currency)
	if d == nil {
		return nil
	}
	w := &wire.SubscriptionPreviewDiscount{Name: &c.Name, Type: wire.DiscountTypeFixed, Value: d.Amount.InexactFloat64(), DurationType: wire.DiscountDurationTypeForever}
	if c.PercentOff != nil {
		w.Type, w.Value = wire.DiscountTypePercentage, d.Percent.InexactFloat64()
	}
	switch {
	case c.Once:
		w.DurationType = wire.DiscountDurationTypeOnce
	case c.Months > 0:
		w.DurationType, w.DurationInMonths = wire.DiscountDurationTypeRepeating, new(float64(c.Months))
	}
	return w
}

// discount makes an update of a subscription's coupon part of u. An appliedCoupon that is null takes it off.
func (e *Emulator) discount(u *update, in wire.Opt[wire.SubscriptionCouponInput], code wire.Opt[string]) error {
	if !in.Set && !code.Set {
		return nil
	}
	c, err := e.applied(in, code)
	u.coupon = &c
	return err
}

// couponOfCustomer is the coupon that a customer is given; none when the input is null, or absent.
func (e *Emulator) couponOfCustomer(id wire.Opt[string]) (*Coupon, error) {
	if id.Or("") == "" {
		return nil, nil
	}
	return e.applied(wire.Opt[wire.SubscriptionCouponInput]{Value: &wire.SubscriptionCouponInput{CouponID: id}, Set: true}, wire.Opt[string]{})
}

// couponFor is the coupon that a subscription of c is billed with at a moment: its own, or else the customer's, until it runs out. It
// runs from when it was applied, or the subscription is paid for, whichever is later.
func (c *customer) couponFor(s *subscription, at time.Time) *Coupon {
	coupon, since := s.coupon, s.couponAt
	if coupon == nil && s.payer == "" {
		coupon, since = c.coupon, c.couponAt
	}
	for _, paid := range []time.Time{s.startAt, s.trialEnd} {
		if paid.After(since) {
			since = paid
		}
	}
	var end time.Time
	switch {
	case coupon == nil:
		return nil
	case coupon.Once:
		_, end = s.period.around(s.billedFrom(), since)
	case coupon.Months > 0:
		end = addMonths(since, coupon.Months)
	}
	if !end.IsZero() && !at.Before(end) {
		return nil
	}
	return coupon
}
