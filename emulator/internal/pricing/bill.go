package pricing

import (
	"time"

	"github.com/shopspring/decimal"
)

// Discount takes something off a sub-total: Percent of it, or Amount; never more than there is.
type Discount struct {
	Percent, Amount decimal.Decimal
}

// Tax is a percentage; Inclusive says that prices contain it already.
type Tax struct {
	Percent   decimal.Decimal
	Inclusive bool
}

// Bill is a sum with what is taken off and added.
type Bill struct {
	SubTotal          decimal.Decimal // the charges, raised to the minimum spend
	Discount          decimal.Decimal
	TotalExcludingTax decimal.Decimal
	Tax               decimal.Decimal
	Total             decimal.Decimal // TotalExcludingTax and Tax
}

var hundred = decimal.NewFromInt(100)

// Sum bills charges, each of which is rounded. A minimum of zero is none; discount and tax may be nil.
func Sum(currency string, charges []decimal.Decimal, minimum decimal.Decimal, discount *Discount, tax *Tax) Bill {
	sub := decimal.Zero
	for _, c := range charges {
		sub = sub.Add(Round(currency, c))
	}
	return Of(currency, decimal.Max(sub, Round(currency, minimum)), discount, tax)
}

// Of bills a sub-total.
func Of(currency string, sub decimal.Decimal, discount *Discount, tax *Tax) Bill {
	b := Bill{SubTotal: sub}
	if discount != nil && sub.IsPositive() {
		off := discount.Amount
		if discount.Percent.IsPositive() {
			off = sub.Mul(discount.Percent).Div(hundred)
		}
		b.Discount = decimal.Min(Round(currency, off), sub)
	}
	b.Total = sub.Sub(b.Discount)
	b.TotalExcludingTax = b.Total
	switch {
	case tax == nil || !b.Total.IsPositive():
	case tax.Inclusive:
		b.Tax = Round(currency, b.Total.Mul(tax.Percent).Div(hundred.Add(tax.Percent)))
		b.TotalExcludingTax = b.Total.Sub(b.Tax)
	default:
		b.Tax = Round(currency, b.Total.Mul(tax.Percent).Div(hundred))
		b.Total = b.Total.Add(b.Tax)
	}
	return b
}

// Proration is what a change in the middle of a period comes to.
type Proration struct {
	Credit decimal.Decimal // for what was paid and is not used
	Debit  decimal.Decimal // for what is new, until the period ends
	Net    decimal.Decimal // Debit less Credit
}

// Prorate works out a change at a moment of the period from start to end, from one price of the period to another. Time counts by
// the millisecond; a moment outside the period is taken for its nearer end.
func Prorate(currency string, before, after decimal.Decimal, start, end, at time.Time) Proration {
	if at.Before(start) {
		at = start
	}
	if at.After(end) {
		at = end
	}
	rest, whole := decimal.NewFromInt(end.Sub(at).Milliseconds()), decimal.NewFromInt(end.Sub(start).Milliseconds())
	if !whole.IsPositive() {
		return Proration{}
	}
	p := Proration{
		Credit: Round(currency, before.Mul(rest).Div(whole)),
		Debit:  Round(currency, after.Mul(rest).Div(whole)),
	}
	p.Net = p.Debit.Sub(p.Credit)
	return p
}
