package emulator

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/entcache/entcache/emulator/internal/pricing"
	"github.com/entcache/entcache/emulator/internal/wire"
)

// invoice is what will be charged for a subscription when the period that is paid for ends: the next period in advance, and what was
// used in this one.
type invoice struct {
	currency string
	lines    []invoiceLine
	raised   decimal.Decimal // what the lines were raised by, to the minimum spend
	bill     pricing.Bill
	coupon   *Coupon
	tax      *Tax
	at       time.Time // of the preview
}

// invoiceLine is one charge.
type invoiceLine struct {
	kind       wire.InvoiceLineItemType
	name       string
	price      *wire.Price // nil: of none
	cost       string      // the price in words
	tiers      []wire.SubscriptionInvoicePreviewLineItemData
	units      *float64 // nil: a flat fee
	amount     decimal.Decimal
	limit      *float64
	soft       *bool
	start, end time.Time
}

// PreviewNextInvoice says what the next invoice of a subscription will have on it, as things stand.
func (*mutation) PreviewNextInvoice(ctx context.Context, args wire.MutationPreviewNextInvoiceArgs) (*wire.SubscriptionInvoicePreview, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	c, s, err := m.e.running(args.Input.SubscriptionID)
	if err != nil {
		return nil, err
	}
	x, err := m.e.nextInvoice(c, s)
	if err != nil {
		return nil, err
	}
	return x.preview(), nil
}

// nextInvoice works out what is due when the period of s that is paid for ends, or a trial, or s itself; or when it begins, if that is
// to come. What is scheduled until then is taken for done.
func (e *Emulator) nextInvoice(c *customer, s *subscription) (*invoice, error) {
	now := e.instant()
	start, at := s.billing(s.period, now)
	pays := !s.trialAt(now)
	switch {
	case s.status(now) == wire.SubscriptionStatusNotStarted && pays:
		at, pays = s.startAt, false
	case !s.endAt.IsZero() && s.endAt.Before(at):
		at = s.endAt
	}
	used, err := s.quote(s.period)
	if err != nil {
		return nil, err
	}
	x := &invoice{currency: used.currency, tax: s.index.tax(), at: now, coupon: c.couponFor(s, at)}
	minimum := decimal.Zero
	if after := e.after(c, s, at); after != nil && !after.trialAt(at) {
		due, err := after.quote(after.period)
		if err != nil {
			return nil, err
		}
		x.currency, x.coupon, minimum = due.currency, c.couponFor(after, at), due.minimum
		x.advance(after, s, due, at)
	}
	if pays && used.currency == x.currency {
		for i := range used.usage {
			x.usage(e, c, s, &used.usage[i], start, at)
		}
	}
	sum, fees := decimal.Zero, decimal.Zero // the minimum spend is of each period: what is charged once does not count
	for _, l := range x.lines {
		if l.kind == wire.InvoiceLineItemTypeOther {
			fees = fees.Add(l.amount)
		} else {
			sum = sum.Add(l.amount)
		}
	}
	if minimum = pricing.Round(x.currency, minimum); minimum.GreaterThan(sum) {
		x.raised = minimum.Sub(sum)
		x.lines = append(x.lines, invoiceLine{
			kind: wire.InvoiceLineItemTypeMinimumSpendAdjustmentCharge, name: "Minimum spend", amount: x.raised, start: at, end: at,
			cost: fmt.Sprintf("at least %s %s", minimum, x.currency),
		})
	}
	x.bill = pricing.Of(x.currency, decimal.Max(sum, minimum).Add(fees), x.coupon.discount(x.currency), x.tax.pricing())
	return x, nil
}

// after is what s is, or what has taken its place, once what is scheduled until then is done; nil when it is over. It is a copy.
func (e *Emulator) after(c *customer, s *subscription, at time.Time) *subscription {
	if !s.endAt.IsZero() && !s.endAt.After(at) {
		next := c.subscription(s.successor)
		if s.successor == "" || next == nil || next.startAt.After(at) {
			return nil
		}
		return new(*next)
	}
	if s.endedBy(at) {
		return nil
	}
	after := *s
	e.state.held = at
	defer func() { e.state.held = time.Time{} }()
	for _, ch := range s.changes {
		if !ch.at.After(at) {
			e.change(&after, ch)
		}
	}
	return &after
}

// advance adds what is charged for the period that begins at a moment, and once for what is new then.
func (x *invoice) advance(after, before *subscription, due *quote, at time.Time) {
	_, end := after.billing(after.period, at)
	plan := after.index.plans[after.planID].Name
	if after.free() {
		x.lines = append(x.lines, invoiceLine{
			kind: wire.InvoiceLineItemTypeZeroAmountBaseCharge, name: plan, cost: "free", amount: decimal.Zero, start: at, end: end,
		})
	}
	for i := range due.charges {
		ch := &due.charges[i]
		l := invoiceLine{
			kind: wire.InvoiceLineItemTypeBaseCharge, name: plan, price: priceOf(after.index, &ch.price), cost: ch.price.words(),
			amount: ch.amount, start: at, end: end,
		}
		if f := after.index.feature(ch.price.Feature); f != nil {
			l.kind, l.name, l.units = wire.InvoiceLineItemTypeInAdvanceCommitmentCharge, plan+": "+f.Name, &ch.units
			l.limit, l.tiers = &ch.units, ch.price.reached(ch.units)
		}
		if a := after.index.addons[ch.addonID]; a != nil {
			l.kind, l.name = wire.InvoiceLineItemTypeAddonCharge, a.Name
			if l.units == nil {
				l.units = &ch.times
			}
		}
		x.lines = append(x.lines, l)
	}
	if before.free() || before.trialAt(x.at) {
		before = nil // nothing was charged for it yet
	}
	if after.startAt.Equal(at) && before != nil && before.id == after.id {
		before = nil
	}
	for _, f := range due.due(before, after) {
		l := invoiceLine{kind: wire.InvoiceLineItemTypeOther, name: plan + ": once", cost: "charged once", amount: f.amount, start: at, end: end}
		if a := after.index.addons[f.addonID]; a != nil {
			l.name = a.Name + ": once"
		}
		x.lines = append(x.lines, l)
	}
}

// usage adds what is charged for what was used of a feature in the period so far.
func (x *invoice) usage(e *Emulator, c *customer, s *subscription, ch *charge, start, end time.Time) {
	f := s.index.feature(ch.price.Feature)
	units := e.usedSince(c, s, f, start)
	l := invoiceLine{
		kind: wire.InvoiceLineItemTypePayAsYouGoCharge, name: s.index.plans[s.planID].Name + ": " + f.Name, cost: ch.price.words(),
		price: priceOf(s.index, &ch.price), units: new(units.InexactFloat64()), tiers: ch.price.reached(units.InexactFloat64()),
		amount: pricing.Round(x.currency, ch.price.pricing().For(units)), start: start, end: end,
	}
	if a := s.index.addons[ch.addonID]; a != nil {
		l.name = a.Name + ": " + f.Name
	}
	if ent := e.look(c, s.resourceID).find(ref{id: f.ID}); ent != nil {
		l.limit, l.soft = ent.limit, &ent.soft
	}
	x.lines = append(x.lines, l)
}

// usedSince is how much of a feature was used under a subscription since a moment: by its resource or, when it is the customer's, by all
// that have no other of the product. A level is what it is now.
func (e *Emulator) usedSince(c *customer, s *subscription, f *Feature, start time.Time) decimal.Decimal {
	sum := decimal.Zero
	for id, sc := range c.scopes {
		m := sc.meters[ref{id: f.ID}]
		if m == nil || id != s.resourceID && (s.resourceID != "" || c.sells(s.productID, id, e.now())) {
			continue
		}
		if f.Meter == Fluctuating {
			sum = sum.Add(m.used)
		} else {
			sum = sum.Add(m.usedSince(start))
		}
	}
	return sum
}

// sells reports whether a resource has a subscription of the product of its own.
func (c *customer) sells(productID, resourceID string, now time.Time) bool {
	for _, s := range c.live(now) {
		if s.productID == productID && s.resourceID == resourceID {
			return true
		}
	}
	return false
}

// usedSince is how much was used since a moment, over all periods of the meter since then, as far back as measurements are kept.
func (m *meter) usedSince(start time.Time) decimal.Decimal {
	if !m.start.IsZero() && m.start.Equal(start) {
		return m.used
	}
	running, used := decimal.Zero, decimal.Zero
	var periodEnd time.Time
	for i := range m.measured {
		x := &m.measured[i]
		if m.reset != "" {
			if periodEnd.IsZero() {
				_, periodEnd = m.reset.around(m.anchor, x.at)
			}
			if x.at.After(periodEnd) {
				running = decimal.Zero
				_, periodEnd = m.reset.around(m.anchor, x.at.Add(-1)) // its end belongs to it
			}
		}
		before := running
		if running = decimal.Max(running.Add(x.value), decimal.Zero); x.set {
			running = x.value
		}
		if !x.at.Before(start) {
			used = used.Add(running.Sub(before))
		}
	}
	return decimal.Max(used, decimal.Zero)
}

// words tells a price.
func (p *Price) words() string {
	switch {
	case len(p.Tiers) > 0:
		return fmt.Sprintf("%d tiers, %s", len(p.Tiers), p.Mode)
	case p.Block > 0:
		return fmt.Sprintf("%s %s for each %v", p.Amount, p.Currency, p.Block)
	case p.Feature != "":
		return fmt.Sprintf("%s %s each", p.Amount, p.Currency)
	}
	return fmt.Sprintf("%s %s by the %s", p.Amount, p.Currency, p.Period)
}

// reached tells the tiers of a price that a quantity is priced by, and how much of it by each.
func (p *Price) reached(units float64) []wire.SubscriptionInvoicePreviewLineItemData {
	var list []wire.SubscriptionInvoicePreviewLineItemData
	from := 0.0
	if units = max(units, p.Min); p.Max > 0 {
		units = min(units, p.Max)
	}
	if p.Block > 0 {
		units = math.Ceil(units / p.Block)
	}
	for _, t := range p.Tiers {
		to := units
		if t.UpTo != nil {
			to = min(units, *t.UpTo)
		}
		last := t.UpTo == nil || units <= *t.UpTo
		if units > from && (p.Mode == Graduated || last) {
			quantity := to - from
			if p.Mode != Graduated {
				quantity = units
			}
			cost := ""
			if t.Unit != nil {
				cost = fmt.Sprintf("%s %s each", t.Unit, p.Currency)
			}
			if t.Flat != nil {
				cost += fmt.Sprintf(" %s %s flat", t.Flat, p.Currency)
			}
			list = append(list, wire.SubscriptionInvoicePreviewLineItemData{
				Type: wire.InvoiceLineItemTypeTierCharge, Description: fmt.Sprintf("from %v to %v", from, to), CostDescription: cost, Quantity: whole(&quantity),
			})
		}
		if last {
			break
		}
		from = to
	}
	return list
}

// charges reports whether the invoice has anything on it that has a price, be it that nothing was used yet.
func (x *invoice) charges() bool {
	return slices.ContainsFunc(x.lines, func(l invoiceLine) bool { return l.kind != wire.InvoiceLineItemTypeZeroAmountBaseCharge })
}

// whole is a quantity as the API says it: none when it is not a whole number, or too large for one.
func whole(units *float64) *int32 {
	if units == nil || *units != math.Trunc(*units) || math.Abs(*units) > math.MaxInt32 {
		return nil
	}
	return new(int32(*units))
}

func (x *invoice) preview() *wire.SubscriptionInvoicePreview {
	money := func(d decimal.Decimal) *wire.Money { return moneyOf(x.currency, d) }
	lines := []*wire.SubscriptionInvoicePreviewLineItem{}
	for i := range x.lines {
		l := &x.lines[i]
		w := &wire.SubscriptionInvoicePreviewLineItem{
			Type: l.kind, Description: l.name, CostDescription: l.cost, Amount: money(l.amount), Price: l.price, Quantity: whole(l.units),
			UsageLimit: l.limit, HasSoftLimit: l.soft, Lines: &[]*wire.SubscriptionInvoicePreviewLineItemData{},
			Period: &wire.SubscriptionInvoicePreviewLineItemPeriod{Start: wire.NewDateTime(l.start).String(), End: wire.NewDateTime(l.end).String()},
		}
		if l.price != nil {
			w.UnitPrice = l.price.Price
		}
		for j := range l.tiers {
			l.tiers[j].UsageLimit, l.tiers[j].HasSoftLimit = l.limit, l.soft
			*w.Lines = append(*w.Lines, &l.tiers[j])
		}
		lines = append(lines, w)
	}
	w := &wire.SubscriptionInvoicePreview{
		SubTotal: money(x.bill.SubTotal), Discount: money(x.bill.Discount), DiscountDetails: x.coupon.previewOf(x.currency),
		SubTotalExcludingTax: money(pricing.Of(x.currency, x.bill.SubTotal, nil, x.tax.pricing()).TotalExcludingTax),
		TotalExcludingTax:    money(x.bill.TotalExcludingTax), Tax: money(x.bill.Tax), Total: money(x.bill.Total), AmountDue: money(x.bill.Total),
		MinimumSpendAdjustment: money(x.raised), LastUpdatedAt: wire.NewDateTime(x.at), Lines: &lines,
	}
	if x.tax != nil {
		w.TaxDetails = &wire.SubscriptionPreviewTaxDetails{DisplayName: x.tax.Name, Percentage: x.tax.Percent.InexactFloat64(), Inclusive: x.tax.Inclusive}
	}
	return w
}
