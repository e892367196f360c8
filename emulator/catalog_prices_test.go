package emulator

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
)

// priced is a catalog with one paid plan, whose prices are given as YAML of a list.
func priced(prices string) string {
	return `
features:
  - {id: seats, type: number, meter: fluctuating}
  - {id: size, type: number}
  - {id: sso, type: boolean}
products: [{id: p}]
plans: [{id: paid, product: p, pricing: paid, prices: ` + prices + `}]
`
}

func TestAmountsAreTheDigitsThatAreWritten(t *testing.T) {
	c, err := ParseCatalog([]byte(priced(`[{period: month, amount: 1000000000000000.01}, {period: year, amount: "0.1"}, {period: month, amount: 0.2, currency: EUR}]`)))
	if err != nil {
		t.Fatal(err)
	}
	p := c.Plans[0].Prices
	if sum := p[1].Amount.Add(p[2].Amount.Decimal); p[0].Amount.String() != "1000000000000000.01" || sum.String() != "0.3" {
		t.Errorf("%s; 0.1 and 0.2 are %s", p[0].Amount, sum)
	}
	var again Price
	if err := json.Unmarshal([]byte(`{"period":"month","amount":1000000000000000.01}`), &again); err != nil || !again.Amount.Equal(p[0].Amount.Decimal) {
		t.Errorf("from JSON: %v, %v", again.Amount, err)
	}
}

func TestPricesAreChecked(t *testing.T) {
	for _, row := range []struct{ prices, field, says string }{
		{`[{period: week, amount: 1}]`, "plans[0].prices[0].period", "month or year"},
		{`[{amount: 1}]`, "plans[0].prices[0].period", "month or year"},
		{`[{period: month, amount: -1}]`, "plans[0].prices[0].amount", "zero or more"},
		{`[{period: month, amount: 1, currency: usd}]`, "plans[0].prices[0].currency", "three capital letters"},
		{`[{period: month, amount: 1, currency: KWD}]`, "plans[0].prices[0].currency", "the API has no"},
		{`[{period: month, amount: 1, country: DEU}]`, "plans[0].prices[0].country", "two capital letters"},
		{`[{period: month}]`, "plans[0].prices[0]", "exactly one of amount and tiers"},
		{`[{period: month, feature: seats, amount: 1, tiers: [{unit: 1}]}]`, "plans[0].prices[0]", "exactly one of amount and tiers"},
		{`[{period: month, tiers: [{unit: 1}]}]`, "plans[0].prices[0].feature", "is required"},
		{`[{period: month, amount: 1, min: 3}]`, "plans[0].prices[0].feature", "is required"},
		{`[{period: month, feature: none, amount: 1}]`, "plans[0].prices[0].feature", `no feature "none"`},
		{`[{period: month, feature: sso, amount: 1}]`, "plans[0].prices[0].feature", "has no units"},
		{`[{period: month, feature: size, amount: 1, usage: true}]`, "plans[0].prices[0].usage", "metered"},
		{`[{period: month, feature: seats, amount: 1, usage: true, once: true}]`, "plans[0].prices[0].once", "each period"},
		{`[{period: month, feature: seats, amount: 1, min: -1}]`, "plans[0].prices[0].min", "zero or more"},
		{`[{period: month, feature: seats, amount: 1, min: 5, max: 4}]`, "plans[0].prices[0].max", "less than min"},
		{`[{period: month, amount: 1, mode: volume}]`, "plans[0].prices[0].mode", "is for tiers"},
		{`[{period: month, feature: seats, mode: steps, tiers: [{unit: 1}]}]`, "plans[0].prices[0].mode", "volume or graduated"},
		{`[{period: month, feature: seats, tiers: [{unit: 1}, {unit: 2}]}]`, "plans[0].prices[0].tiers[0].upTo", "is required"},
		{`[{period: month, feature: seats, tiers: [{upTo: 5, unit: 1}]}]`, "plans[0].prices[0].tiers[0].upTo", "no end"},
		{`[{period: month, feature: seats, tiers: [{upTo: 5, unit: 1}, {upTo: 5, unit: 2}, {unit: 3}]}]`, "plans[0].prices[0].tiers[1].upTo", "more than"},
		{`[{period: month, feature: seats, tiers: [{upTo: 5}, {unit: 2}]}]`, "plans[0].prices[0].tiers[0]", "give unit, flat, or both"},
		{`[{period: month, amount: 1}], minimumSpend: [{period: month}]`, "plans[0].minimumSpend[0].amount", "is required"},
		{`[{period: month, amount: 1}], minimumSpend: [{period: day, amount: 1}]`, "plans[0].minimumSpend[0].period", "month or year"},
	} {
		_, err := ParseCatalog([]byte(priced(row.prices)))
		e, ok := errors.AsType[*CatalogError](err)
		if !ok || e.Field != row.field || !strings.Contains(e.Problem, row.says) || e.Line != 7 {
			t.Errorf("%s: %v, want line 7, %s: %s", row.prices, err, row.field, row.says)
		}
		expressible := slices.ContainsFunc([]string{
			"period: week", "[{amount: 1}]", "amount: -1", "currency: usd", "country: DEU", "min: -1", "mode: steps", "minimumSpend: [{period: month}]", "period: day",
		}, func(part string) bool { return strings.Contains(row.prices, part) })
		if err := checkSchema(t, priced(row.prices)); expressible != (err != nil) {
			t.Errorf("%s: the schema says %v", row.prices, err)
		}
	}
	for text, says := range map[string]string{
		"coupons: [{id: c}]": "exactly one of percentOff and amountsOff",
		"coupons: [{id: c, percentOff: 10, amountsOff: [{amount: 1}]}]":                           "exactly one of percentOff and amountsOff",
		"coupons: [{id: c, percentOff: 101}]":                                                     "at most 100",
		"coupons: [{id: c, amountsOff: [{amount: 0}]}]":                                           "must be positive",
		"coupons: [{id: c, amountsOff: [{amount: 1, currency: dollars}]}]":                        "three capital letters",
		"coupons: [{id: c, percentOff: 10, once: true, months: 2}]":                               "does not go with once",
		"coupons: [{id: c, percentOff: 1}, {id: c, percentOff: 2}]":                               "already used",
		"billing: {tax: {percent: 20}}":                                                           "billing.tax.name: is required",
		"billing: {tax: {name: VAT}}":                                                             "billing.tax.percent: is required",
		"billing: {tax: {name: VAT, percent: 0}}":                                                 "more than 0",
		"plans: [{id: f, product: p, prices: [{period: month, amount: 1}]}]\nproducts: [{id: p}]": "a free plan has none",
		"billing: {tax: {name: VAT, percent: twenty}}":                                            "billing.tax.percent",
	} {
		if _, err := ParseCatalog([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
}

func TestPublishingAPriceIsPublishing(t *testing.T) {
	b := newBench(t, Config{})
	before := b.state.index.plans["starter"].Version
	c := DemoCatalog()
	for i := range c.Plans {
		if c.Plans[i].ID == "starter" {
			c.Plans[i].Prices[0].Amount = &Decimal{decimal.NewFromInt(21)}
		}
	}
	if err := b.UpdateCatalog(c, NewCustomers); err != nil {
		t.Fatal(err)
	}
	if now := b.state.index.plans["starter"].Version; now != before+1 || b.state.index.plans["growth"].Version != 1 {
		t.Errorf("starter is version %d, want %d", now, before+1)
	}
	c.Plans[1].Prices[0].Amount = &Decimal{decimal.NewFromInt(99)} // the caller's, not the emulator's
	if got := b.state.index.plans["starter"].Prices[0].Amount; got.String() != "21" {
		t.Errorf("the published price is %s", got)
	}
}
