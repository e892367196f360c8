package pricing

import "github.com/shopspring/decimal"

// Price is what something costs for one billing period.
type Price struct {
	// Amount is the fee; times the quantity when PerUnit is set. Not used with tiers.
	Amount  decimal.Decimal
	PerUnit bool
	// Tiers make the price of a unit depend on how many there are. Graduated prices each unit by the tier it falls into; else all
	// units are priced by the tier of the last one (Stigg calls that volume).
	Tiers     []Tier
	Graduated bool
	// Block is how many units are sold at once: a quantity is rounded up to whole blocks, and Amount, or a tier's Unit, is the
	// price of a block. Zero: single units.
	Block decimal.Decimal
	// Min and Max bound the quantity; a zero Max does not.
	Min, Max decimal.Decimal
}

// Tier is a part of the scale of quantities.
type Tier struct {
	// UpTo is the last unit of the tier; nil in the last tier.
	UpTo *decimal.Decimal
	// Unit is the price of each unit in it, Flat a fee that is due once the tier is reached.
	Unit, Flat decimal.Decimal
}

// For returns what a quantity costs, not rounded.
func (p Price) For(quantity decimal.Decimal) decimal.Decimal {
	quantity = decimal.Max(quantity, p.Min)
	if p.Max.IsPositive() {
		quantity = decimal.Min(quantity, p.Max)
	}
	if p.Block.IsPositive() {
		quantity = quantity.Div(p.Block).Ceil()
	}
	switch {
	case len(p.Tiers) > 0 && p.Graduated:
		return graduated(p.Tiers, quantity)
	case len(p.Tiers) > 0:
		return volume(p.Tiers, quantity)
	case p.PerUnit:
		return p.Amount.Mul(quantity)
	}
	return p.Amount
}

func volume(tiers []Tier, quantity decimal.Decimal) decimal.Decimal {
	if !quantity.IsPositive() {
		return decimal.Zero
	}
	for _, t := range tiers {
		if t.UpTo == nil || !quantity.GreaterThan(*t.UpTo) {
			return t.Unit.Mul(quantity).Add(t.Flat)
		}
	}
	last := tiers[len(tiers)-1]
	return last.Unit.Mul(quantity).Add(last.Flat)
}

func graduated(tiers []Tier, quantity decimal.Decimal) decimal.Decimal {
	total, from := decimal.Zero, decimal.Zero
	for i, t := range tiers {
		if !quantity.GreaterThan(from) {
			break
		}
		to := quantity
		if t.UpTo != nil && i < len(tiers)-1 {
			to = decimal.Min(quantity, *t.UpTo)
		}
		total = total.Add(t.Unit.Mul(to.Sub(from))).Add(t.Flat)
		from = to
	}
	return total
}
