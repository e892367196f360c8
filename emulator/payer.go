package emulator

import (
	"github.com/shopspring/decimal"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// payer is who pays for s, a subscription of c.
func (e *Emulator) payer(c *customer, s *subscription) *customer {
	if p := e.state.customers[s.payer]; p != nil {
		return p
	}
	return c
}

// paidBy makes the customer of that id pay for s, a subscription of c; an empty one is c. Its own coupon takes something off when the
// order brings none.
func (e *Emulator) paidBy(c *customer, s *subscription, id string) error {
	if id == "" || id == c.id {
		return nil
	}
	p, err := e.state.present(id)
	if err != nil {
		return err
	}
	s.payer = p.id
	if s.coupon == nil {
		s.coupon, s.couponAt = p.coupon, p.couponAt
	}
	return nil
}

// minimumOf reads the least that a period of a subscription costs; nil: what its plan says.
func minimumOf(in wire.Opt[wire.SubscriptionMinimumSpendValueInput]) *Amount {
	m := in.Or(wire.SubscriptionMinimumSpendValueInput{}).Minimum.Value
	if m == nil {
		return nil
	}
	return &Amount{&Decimal{decimal.NewFromFloat(m.Amount)}, string(m.Currency.Or(""))}
}

// checkMinimum refuses a minimum spend that cannot be one.
func checkMinimum(m *Amount) error {
	if m != nil && m.Amount.IsNegative() {
		return errorf(codeBadUserInput, "a minimum spend of %s: give zero or more", m.Amount)
	}
	return nil
}

// minimum is the least that a period costs of what is billed by p, in a currency: as agreed for this subscription, or as its plan says.
func (s *subscription) minimum(p Period, currency string) decimal.Decimal {
	if m := s.minimumSpend; m != nil && (m.Currency == "" || m.Currency == currency) {
		return m.Amount.Decimal
	}
	for _, m := range s.index.plans[s.planID].MinimumSpend {
		if m.Period == p && m.Currency == currency {
			return m.Amount.Decimal
		}
	}
	return decimal.Zero
}
