package emulator

import (
	"context"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/entcache/entcache/emulator/internal/pricing"
	"github.com/entcache/entcache/emulator/internal/wire"
)

// estimate is what a subscription would cost if it were made, or changed, now. Nothing is made or changed by it.
type estimate struct {
	currency   string
	coupon     *Coupon // of now
	recurring  *Coupon // of each
	tax        *Tax
	at         time.Time
	now        pricing.Bill       // to be paid at once
	each       pricing.Bill       // to be paid for each period after
	proration  *pricing.Proration // of a change within a period that is paid for
	start, end time.Time          // the period that now pays for
	downgrade  bool
	scheduled  bool
}

// EstimateSubscription says what a subscription would cost.
func (*mutation) EstimateSubscription(ctx context.Context, args wire.MutationEstimateSubscriptionArgs) (*wire.SubscriptionPreview, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	in := &args.Input
	o := order{
		planID: in.PlanID, resourceID: in.ResourceID.Or(""), addons: addonsOf(in.Addons), quantities: quantitiesOf(in.BillableFeatures),
		period: billingPeriodOf(in.BillingPeriod), startAt: in.StartDate.Or(wire.DateTime{}).Time, skipTrial: in.SkipTrial.Or(false),
		country: in.BillingCountryCode.Or(""),
	}
	o.payer = in.PayingCustomerID.Or("")
	o.withTrial(in.TrialOverrideConfiguration)
	var err error
	if o.coupon, err = m.e.applied(in.AppliedCoupon, in.PromotionCode); err != nil {
		return nil, err
	}
	x, err := m.e.estimateOrder(in.CustomerID, o, in.BillingInformation)
	if err != nil {
		return nil, err
	}
	return x.preview(), nil
}

// EstimateSubscriptionUpdate says what a change of a subscription would cost.
func (*mutation) EstimateSubscriptionUpdate(ctx context.Context, args wire.MutationEstimateSubscriptionUpdateArgs) (*wire.SubscriptionPreview, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	in := &args.Input
	c, before, err := m.e.running(in.SubscriptionID)
	if err != nil {
		return nil, err
	}
	after := *before
	if in.Addons.Set {
		after.addons = addonsOf(in.Addons)
	}
	if in.BillableFeatures.Set {
		after.quantities = quantitiesOf(in.BillableFeatures)
	}
	if err := after.index.checkParts(after.productID, after.addons, nil, after.quantities); err != nil {
		return nil, err
	}
	if in.AppliedCoupon.Set || in.PromotionCode.Set {
		if after.coupon, err = m.e.applied(in.AppliedCoupon, in.PromotionCode); err != nil {
			return nil, err
		}
		after.couponAt = m.e.instant()
	}
	x, err := m.e.estimateChange(c, before, &after, after.index.tax())
	if err != nil {
		return nil, err
	}
	return x.preview(), nil
}

// PreviewSubscription is EstimateSubscription in the newer shape.
func (*mutation) PreviewSubscription(ctx context.Context, args wire.MutationPreviewSubscriptionArgs) (*wire.SubscriptionPreviewV2, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	in := &args.Input
	o := order{
		planID: in.PlanID, resourceID: in.ResourceID.Or(""), addons: addonsOf(in.Addons), quantities: quantitiesOf(in.BillableFeatures),
		period: billingPeriodOf(in.BillingPeriod), startAt: in.StartDate.Or(wire.DateTime{}).Time, strategy: in.ScheduleStrategy.Or(""),
		resetAnchor: in.BillingCycleAnchor.Or("") == wire.SubscriptionBillingCycleAnchor("NOW"), country: in.BillingCountryCode.Or(""),
	}
	o.payer = in.PayingCustomerID.Or("")
	o.withTrial(in.TrialOverrideConfiguration)
	var err error
	if o.coupon, err = m.e.applied(in.AppliedCoupon, in.PromotionCode); err != nil {
		return nil, err
	}
	x, err := m.e.estimateOrder(in.CustomerID, o, in.BillingInformation)
	if err != nil {
		return nil, err
	}
	return x.previewV2(), nil
}

// estimateOrder works out what an order would cost.
func (e *Emulator) estimateOrder(customerID string, o order, billing wire.Opt[wire.SubscriptionBillingInfo]) (*estimate, error) {
	c, err := e.state.present(customerID)
	if err != nil {
		return nil, err
	}
	e.settle(c)
	s, replaced, err := e.prepare(c, o)
	if err != nil {
		return nil, err
	}
	tax, err := taxOf(billing, s.index.tax())
	if err != nil {
		return nil, err
	}
	var before *subscription
	now := e.instant()
	for _, old := range replaced {
		if old.active(now) && !old.trialAt(now) {
			before = old
		}
	}
	return e.estimateChange(c, before, s, tax)
}

// taxOf is the tax that an order is to be estimated with: the one that it brings, or else that of the billing integration.
func taxOf(billing wire.Opt[wire.SubscriptionBillingInfo], tax *Tax) (*Tax, error) {
	percent := billing.Or(wire.SubscriptionBillingInfo{}).TaxPercentage.Value
	if percent == nil {
		return tax, nil
	}
	if !(*percent >= 0 && *percent <= 100) {
		return nil, errorf(codeBadUserInput, "a taxPercentage of %v: give 0 to 100", *percent)
	}
	return &Tax{Name: "Tax", Percent: &Decimal{decimal.NewFromFloat(*percent)}}, nil
}

// estimateChange works out what it costs to have after in place of before; a nil before is nothing.
func (e *Emulator) estimateChange(c *customer, before, after *subscription, tax *Tax) (*estimate, error) {
	now := e.instant()
	to, err := after.quote(after.period)
	if err != nil {
		return nil, err
	}
	x := &estimate{currency: to.currency, coupon: c.couponFor(after, now), at: now, tax: tax}
	x.start, x.end = after.billing(after.period, now)
	later := x.end // when what recurs is due next
	if after.startAt.After(now) {
		later = x.start
	}
	x.recurring = c.couponFor(after, later)
	x.each = to.bill(x.recurring, x.tax)
	fees := to.fees(before, after)
	switch {
	case after.trialAt(now), after.startAt.After(now): // nothing is due before the trial is over, or it begins
	case before == nil || before.free():
		x.now = to.bill(x.coupon, nil)
		x.now = pricing.Of(x.currency, x.now.SubTotal.Add(fees), x.coupon.discount(x.currency), x.tax.pricing())
	default:
		x.prorate(c.couponFor(before, now), before, after, to, fees)
	}
	if before != nil {
		x.scheduled = len(e.scheduledOf(c, before, now)) > 0
	}
	return x, nil
}

// fees adds up what is charged once for what after has and before has not.
func (q *quote) fees(before, after *subscription) decimal.Decimal {
	sum := decimal.Zero
	for _, f := range q.due(before, after) {
		sum = sum.Add(f.amount)
	}
	return sum
}

// due lists what is charged once for what after has and before has not; a nil before has nothing.
func (q *quote) due(before, after *subscription) []fee {
	var list []fee
	for _, f := range q.once {
		had := before != nil && before.planID == after.planID
		if f.addonID != "" {
			had = before != nil && slices.ContainsFunc(before.addons, func(a addonCount) bool { return a.id == f.addonID })
		}
		if !had {
			list = append(list, f)
		}
	}
	return list
}

// prorate works out the change from one subscription to another within a period that is paid for. What both cost is counted after
// their coupons: what was taken off was not paid. A percentage is taken off the fees too; an amount was, from what recurs. A change
// of the period's length, or of its anchor, pays for a whole new one.
func (x *estimate) prorate(paidWith *Coupon, before, after *subscription, to *quote, fees decimal.Decimal) {
	from, err := before.quote(before.period)
	if err != nil {
		from = &quote{currency: to.currency} // it has no price any more
	}
	paid, due := from.bill(paidWith, nil).Total, to.bill(x.coupon, nil).Total
	x.downgrade = before.planID != after.planID && monthly(due, after.period).LessThan(monthly(paid, before.period))
	start, end := before.billing(before.period, x.at)
	p := pricing.Prorate(x.currency, paid, due, start, end, x.at)
	if from.currency != to.currency {
		p.Credit = decimal.Zero // of another currency
	}
	if before.period != after.period || !before.billedFrom().Equal(after.billedFrom()) {
		p.Debit = due
	}
	p.Net = p.Debit.Sub(p.Credit)
	x.proration = &p
	if d := x.coupon.discount(x.currency); d != nil && d.Percent.IsPositive() {
		fees = pricing.Of(x.currency, fees, d, nil).Total
	}
	x.now = pricing.Of(x.currency, decimal.Max(p.Net, decimal.Zero).Add(fees), nil, x.tax.pricing())
}

func monthly(amount decimal.Decimal, p Period) decimal.Decimal {
	if p == Year {
		return amount.Div(decimal.NewFromInt(12))
	}
	return amount
}

// bill is what a period costs.
func (q *quote) bill(coupon *Coupon, tax *Tax) pricing.Bill {
	return pricing.Sum(q.currency, q.each, q.minimum, coupon.discount(q.currency), tax.pricing())
}

// tax is that of the billing integration; nil when there is none.
func (ix *index) tax() *Tax {
	if ix.catalog.Billing == nil {
		return nil
	}
	return ix.catalog.Billing.Tax
}

func (t *Tax) pricing() *pricing.Tax {
	if t == nil {
		return nil
	}
	return &pricing.Tax{Percent: t.Percent.Decimal, Inclusive: t.Inclusive}
}

func (x *estimate) money(amount decimal.Decimal) *wire.Money { return moneyOf(x.currency, amount) }

func (x *estimate) taxDetails() *wire.SubscriptionPreviewTaxDetails {
	if x.tax == nil {
		return nil
	}
	return &wire.SubscriptionPreviewTaxDetails{DisplayName: x.tax.Name, Percentage: x.tax.Percent.InexactFloat64(), Inclusive: x.tax.Inclusive}
}

func (x *estimate) prorations() *wire.SubscriptionPreviewProrations {
	if x.proration == nil {
		return nil
	}
	return &wire.SubscriptionPreviewProrations{
		ProrationDate: wire.NewDateTime(x.at), HasProrations: new(true),
		Credit: x.money(x.proration.Credit), Debit: x.money(x.proration.Debit), NetAmount: x.money(x.proration.Net),
	}
}

func (x *estimate) period() *wire.DateRange {
	r := &wire.DateRange{Start: new(wire.NewDateTime(x.start).String())}
	if !x.end.IsZero() {
		r.End = new(wire.NewDateTime(x.end).String())
	}
	return r
}

// preview is the estimate on the wire: what is due at once on top, what recurs under subscription.
func (x *estimate) preview() *wire.SubscriptionPreview {
	return &wire.SubscriptionPreview{
		SubTotal: x.money(x.now.SubTotal), DiscountAmount: x.money(x.now.Discount), TotalExcludingTax: x.money(x.now.TotalExcludingTax),
		Tax: x.money(x.now.Tax), Total: x.money(x.now.Total), TaxDetails: x.taxDetails(), Discount: x.coupon.previewOf(x.currency),
		BillingPeriodRange: x.period(), Proration: x.prorations(), IsPlanDowngrade: &x.downgrade, HasScheduledUpdates: &x.scheduled,
		Subscription: &wire.SubscriptionPricePreviewDto{
			SubTotal: x.money(x.each.SubTotal), DiscountAmount: x.money(x.each.Discount), TotalExcludingTax: x.money(x.each.TotalExcludingTax),
			Tax: x.money(x.each.Tax), Total: x.money(x.each.Total), TaxDetails: x.taxDetails(), Discount: x.recurring.previewOf(x.currency),
		},
	}
}

func (x *estimate) previewV2() *wire.SubscriptionPreviewV2 {
	return &wire.SubscriptionPreviewV2{
		BillingPeriodRange: x.period(), IsPlanDowngrade: &x.downgrade, HasScheduledUpdates: &x.scheduled,
		ImmediateInvoice: &wire.ImmediateSubscriptionPreviewInvoice{
			SubTotal: x.money(x.now.SubTotal), Discount: x.money(x.now.Discount), TotalExcludingTax: x.money(x.now.TotalExcludingTax),
			Tax: x.money(x.now.Tax), Total: x.money(x.now.Total), TaxDetails: x.taxDetails(), DiscountDetails: x.coupon.previewOf(x.currency),
			Proration: x.prorations(),
		},
		RecurringInvoice: &wire.SubscriptionPreviewInvoice{
			SubTotal: x.money(x.each.SubTotal), Discount: x.money(x.each.Discount), TotalExcludingTax: x.money(x.each.TotalExcludingTax),
			Tax: x.money(x.each.Tax), Total: x.money(x.each.Total), TaxDetails: x.taxDetails(), DiscountDetails: x.recurring.previewOf(x.currency),
		},
	}
}
