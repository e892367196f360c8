package emulator

import (
	"slices"

	"github.com/shopspring/decimal"

	"github.com/entcache/entcache/emulator/internal/pricing"
	"github.com/entcache/entcache/emulator/internal/wire"
)

// quote is what a subscription costs, before coupon and tax.
type quote struct {
	currency string
	plan     []Price           // that apply: of the period, the currency and the country
	addons   []Price           //
	each     []decimal.Decimal // for each period, in advance
	ofAddons decimal.Decimal   // the part of each that add-ons cost
	charges  []charge          // of each, price by price
	usage    []charge          // for what is used, when a period is over: units and amount are not known
	once     []fee             // with the first period
	minimum  decimal.Decimal   // of each period
}

// charge is what one price comes to: of the plan, or of an add-on, which there is so many times.
type charge struct {
	addonID      string
	price        Price
	units, times float64
	amount       decimal.Decimal
}

// fee is what is charged once: of the plan, or of an add-on.
type fee struct {
	addonID string
	amount  decimal.Decimal
}

// quote works out what s costs for each period of p. Its country chooses among prices; one that no price is for gets those that
// name none.
func (s *subscription) quote(p Period) (*quote, error) {
	plan := s.index.plans[s.planID]
	if plan == nil || plan.Pricing == "free" {
		return &quote{currency: s.index.currency()}, nil
	}
	if len(plan.Prices) == 0 {
		return nil, errorf("PriceNotFound", "plan %q has no price: it is %s, and the catalog says no more", plan.ID, plan.Pricing)
	}
	q := &quote{plan: applicable(plan.Prices, p, "", s.country)}
	if len(q.plan) == 0 {
		return nil, errorf("PriceNotFound", "plan %q has no price by the %s", plan.ID, p)
	}
	q.currency = q.plan[0].Currency
	q.plan = s.override("", applicable(q.plan, p, q.currency, s.country))
	q.charge("", q.plan, s.quantities, decimal.NewFromInt(1))
	for _, a := range s.addons {
		addon := s.index.addons[a.id]
		if addon == nil || len(addon.Prices) == 0 {
			continue
		}
		prices := applicable(addon.Prices, p, q.currency, s.country)
		if len(prices) == 0 {
			return nil, errorf("PriceNotFound", "add-on %q has no price by the %s in %s", a.id, p, q.currency)
		}
		prices = s.override(a.id, prices)
		q.addons = append(q.addons, prices...)
		q.charge(a.id, prices, s.quantities, decimal.NewFromFloat(a.quantity))
	}
	q.minimum = s.minimum(p, q.currency)
	return q, nil
}

// override puts the prices that were agreed for this subscription in place of the catalog's: of the plan, or of one of its add-ons.
// What is charged once is charged as it is.
func (s *subscription) override(addonID string, prices []Price) []Price {
	prices = slices.Clone(prices)
	for i := range prices {
		p := &prices[i]
		for _, o := range s.priceOverrides {
			if o.AddonID.Or("") != addonID || o.FeatureID.Or("") != p.Feature || p.Once {
				continue
			}
			if m := o.Price.Value; m != nil {
				if string(m.Currency.Or(wire.Currency(p.Currency))) != p.Currency {
					continue // it was agreed for those who pay in another currency
				}
				p.Amount, p.Tiers, p.Mode = &Decimal{decimal.NewFromFloat(m.Amount)}, nil, ""
			}
			if o.BlockSize.Value != nil {
				p.Block = *o.BlockSize.Value
			}
			if tiers := o.Tiers.Or(nil); len(tiers) > 0 {
				p.Amount, p.Tiers = nil, tiersOf(tiers)
				p.Mode = TiersMode(orDefault(string(p.Mode), string(Volume)))
			}
		}
	}
	return prices
}

func tiersOf(in []wire.PriceTierInput) []Tier {
	money := func(m wire.Opt[wire.MoneyInputDto]) *Decimal {
		if m.Value == nil {
			return nil
		}
		return &Decimal{decimal.NewFromFloat(m.Value.Amount)}
	}
	var list []Tier
	for _, t := range in {
		list = append(list, Tier{UpTo: t.UpTo.Value, Unit: money(t.UnitPrice), Flat: money(t.FlatPrice)})
	}
	list[len(list)-1].UpTo = nil // the last has no end
	return list
}

// charge adds what the plan, or an add-on, costs so many times.
func (q *quote) charge(addonID string, prices []Price, quantities map[string]float64, times decimal.Decimal) {
	for _, p := range prices {
		if p.Usage {
			q.usage = append(q.usage, charge{addonID: addonID, price: p})
			continue // when the period is over
		}
		units, bought := quantities[p.Feature]
		if !bought {
			units = max(p.Min, 1)
		}
		amount := pricing.Round(q.currency, p.pricing().For(decimal.NewFromFloat(units)).Mul(times))
		if p.Once {
			q.once = append(q.once, fee{addonID, amount})
			continue
		}
		q.each = append(q.each, amount)
		q.charges = append(q.charges, charge{addonID, p, units, times.InexactFloat64(), amount})
		if addonID != "" {
			q.ofAddons = q.ofAddons.Add(amount)
		}
	}
}

// applicable returns the prices of a period, in a currency unless that is empty, and of a country: its own, or else those that are
// for any.
func applicable(prices []Price, p Period, currency, country string) []Price {
	of := func(country string) []Price {
		return slices.Collect(func(yield func(Price) bool) {
			for _, price := range prices {
				if price.Period == p && price.Country == country && (currency == "" || price.Currency == currency) && !yield(price) {
					return
				}
			}
		})
	}
	if own := of(country); country != "" && len(own) > 0 {
		return own
	}
	return of("")
}

// defaultPeriod is how a plan is billed when nobody says: as its first price.
func (p *Plan) defaultPeriod() Period {
	if len(p.Prices) > 0 {
		return p.Prices[0].Period
	}
	return Month
}

// currency is what the catalog counts in when no price says.
func (ix *index) currency() string {
	for _, p := range ix.catalog.Plans {
		if len(p.Prices) > 0 {
			return p.Prices[0].Currency
		}
	}
	return defaultCurrency
}

// pricing is the price as arithmetic.
func (p *Price) pricing() pricing.Price {
	out := pricing.Price{
		PerUnit: p.Feature != "", Graduated: p.Mode == Graduated,
		Block: decimal.NewFromFloat(p.Block), Min: decimal.NewFromFloat(p.Min), Max: decimal.NewFromFloat(p.Max),
	}
	if p.Amount != nil {
		out.Amount = p.Amount.Decimal
	}
	for _, t := range p.Tiers {
		var tier pricing.Tier
		if t.UpTo != nil {
			tier.UpTo = new(decimal.NewFromFloat(*t.UpTo))
		}
		if t.Unit != nil {
			tier.Unit = t.Unit.Decimal
		}
		if t.Flat != nil {
			tier.Flat = t.Flat.Decimal
		}
		out.Tiers = append(out.Tiers, tier)
	}
	return out
}
