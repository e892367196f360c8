package emulator

import (
	"time"

	"github.com/shopspring/decimal"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// pricesOf lists what a package costs. What is charged by usage is listed too: its model says so.
func pricesOf(ix *index, list []Price) *[]*wire.Price {
	prices := make([]*wire.Price, 0, len(list))
	for i := range list {
		prices = append(prices, priceOf(ix, &list[i]))
	}
	return &prices
}

func priceOf(ix *index, p *Price) *wire.Price {
	w := &wire.Price{
		BillingModel: wire.BillingModelFlatFee, BillingPeriod: *billingPeriod(p.Period), BillingCadence: wire.BillingCadenceRecurring,
		BillingCountryCode: optional(p.Country), Tiers: &[]*wire.PriceTier{},
	}
	switch {
	case p.Usage:
		w.BillingModel = wire.BillingModelUsageBased
	case p.Feature != "":
		w.BillingModel = wire.BillingModelPerUnit
	}
	if p.Once {
		w.BillingCadence = wire.BillingCadenceOneOff
	}
	if f := ix.feature(p.Feature); f != nil {
		w.Feature = fullFeatureOf(f)
	}
	if p.Amount != nil {
		w.Price = moneyOf(p.Currency, p.Amount.Decimal)
	}
	money := func(d *Decimal) *wire.Money {
		if d == nil {
			return nil
		}
		return moneyOf(p.Currency, d.Decimal)
	}
	for _, t := range p.Tiers {
		*w.Tiers = append(*w.Tiers, &wire.PriceTier{UpTo: t.UpTo, UnitPrice: money(t.Unit), FlatPrice: money(t.Flat)})
	}
	if len(p.Tiers) > 0 {
		w.TiersMode = new(wire.TiersModeVolume)
		if p.Mode == Graduated {
			w.TiersMode = new(wire.TiersModeGraduated)
		}
	}
	for _, bound := range []struct {
		of   float64
		into **float64
	}{{p.Block, &w.BlockSize}, {p.Min, &w.MinUnitQuantity}, {p.Max, &w.MaxUnitQuantity}} {
		if bound.of > 0 {
			*bound.into = new(bound.of)
		}
	}
	return w
}

// pricesOfSubscription lists the prices that a subscription is charged, and what they come to for a period.
func pricesOfSubscription(c *customer, s *subscription, now time.Time) (*[]*wire.SubscriptionPrice, *wire.CustomerSubscriptionTotalPrice) {
	prices := []*wire.SubscriptionPrice{}
	q, err := s.quote(s.period)
	if err != nil {
		return &prices, nil // it has no price: custom, or none in the catalog
	}
	for _, list := range [][]Price{q.plan, q.addons} {
		for i := range list {
			p := priceOf(s.index, &list[i])
			w := &wire.SubscriptionPrice{Price: p, BillingModel: &p.BillingModel}
			if units, ok := s.quantities[list[i].Feature]; ok {
				w.UsageLimit = &units
			}
			prices = append(prices, w)
		}
	}
	b := q.bill(c.couponFor(s, now), nil)
	money := func(d decimal.Decimal) *wire.Money { return moneyOf(q.currency, d) }
	return &prices, &wire.CustomerSubscriptionTotalPrice{SubTotal: money(b.SubTotal), Total: money(b.Total), AddonsTotal: money(q.ofAddons)}
}
