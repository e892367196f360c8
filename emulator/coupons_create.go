package emulator

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// madeCoupon is a coupon that is not of the catalog. It stays when the catalog is replaced; one of the same id there takes its place.
type madeCoupon struct {
	Coupon
	metadata  any
	createdAt time.Time
}

// coupon returns the coupon of that id, of the catalog or made since, or nil.
func (a *account) coupon(id string) *Coupon {
	if c := a.index.coupons[id]; c != nil {
		return c
	}
	for _, m := range a.made {
		if m.ID == id {
			return &m.Coupon
		}
	}
	return nil
}

// coupons returns all there are: those of the catalog, in its order, and those that were made, the oldest first.
func (a *account) coupons() []*Coupon {
	var list []*Coupon
	for i := range a.index.catalog.Coupons {
		list = append(list, &a.index.catalog.Coupons[i])
	}
	for _, m := range a.made {
		if a.index.coupons[m.ID] == nil {
			list = append(list, &m.Coupon)
		}
	}
	return list
}

// created returns the metadata of a coupon and when it was made, which for one of the catalog is when the emulator began.
func (a *account) created(c *Coupon, began time.Time) (metadata any, at time.Time) {
	i := slices.IndexFunc(a.made, func(m *madeCoupon) bool { return m.ID == c.ID })
	if i < 0 || a.index.coupons[c.ID] != nil {
		return nil, began
	}
	return a.made[i].metadata, a.made[i].createdAt
}

// CreateOneCoupon makes a coupon, which can be applied like those of the catalog.
func (*mutation) CreateOneCoupon(ctx context.Context, args wire.MutationCreateOneCouponArgs) (*wire.Coupon, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	in := args.Input
	c, err := couponMade(&in)
	if err != nil {
		return nil, err
	}
	if m.e.state.coupon(c.ID) != nil {
		return nil, errorf("DuplicatedEntityNotAllowed", "coupon %q already exists", c.ID)
	}
	made := &madeCoupon{Coupon: *c, metadata: in.AdditionalMetaData.Or(wire.JSON{}).Value, createdAt: m.e.instant()}
	m.e.state.made = append(m.e.state.made, made)
	return m.e.couponOf(&made.Coupon), nil
}

// couponMade reads a coupon. What it takes off may be said in either of two ways: percentOff or amountsOff, or type and the older
// discountValue, of which an amount is in the default currency. When both are given they have to agree.
func couponMade(in *wire.CreateCouponInput) (*Coupon, error) {
	bad := func(format string, args ...any) (*Coupon, error) {
		return nil, errorf(codeBadUserInput, format, args...)
	}
	c := &Coupon{ID: in.RefID, Name: in.Name, Description: in.Description.Or("")}
	switch {
	case in.PercentOff.Value == nil && in.AmountsOff.Value == nil && in.DiscountValue.Value == nil:
		return bad("nothing is taken off: give percentOff or amountsOff")
	case in.PercentOff.Value != nil && in.AmountsOff.Value != nil:
		return bad("percentOff and amountsOff are both given: give only one")
	case c.ID == "":
		return nil, errorf("MissingEntityIdError", "give refId")
	case c.Name == "":
		return bad("give a name")
	}
	if p := in.PercentOff.Value; p != nil {
		c.PercentOff = &Decimal{decimal.NewFromFloat(*p)}
	}
	for _, a := range in.AmountsOff.Or(nil) {
		currency := string(a.Currency.Or(defaultCurrency))
		if slices.ContainsFunc(c.AmountsOff, func(o Amount) bool { return o.Currency == currency }) {
			return bad("amountsOff has two amounts in %s: give one for each currency", currency)
		}
		c.AmountsOff = append(c.AmountsOff, Amount{Amount: &Decimal{decimal.NewFromFloat(a.Amount)}, Currency: currency})
	}
	kind := in.Type.Value
	if v := in.DiscountValue.Value; v != nil && c.PercentOff == nil && len(c.AmountsOff) == 0 {
		switch off := (&Decimal{decimal.NewFromFloat(*v)}); {
		case kind == nil:
			return bad("discountValue alone does not say of what: give type too, or percentOff, or amountsOff")
		case *kind == wire.CouponTypePercentage:
			c.PercentOff = off
		default:
			c.AmountsOff = []Amount{{Amount: off, Currency: defaultCurrency}}
		}
	}
	if months := in.DurationInMonths.Value; months != nil {
		if c.Months = int(*months); *months < 1 || *months != math.Trunc(*months) || *months > maxMonths {
			return bad("durationInMonths is %v: give a whole number of months, or leave it out for ever", *months)
		}
	}
	ck := &checker{ix: &index{coupons: map[string]*Coupon{}}}
	checked := []Coupon{*c}
	if ck.coupons(checked); len(ck.errs) > 0 {
		e, _ := errors.AsType[*CatalogError](ck.errs[0])
		return bad("the coupon cannot be made: %s %s", strings.TrimPrefix(e.Field, "coupons[0]."), e.Problem)
	}
	if kind != nil && *kind != checked[0].kind() {
		return bad("type is %s, and what is taken off is %s", *kind, checked[0].kind())
	}
	if v := in.DiscountValue.Value; v != nil && !checked[0].value().Equal(decimal.NewFromFloat(*v)) {
		return bad("discountValue is %v, and what is taken off is %s", *v, checked[0].value())
	}
	return &checked[0], nil
}

// maxMonths is as long as a coupon can hold without saying that it holds for ever.
const maxMonths = 1200

// value is what a coupon takes off: a percentage, or an amount in the first of its currencies.
func (c *Coupon) value() decimal.Decimal {
	if c.PercentOff != nil {
		return c.PercentOff.Decimal
	}
	return c.AmountsOff[0].Amount.Decimal
}
