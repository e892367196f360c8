package emulator

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// shop sells one thing of each kind of price.
const shop = `
features:
  - {id: seats, type: number, meter: fluctuating}
  - {id: calls, type: number, meter: incremental}
products: [{id: p}]
plans:
  - {id: none, product: p}
  - id: flat
    product: p
    pricing: paid
    prices:
      - {period: month, amount: 49.99}
      - {period: year, amount: 480}
      - {period: month, amount: 42.5, currency: EUR, country: DE}
      - {period: month, amount: 5000, currency: JPY, country: JP}
    entitlements: [{feature: seats, limit: 1}]
  - {id: big, product: p, pricing: paid, prices: [{period: month, amount: 120}, {period: year, amount: 1200}]}
  - {id: units, product: p, pricing: paid, prices: [{period: month, feature: seats, amount: 9.99, min: 2, max: 50}]}
  - {id: volume, product: p, pricing: paid, prices: [{period: month, feature: seats, tiers: [{upTo: 5, unit: 10}, {upTo: 20, unit: 8, flat: 15}, {unit: 6.5}]}]}
  - {id: graduated, product: p, pricing: paid, prices: [{period: month, feature: seats, mode: graduated, tiers: [{upTo: 5, unit: 10}, {upTo: 20, unit: 8, flat: 15}, {unit: 6.5}]}]}
  - {id: blocks, product: p, pricing: paid, prices: [{period: month, feature: calls, amount: 2.5, block: 1000}]}
  - {id: usage, product: p, pricing: paid, prices: [{period: month, amount: 10}, {period: month, feature: calls, usage: true, amount: 0.01}]}
  - id: least
    product: p
    pricing: paid
    prices: [{period: month, amount: 20}, {period: month, feature: seats, amount: 5}, {period: year, amount: 50}]
    minimumSpend: [{period: month, amount: 60}, {period: month, amount: 900, currency: EUR}]
  - {id: setup, product: p, pricing: paid, prices: [{period: month, amount: 30}, {period: month, amount: 99, once: true}]}
  - {id: tried, product: p, pricing: paid, trial: {days: 14}, prices: [{period: month, amount: 40}]}
  - {id: talk, product: p, pricing: custom}
addons:
  - id: extra
    product: p
    prices: [{period: month, amount: 15}, {period: year, amount: 150}, {period: month, amount: 14, currency: EUR, country: DE}]
  - {id: help, product: p, prices: [{period: month, amount: 5}, {period: month, amount: 25, once: true}]}
  - {id: room, product: p, prices: [{period: month, feature: seats, amount: 1.5}]}
coupons:
  - {id: fifth, name: A fifth, percentOff: 20}
  - {id: ten, name: Ten, amountsOff: [{amount: 10}, {amount: 9, currency: EUR}], months: 3}
  - {id: yen, amountsOff: [{amount: 500, currency: JPY}]}
  - {id: huge, amountsOff: [{amount: 1000}]}
  - {id: first, name: First, percentOff: 50, once: true}
`

const (
	vatOnTop  = "billing: {tax: {name: VAT, percent: 20}}\n"
	vatInside = "billing: {tax: {name: VAT, percent: 20, inclusive: true}}\n"
)

func newShop(t *testing.T, extra string) *bench {
	t.Helper()
	c, err := ParseCatalog([]byte(shop + extra))
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, Config{Catalog: c})
	b.provision("acme", "", "")
	return b
}

const (
	moneyFields   = `subTotal{amount currency} totalExcludingTax{amount} tax{amount} total{amount}`
	discountOf    = `{name type value durationType durationInMonths}`
	prorationOf   = `proration{prorationDate hasProrations credit{amount} debit{amount} netAmount{amount}}`
	previewFields = `{` + moneyFields + ` discountAmount{amount} discount` + discountOf + ` taxDetails{displayName percentage inclusive}
		billingPeriodRange{start end} ` + prorationOf + ` isPlanDowngrade hasScheduledUpdates
		subscription{` + moneyFields + ` discountAmount{amount} discount` + discountOf + `}}`
	previewV2Fields = `{billingPeriodRange{start end} isPlanDowngrade hasScheduledUpdates
		immediateInvoice{` + moneyFields + ` discount{amount} discountDetails` + discountOf + ` ` + prorationOf + `}
		recurringInvoice{` + moneyFields + ` discount{amount} discountDetails` + discountOf + `}}`
)

// estimate asks what an order of acme would cost; estimateUpdate what a change would.
func (b *bench) estimate(input string) map[string]any {
	b.t.Helper()
	return b.must(`mutation{estimateSubscription(input:{customerId:"acme",`+input+`})`+previewFields+`}`, nil)["estimateSubscription"].(map[string]any)
}

func (b *bench) estimateUpdate(input string) map[string]any {
	b.t.Helper()
	return b.must(`mutation{estimateSubscriptionUpdate(input:{`+input+`})`+previewFields+`}`, nil)["estimateSubscriptionUpdate"].(map[string]any)
}

func (b *bench) preview(input string) map[string]any {
	b.t.Helper()
	return b.must(`mutation{previewSubscription(input:{customerId:"acme",`+input+`})`+previewV2Fields+`}`, nil)["previewSubscription"].(map[string]any)
}

// order provisions a subscription of acme.
func (b *bench) order(input string) {
	b.t.Helper()
	r := b.must(`mutation{provisionSubscriptionV2(input:{customerId:"acme",`+input+`}){status}}`, nil)["provisionSubscriptionV2"].(map[string]any)
	if r["status"] != "SUCCESS" {
		b.t.Fatalf("order %s = %v", input, r)
	}
}

func amountOf(m map[string]any, field string) any { return m[field].(map[string]any)["amount"] }

// sums writes a bill as "sub-total - discount = excluding tax + tax = total currency".
func sums(m map[string]any) string {
	off := m["discountAmount"]
	if off == nil {
		off = m["discount"]
	}
	return fmt.Sprintf("%v - %v = %v + %v = %v %v", amountOf(m, "subTotal"), off.(map[string]any)["amount"],
		amountOf(m, "totalExcludingTax"), amountOf(m, "tax"), amountOf(m, "total"), m["subTotal"].(map[string]any)["currency"])
}

// prorated writes a proration as "debit - credit = net", or nothing.
func prorated(m map[string]any) string {
	p, ok := m["proration"].(map[string]any)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%v - %v = %v", amountOf(p, "debit"), amountOf(p, "credit"), amountOf(p, "netAmount"))
}

func rangeOf(m map[string]any) string {
	r := m["billingPeriodRange"].(map[string]any)
	return fmt.Sprint(r["start"], " to ", r["end"])
}

// TestANewSubscriptionIsEstimated: what is due at once (now) and for each period after it (each).
func TestANewSubscriptionIsEstimated(t *testing.T) {
	const nothing = "0 - 0 = 0 + 0 = 0 USD"
	for _, row := range []struct {
		name, extra, input string
		now, each          string // each: as now when empty
	}{
		{"a flat fee", "", `planId:"flat"`, "49.99 - 0 = 49.99 + 0 = 49.99 USD", ""},
		{"by the year", "", `planId:"flat",billingPeriod:ANNUALLY`, "480 - 0 = 480 + 0 = 480 USD", ""},
		{"a flat fee does not count units", "", `planId:"flat",billableFeatures:[{featureId:"seats",quantity:7}]`, "49.99 - 0 = 49.99 + 0 = 49.99 USD", ""},
		{"a free plan", "", `planId:"none"`, nothing, ""},

		// 3 x 9.99
		{"per unit", "", `planId:"units",billableFeatures:[{featureId:"seats",quantity:3}]`, "29.97 - 0 = 29.97 + 0 = 29.97 USD", ""},
		// 2 x 9.99
		{"fewer units than sold", "", `planId:"units",billableFeatures:[{featureId:"seats",quantity:1}]`, "19.98 - 0 = 19.98 + 0 = 19.98 USD", ""},
		// the fewest
		{"no word of units", "", `planId:"units"`, "19.98 - 0 = 19.98 + 0 = 19.98 USD", ""},
		// 50 x 9.99
		{"more units than sold", "", `planId:"units",billableFeatures:[{featureId:"seats",quantity:60}]`, "499.5 - 0 = 499.5 + 0 = 499.5 USD", ""},
		// 5 x 10
		{"volume, the last of a tier", "", `planId:"volume",billableFeatures:[{featureId:"seats",quantity:5}]`, "50 - 0 = 50 + 0 = 50 USD", ""},
		// 6 x 8 + 15
		{"volume, the first of the next", "", `planId:"volume",billableFeatures:[{featureId:"seats",quantity:6}]`, "63 - 0 = 63 + 0 = 63 USD", ""},
		// 21 x 6.5
		{"volume, no end", "", `planId:"volume",billableFeatures:[{featureId:"seats",quantity:21}]`, "136.5 - 0 = 136.5 + 0 = 136.5 USD", ""},
		// 5x10 + 15 + 1x8
		{"graduated, the first of the next", "", `planId:"graduated",billableFeatures:[{featureId:"seats",quantity:6}]`, "73 - 0 = 73 + 0 = 73 USD", ""},
		// 50 + 15 + 15x8 + 2x6.5
		{"graduated, no end", "", `planId:"graduated",billableFeatures:[{featureId:"seats",quantity:22}]`, "198 - 0 = 198 + 0 = 198 USD", ""},
		// 3 x 2.5
		{"whole blocks", "", `planId:"blocks",billableFeatures:[{featureId:"calls",quantity:3000}]`, "7.5 - 0 = 7.5 + 0 = 7.5 USD", ""},
		// 4 x 2.5
		{"a block begun", "", `planId:"blocks",billableFeatures:[{featureId:"calls",quantity:3001}]`, "10 - 0 = 10 + 0 = 10 USD", ""},
		{"what is used is charged later", "", `planId:"usage",billableFeatures:[{featureId:"calls",quantity:900}]`, "10 - 0 = 10 + 0 = 10 USD", ""},
		// 20 + 7x5 = 55
		{"less than the minimum spend", "", `planId:"least",billableFeatures:[{featureId:"seats",quantity:7}]`, "60 - 0 = 60 + 0 = 60 USD", ""},
		// 20 + 9x5
		{"more than the minimum spend", "", `planId:"least",billableFeatures:[{featureId:"seats",quantity:9}]`, "65 - 0 = 65 + 0 = 65 USD", ""},
		{"the minimum is of the other period", "", `planId:"least",billingPeriod:ANNUALLY`, "50 - 0 = 50 + 0 = 50 USD", ""},

		// 49.99 + 3x15
		{"add-ons", "", `planId:"flat",addons:[{addonId:"extra",quantity:3}]`, "94.99 - 0 = 94.99 + 0 = 94.99 USD", ""},
		// 480 + 150
		{"add-ons by the year", "", `planId:"flat",billingPeriod:ANNUALLY,addons:[{addonId:"extra"}]`, "630 - 0 = 630 + 0 = 630 USD", ""},
		// 49.99 + 2 x 3x1.5
		{"an add-on per unit", "", `planId:"flat",addons:[{addonId:"room",quantity:2}],billableFeatures:[{featureId:"seats",quantity:3}]`, "58.99 - 0 = 58.99 + 0 = 58.99 USD", ""},
		// 30 + 99
		{"a charge with the first period", "", `planId:"setup"`, "129 - 0 = 129 + 0 = 129 USD", "30 - 0 = 30 + 0 = 30 USD"},
		// 30 + 99 + 2x(5 + 25); 30 + 2x5
		{"of add-ons too", "", `planId:"setup",addons:[{addonId:"help",quantity:2}]`, "189 - 0 = 189 + 0 = 189 USD", "40 - 0 = 40 + 0 = 40 USD"},

		{"in euros", "", `planId:"flat",billingCountryCode:"DE"`, "42.5 - 0 = 42.5 + 0 = 42.5 EUR", ""},
		// 42.5 + 14
		{"with an add-on in euros", "", `planId:"flat",billingCountryCode:"DE",addons:[{addonId:"extra"}]`, "56.5 - 0 = 56.5 + 0 = 56.5 EUR", ""},
		{"of a country without a price", "", `planId:"flat",billingCountryCode:"FR"`, "49.99 - 0 = 49.99 + 0 = 49.99 USD", ""},
		{"of a country without a price by the year", "", `planId:"flat",billingCountryCode:"DE",billingPeriod:ANNUALLY`, "480 - 0 = 480 + 0 = 480 USD", ""},

		// 9.998, to the cent
		{"a fifth off", "", `planId:"flat",appliedCoupon:{couponId:"fifth"}`, "49.99 - 10 = 39.99 + 0 = 39.99 USD", ""},
		{"ten dollars off", "", `planId:"flat",appliedCoupon:{couponId:"ten"}`, "49.99 - 10 = 39.99 + 0 = 39.99 USD", ""}, //
		{"nine euros off", "", `planId:"flat",billingCountryCode:"DE",appliedCoupon:{couponId:"ten"}`, "42.5 - 9 = 33.5 + 0 = 33.5 EUR", ""},
		{"off in yen only", "", `planId:"flat",appliedCoupon:{couponId:"yen"}`, "49.99 - 0 = 49.99 + 0 = 49.99 USD", ""},
		{"500 yen off", "", `planId:"flat",billingCountryCode:"JP",appliedCoupon:{couponId:"yen"}`, "5000 - 500 = 4500 + 0 = 4500 JPY", ""},
		{"more off than it costs", vatOnTop, `planId:"flat",appliedCoupon:{couponId:"huge"}`, "49.99 - 49.99 = 0 + 0 = 0 USD", ""},
		{"a fifth off what is charged once, too", "", `planId:"setup",appliedCoupon:{couponId:"fifth"}`, "129 - 25.8 = 103.2 + 0 = 103.2 USD", "30 - 6 = 24 + 0 = 24 USD"},
		{"half off the first period", "", `planId:"big",appliedCoupon:{couponId:"first"}`, "120 - 60 = 60 + 0 = 60 USD", "120 - 0 = 120 + 0 = 120 USD"},
		// 120 / 8
		{"a discount made for it", "", `planId:"big",appliedCoupon:{discount:{percentOff:12.5}}`, "120 - 15 = 105 + 0 = 105 USD", ""},
		{"an amount made for it", "", `planId:"big",appliedCoupon:{discount:{amountsOff:[{amount:0.01},{amount:7,currency:EUR}]}}`, "120 - 0.01 = 119.99 + 0 = 119.99 USD", ""},
		{"by promotion code", "", `planId:"big",promotionCode:"fifth"`, "120 - 24 = 96 + 0 = 96 USD", ""},

		// 9.998
		{"tax on top", vatOnTop, `planId:"flat"`, "49.99 - 0 = 49.99 + 10 = 59.99 USD", ""},
		// 20 % of 96
		{"tax after the discount", vatOnTop, `planId:"big",appliedCoupon:{couponId:"fifth"}`, "120 - 24 = 96 + 19.2 = 115.2 USD", ""},
		// 120 / 6
		{"tax inside", vatInside, `planId:"big"`, "120 - 0 = 100 + 20 = 120 USD", ""},
		// 96 / 6
		{"tax inside after the discount", vatInside, `planId:"big",appliedCoupon:{couponId:"fifth"}`, "120 - 24 = 80 + 16 = 96 USD", ""},
		// 166.5; 966.6
		{"tax in yen", vatOnTop, `planId:"flat",billingCountryCode:"JP",appliedCoupon:{discount:{percentOff:3.33}}`, "5000 - 167 = 4833 + 967 = 5800 JPY", ""},
		{"tax on what is charged once", vatOnTop, `planId:"setup"`, "129 - 0 = 129 + 25.8 = 154.8 USD", "30 - 0 = 30 + 6 = 36 USD"},

		{"a trial", "", `planId:"tried"`, nothing, "40 - 0 = 40 + 0 = 40 USD"},
		{"no trial", "", `planId:"tried",skipTrial:true`, "40 - 0 = 40 + 0 = 40 USD", ""},
		{"a trial that is asked for", "", `planId:"setup",trialOverrideConfiguration:{isTrial:true}`, nothing, "30 - 0 = 30 + 0 = 30 USD"},
		{"the first period after a trial", "", `planId:"tried",appliedCoupon:{couponId:"first"}`, nothing, "40 - 20 = 20 + 0 = 20 USD"},
		{"a start to come", vatOnTop, `planId:"big",startDate:"2000-03-01"`, nothing, "120 - 0 = 120 + 24 = 144 USD"},
		{"the first period after a start to come", "", `planId:"big",startDate:"2000-03-01",appliedCoupon:{couponId:"first"}`, nothing, "120 - 60 = 60 + 0 = 60 USD"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newShop(t, row.extra)
				got := b.estimate(row.input)
				if row.each == "" {
					row.each = row.now
				}
				if s := sums(got); s != row.now {
					t.Errorf("due now: %s, want %s", s, row.now)
				}
				if s := sums(got["subscription"].(map[string]any)); s != row.each {
					t.Errorf("each period: %s, want %s", s, row.each)
				}
				if p := prorated(got); p != "" || got["isPlanDowngrade"] != false || got["hasScheduledUpdates"] != false {
					t.Errorf("proration %q, downgrade %v, scheduled %v; want none of them", p, got["isPlanDowngrade"], got["hasScheduledUpdates"])
				}
				if strings.Contains(row.input, "skipTrial") {
					return // the newer form has no word for it
				}
				newer := b.preview(row.input)
				if s := sums(newer["immediateInvoice"].(map[string]any)); s != row.now {
					t.Errorf("immediate invoice: %s, want %s", s, row.now)
				}
				if s := sums(newer["recurringInvoice"].(map[string]any)); s != row.each {
					t.Errorf("recurring invoice: %s, want %s", s, row.each)
				}
			})
		})
	}
}

func TestAnEstimateNamesItsPeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is 2000-01-01
		b := newShop(t, "")
		if err := b.AdvanceClock(30*24*time.Hour + 10*time.Hour); err != nil { // 31 January
			t.Fatal(err)
		}
		for input, want := range map[string]string{
			`planId:"flat"`:                        "2000-01-31T10:00:00.000Z to 2000-02-29T10:00:00.000Z", // a leap year
			`planId:"flat",billingPeriod:ANNUALLY`: "2000-01-31T10:00:00.000Z to 2001-01-31T10:00:00.000Z",
			`planId:"tried"`:                       "2000-01-31T10:00:00.000Z to 2000-02-14T10:00:00.000Z", // the trial
			`planId:"tried",skipTrial:true`:        "2000-01-31T10:00:00.000Z to 2000-02-29T10:00:00.000Z",
			`planId:"flat",startDate:"2000-03-31"`: "2000-03-31T00:00:00.000Z to 2000-04-30T00:00:00.000Z",
			`planId:"flat",trialOverrideConfiguration:{isTrial:true,trialEndDate:"2000-02-02"}`: "2000-01-31T10:00:00.000Z to 2000-02-02T00:00:00.000Z",
		} {
			if got := rangeOf(b.estimate(input)); got != want {
				t.Errorf("%s: %s, want %s", input, got, want)
			}
		}
	})
}

// An estimate of an update tells the period that is paid for, when the change is prorated, and whether something is scheduled already.
func TestAnEstimateOfAnUpdateNamesItsPeriodAndWhatIsScheduled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		l.provision("c1", "", "")
		l.buy(`customerId:"c1",planId:"basic",subscriptionId:"s"`)
		l.until(10 * lifeDay)
		estimate := func() string {
			return fmt.Sprint(l.write("estimateSubscriptionUpdate", `subscriptionId:"s",addons:[{addonId:"more-seats"}]`,
				`{billingPeriodRange{start end} proration{prorationDate} hasScheduledUpdates}`))
		}
		want := "map[billingPeriodRange:map[end:" + l.on(lifeJanuary) + " start:" + l.on(0) + "] hasScheduledUpdates:false proration:map[prorationDate:" + l.on(10*lifeDay) + "]]"
		if got := estimate(); got != want {
			t.Errorf("the estimate is %s, want %s", got, want)
		}
		scheduled := strings.Replace(want, "Updates:false", "Updates:true", 1)
		l.update(`subscriptionId:"s",scheduleStrategy:END_OF_BILLING_PERIOD,addons:[{addonId:"more-calls"}]`)
		if got := estimate(); got != scheduled {
			t.Errorf("with a change scheduled it is %s, want %s", got, scheduled)
		}
		l.must(`mutation{cancelSchedule(input:{subscriptionId:"s"})}`, nil)
		if got := estimate(); got != want {
			t.Errorf("without it %s, want %s", got, want)
		}
		l.write("provisionSubscriptionV2", `customerId:"c1",planId:"free",scheduleStrategy:END_OF_BILLING_PERIOD`, `{status}`)
		if got := estimate(); got != scheduled {
			t.Errorf("with another plan scheduled it is %s, want %s", got, scheduled)
		}
	})
}

func TestAnEstimateNamesCouponAndTax(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newShop(t, vatInside)
		for input, want := range map[string]string{
			`planId:"flat",appliedCoupon:{couponId:"fifth"}`:                                       "map[durationInMonths:<nil> durationType:FOREVER name:A fifth type:PERCENTAGE value:20]",
			`planId:"flat",appliedCoupon:{couponId:"ten"}`:                                         "map[durationInMonths:3 durationType:REPEATING name:Ten type:FIXED value:10]",
			`planId:"flat",appliedCoupon:{couponId:"first"}`:                                       "map[durationInMonths:<nil> durationType:ONCE name:First type:PERCENTAGE value:50]",
			`planId:"flat",billingCountryCode:"DE",appliedCoupon:{couponId:"ten"}`:                 "map[durationInMonths:3 durationType:REPEATING name:Ten type:FIXED value:9]",
			`planId:"flat",appliedCoupon:{couponId:"yen"}`:                                         "<nil>", // it takes nothing off
			`planId:"flat",appliedCoupon:{discount:{percentOff:5,name:"Ours",durationInMonths:2}}`: "map[durationInMonths:2 durationType:REPEATING name:Ours type:PERCENTAGE value:5]",
		} {
			got := b.estimate(input)
			if s := fmt.Sprint(got["discount"]); s != want {
				t.Errorf("%s: %s, want %s", input, s, want)
			}
			if s := fmt.Sprint(got["taxDetails"]); s != "map[displayName:VAT inclusive:true percentage:20]" {
				t.Errorf("%s: tax %s", input, s)
			}
		}
	})
}

// TestAChangeWithinAPeriodIsProrated: acme has something since 1 January 2000, and changes it when ten of the month's 31 days are
// over, if nothing else is said. A bill of the change is what is new, less what was paid for and is not used.
func TestAChangeWithinAPeriodIsProrated(t *testing.T) {
	const days = 24 * time.Hour
	for _, row := range []struct {
		name, extra, has string
		after            time.Duration // 10 days when zero
		change           string        // an order, or a change of it, which begins with "update:"
		proration        string
		now, each        string
		downgrade        bool
	}{
		// 120 x 21/31 = 81.290.., 49.99 x 21/31 = 33.864..
		{"an upgrade", "", `planId:"flat"`, 0, `planId:"big"`, "81.29 - 33.86 = 47.43", "47.43 - 0 = 47.43 + 0 = 47.43 USD", "120 - 0 = 120 + 0 = 120 USD", false},
		// 9.486
		{"an upgrade with tax", vatOnTop, `planId:"flat"`, 0, `planId:"big"`, "81.29 - 33.86 = 47.43", "47.43 - 0 = 47.43 + 9.49 = 56.92 USD", "120 - 0 = 120 + 24 = 144 USD", false},
		{"a downgrade", "", `planId:"big"`, 0, `planId:"flat"`, "33.86 - 81.29 = -47.43", "0 - 0 = 0 + 0 = 0 USD", "49.99 - 0 = 49.99 + 0 = 49.99 USD", true},
		{"to nothing", "", `planId:"big"`, 0, `planId:"none"`, "0 - 81.29 = -81.29", "0 - 0 = 0 + 0 = 0 USD", "0 - 0 = 0 + 0 = 0 USD", true},
		{"at once", "", `planId:"flat"`, time.Nanosecond, `planId:"big"`, "120 - 49.99 = 70.01", "70.01 - 0 = 70.01 + 0 = 70.01 USD", "120 - 0 = 120 + 0 = 120 USD", false},
		// February 2000 has 29 days, nine of which are over: 120 x 20/29 = 82.758.., 49.99 x 20/29 = 34.475..
		{"in the next period", "", `planId:"flat"`, 40 * days, `planId:"big"`, "82.76 - 34.48 = 48.28", "48.28 - 0 = 48.28 + 0 = 48.28 USD", "120 - 0 = 120 + 0 = 120 USD", false},
		// 17 hours and a half of 744 are left: 120 x 17.5/744 = 2.822.., 49.99 x 17.5/744 = 1.175..
		{"in its last hours", "", `planId:"flat"`, 30*days + 6*time.Hour + 30*time.Minute, `planId:"big"`, "2.82 - 1.18 = 1.64", "1.64 - 0 = 1.64 + 0 = 1.64 USD", "120 - 0 = 120 + 0 = 120 USD", false},

		// 3 x 9.99 = 29.97, 5 x 9.99 = 49.95: 20.302.. and 33.837..
		{"more units", "", `planId:"units",billableFeatures:[{featureId:"seats",quantity:3}]`, 0, `update:billableFeatures:[{featureId:"seats",quantity:5}]`,
			"33.84 - 20.3 = 13.54", "13.54 - 0 = 13.54 + 0 = 13.54 USD", "49.95 - 0 = 49.95 + 0 = 49.95 USD", false},
		{"fewer units", "", `planId:"units",billableFeatures:[{featureId:"seats",quantity:5}]`, 0, `update:billableFeatures:[{featureId:"seats",quantity:3}]`,
			"20.3 - 33.84 = -13.54", "0 - 0 = 0 + 0 = 0 USD", "29.97 - 0 = 29.97 + 0 = 29.97 USD", false}, // the plan is the same
		// Below the minimum spend of 60 all costs the same: 20 + 2x5 and 20 + 7x5.
		{"more units below the minimum", "", `planId:"least",billableFeatures:[{featureId:"seats",quantity:2}]`, 0, `update:billableFeatures:[{featureId:"seats",quantity:7}]`,
			"40.65 - 40.65 = 0", "0 - 0 = 0 + 0 = 0 USD", "60 - 0 = 60 + 0 = 60 USD", false},
		// 49.99 and 64.99: 33.864.. and 44.025..
		{"one add-on more", "", `planId:"flat"`, 0, `update:addons:[{addonId:"extra"}]`, "44.03 - 33.86 = 10.17", "10.17 - 0 = 10.17 + 0 = 10.17 USD", "64.99 - 0 = 64.99 + 0 = 64.99 USD", false},
		{"no add-on any more", "", `planId:"flat",addons:[{addonId:"extra"}]`, 0, `update:addons:[]`, "33.86 - 44.03 = -10.17", "0 - 0 = 0 + 0 = 0 USD", "49.99 - 0 = 49.99 + 0 = 49.99 USD", false},
		{"nothing said", "", `planId:"flat",addons:[{addonId:"extra"}]`, 0, `update:`, "44.03 - 44.03 = 0", "0 - 0 = 0 + 0 = 0 USD", "64.99 - 0 = 64.99 + 0 = 64.99 USD", false},

		// What was taken off was not paid: 96 of 120, 39.99 of 49.99: 65.032.. and 27.09.
		{"with a coupon before and after", "", `planId:"flat",appliedCoupon:{couponId:"fifth"}`, 0, `planId:"big",appliedCoupon:{couponId:"fifth"}`,
			"65.03 - 27.09 = 37.94", "37.94 - 0 = 37.94 + 0 = 37.94 USD", "120 - 24 = 96 + 0 = 96 USD", false},
		{"with a coupon from now on", "", `planId:"big"`, 0, `update:appliedCoupon:{couponId:"fifth"}`, "65.03 - 81.29 = -16.26", "0 - 0 = 0 + 0 = 0 USD", "120 - 24 = 96 + 0 = 96 USD", false},
		{"without its coupon", "", `planId:"big",appliedCoupon:{couponId:"fifth"}`, 0, `update:appliedCoupon:null`, "81.29 - 65.03 = 16.26", "16.26 - 0 = 16.26 + 0 = 16.26 USD", "120 - 0 = 120 + 0 = 120 USD", false},

		// 30 x 21/31 = 20.322..; 99 are charged with it, once.
		{"a charge with the first period", "", `planId:"flat"`, 0, `planId:"setup"`, "20.32 - 33.86 = -13.54", "99 - 0 = 99 + 0 = 99 USD", "30 - 0 = 30 + 0 = 30 USD", true},
		// What is free has no period that is paid for: 30 + 99, a fifth off.
		{"a charge with the first period, and a coupon", "", `planId:"none"`, 0, `planId:"setup",appliedCoupon:{couponId:"fifth"}`, "", "129 - 25.8 = 103.2 + 0 = 103.2 USD", "30 - 6 = 24 + 0 = 24 USD", false},
		// 39.99: 27.09, 43.99: 29.799..; what is new has had its coupon already, and the charge of 25 is a fifth off too: 20.
		{"an add-on with a charge, and a coupon", "", `planId:"flat",appliedCoupon:{couponId:"fifth"}`, 0, `update:addons:[{addonId:"help"}]`,
			"29.8 - 27.09 = 2.71", "22.71 - 0 = 22.71 + 0 = 22.71 USD", "54.99 - 11 = 43.99 + 0 = 43.99 USD", false},
		// 54.99: 37.251.., 69.99: 47.412..
		{"an add-on that was charged for", "", `planId:"flat",addons:[{addonId:"help"}]`, 0, `update:addons:[{addonId:"help"},{addonId:"extra"}]`,
			"47.41 - 37.25 = 10.16", "10.16 - 0 = 10.16 + 0 = 10.16 USD", "69.99 - 0 = 69.99 + 0 = 69.99 USD", false},
		// Ten dollars off 49.99, and then off 54.99: they are not taken off the charge as well. 39.99: 27.09; 44.99: 30.477..
		{"an add-on with a charge, and an amount off", "", `planId:"flat",appliedCoupon:{couponId:"ten"}`, 0, `update:addons:[{addonId:"help"}]`,
			"30.48 - 27.09 = 3.39", "28.39 - 0 = 28.39 + 0 = 28.39 USD", "54.99 - 10 = 44.99 + 0 = 44.99 USD", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newShop(t, row.extra)
				b.order(`subscriptionId:"s",paymentCollectionMethod:INVOICE,` + row.has)
				if row.after == 0 {
					row.after = 10 * days
				}
				if err := b.AdvanceClock(row.after); err != nil {
					t.Fatal(err)
				}
				var got map[string]any
				if update, ok := strings.CutPrefix(row.change, "update:"); ok {
					got = b.estimateUpdate(strings.TrimSuffix(`subscriptionId:"s",`+update, ","))
				} else {
					got = b.estimate(row.change)
				}
				if s := prorated(got); s != row.proration {
					t.Errorf("proration: %s, want %s", s, row.proration)
				}
				if s := sums(got); s != row.now {
					t.Errorf("due now: %s, want %s", s, row.now)
				}
				if s := sums(got["subscription"].(map[string]any)); s != row.each {
					t.Errorf("each period: %s, want %s", s, row.each)
				}
				if got["isPlanDowngrade"] != row.downgrade {
					t.Errorf("downgrade: %v, want %v", got["isPlanDowngrade"], row.downgrade)
				}
			})
		})
	}
}

// TestAnotherBillingPeriodBeginsAtOnce: what is left of the old one is credited, and a whole new one is due.
func TestAnotherBillingPeriodBeginsAtOnce(t *testing.T) {
	for _, row := range []struct {
		name, has, change, proration, now, period string
	}{
		// 49.99 x 21/31 = 33.864.. of the month are not used.
		{"to years", `planId:"flat"`, `planId:"flat",billingPeriod:ANNUALLY`, "480 - 33.86 = 446.14", "446.14", "2000-01-11T00:00:00.000Z to 2001-01-11T00:00:00.000Z"},
		{"to a bigger plan by years", `planId:"flat"`, `planId:"big",billingPeriod:ANNUALLY`, "1200 - 33.86 = 1166.14", "1166.14", "2000-01-11T00:00:00.000Z to 2001-01-11T00:00:00.000Z"},
		// 480 x 356/366 = 466.885.. of the leap year are not used.
		{"to months", `planId:"flat",billingPeriod:ANNUALLY`, `planId:"flat",billingPeriod:MONTHLY`, "49.99 - 466.89 = -416.9", "0", "2000-01-11T00:00:00.000Z to 2000-02-11T00:00:00.000Z"},
		{"with a new anchor", `planId:"flat"`, `planId:"big",billingCycleAnchor:NOW`, "120 - 33.86 = 86.14", "86.14", "2000-01-11T00:00:00.000Z to 2000-02-11T00:00:00.000Z"},
		{"with the old anchor", `planId:"flat"`, `planId:"big",billingCycleAnchor:UNCHANGED`, "81.29 - 33.86 = 47.43", "47.43", "2000-01-01T00:00:00.000Z to 2000-02-01T00:00:00.000Z"},
		{"from what is free", `planId:"none"`, `planId:"flat"`, "", "49.99", "2000-01-11T00:00:00.000Z to 2000-02-11T00:00:00.000Z"},
		{"from a trial", `planId:"tried"`, `planId:"tried",trialOverrideConfiguration:{isTrial:false}`, "", "40", "2000-01-11T00:00:00.000Z to 2000-02-11T00:00:00.000Z"},
		// 49.99 x 21/31 = 33.86 dollars are no euros.
		// 42.5 x 21/31
		{"to another currency", `planId:"flat"`, `planId:"flat",billingCountryCode:"DE"`, "28.79 - 0 = 28.79", "28.79", "2000-01-01T00:00:00.000Z to 2000-02-01T00:00:00.000Z"},
		{"when the period is over", `planId:"flat"`, `planId:"flat",billingPeriod:ANNUALLY,scheduleStrategy:END_OF_BILLING_PERIOD`, "", "0", "2000-02-01T00:00:00.000Z to 2001-02-01T00:00:00.000Z"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newShop(t, "")
				b.order(`subscriptionId:"s",` + row.has)
				if err := b.AdvanceClock(10 * 24 * time.Hour); err != nil {
					t.Fatal(err)
				}
				got := b.preview(row.change)
				immediate := got["immediateInvoice"].(map[string]any)
				if s := prorated(immediate); s != row.proration {
					t.Errorf("proration: %s, want %s", s, row.proration)
				}
				if s := fmt.Sprint(amountOf(immediate, "total")); s != row.now {
					t.Errorf("due now: %s, want %s", s, row.now)
				}
				if s := rangeOf(got); s != row.period {
					t.Errorf("period: %s, want %s", s, row.period)
				}
				b.order(`subscriptionId:"new",` + row.change) // and so it comes to be
				s := b.must(`{getSubscription(input:{subscriptionId:"new"}){currentBillingPeriodStart currentBillingPeriodEnd totalPrice{total{amount currency}}}}`, nil)["getSubscription"].(map[string]any)
				if r := fmt.Sprint(s["currentBillingPeriodStart"], " to ", s["currentBillingPeriodEnd"]); r != row.period {
					t.Errorf("the subscription's period: %s, want %s", r, row.period)
				}
				recurring := got["recurringInvoice"].(map[string]any)
				total := s["totalPrice"].(map[string]any)["total"].(map[string]any)
				if total["amount"] != amountOf(recurring, "total") || total["currency"] != recurring["subTotal"].(map[string]any)["currency"] {
					t.Errorf("the subscription costs %v, and was to cost %v", total, recurring)
				}
			})
		})
	}
}

func TestAnUpdatedBillingPeriodBeginsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newShop(t, "")
		b.order(`planId:"flat",subscriptionId:"s"`)
		const update = `mutation($p:BillingPeriod!){updateOneSubscription(input:{subscriptionId:"s",billingPeriod:$p}){currentBillingPeriodStart currentBillingPeriodEnd}}`
		for _, row := range []struct{ period, want string }{
			{"MONTHLY", "2000-01-01T00:00:00.000Z to 2000-02-01T00:00:00.000Z"}, // as it was
			{"ANNUALLY", "2000-01-21T00:00:00.000Z to 2001-01-21T00:00:00.000Z"},
		} {
			if err := b.AdvanceClock(10 * 24 * time.Hour); err != nil {
				t.Fatal(err)
			}
			s := b.must(update, map[string]any{"p": row.period})["updateOneSubscription"].(map[string]any)
			if got := fmt.Sprint(s["currentBillingPeriodStart"], " to ", s["currentBillingPeriodEnd"]); got != row.want {
				t.Errorf("%s: %s, want %s", row.period, got, row.want)
			}
		}
	})
}

// TestAgreedPricesAreEstimated: price overrides of a subscription hold for its changes.
func TestAgreedPricesAreEstimated(t *testing.T) {
	for _, row := range []struct{ name, has, overrides, update, each string }{
		// 30 + 15
		{"of the plan", `planId:"flat",addons:[{addonId:"extra"}]`, `{price:{amount:30}}`, ``, "45 - 0 = 45 + 0 = 45 USD"},
		// 49.99 + 2x1
		{"of an add-on", `planId:"flat",addons:[{addonId:"extra",quantity:2}]`, `{addonId:"extra",price:{amount:1}}`, ``, "51.99 - 0 = 51.99 + 0 = 51.99 USD"},
		{"of a unit", `planId:"units"`, `{featureId:"seats",price:{amount:2.5}}`, `billableFeatures:[{featureId:"seats",quantity:4}]`, "10 - 0 = 10 + 0 = 10 USD"},
		{"of a unit, in place of tiers", `planId:"volume"`, `{featureId:"seats",price:{amount:2}}`, `billableFeatures:[{featureId:"seats",quantity:30}]`, "60 - 0 = 60 + 0 = 60 USD"},
		{"tiers", `planId:"graduated"`, `{featureId:"seats",tiers:[{upTo:10,unitPrice:{amount:3}},{upTo:11,unitPrice:{amount:1},flatPrice:{amount:4}}]}`,
			`billableFeatures:[{featureId:"seats",quantity:20}]`, "44 - 0 = 44 + 0 = 44 USD"}, // 10x3 + 4 + 10x1
		// 3 x 2.5
		{"of a block", `planId:"blocks"`, `{featureId:"calls",blockSize:500}`, `billableFeatures:[{featureId:"calls",quantity:1001}]`, "7.5 - 0 = 7.5 + 0 = 7.5 USD"},
		{"of what recurs, not of what is charged once", `planId:"setup"`, `{price:{amount:20}}`, ``, "20 - 0 = 20 + 0 = 20 USD"},
		{"of another feature", `planId:"units"`, `{featureId:"calls",price:{amount:2}}`, ``, "19.98 - 0 = 19.98 + 0 = 19.98 USD"},
		{"in the currency it is paid in", `planId:"flat",billingCountryCode:"DE"`, `{price:{amount:30,currency:EUR}}`, ``, "30 - 0 = 30 + 0 = 30 EUR"},
		{"in another currency", `planId:"flat"`, `{price:{amount:30,currency:EUR}}`, ``, "49.99 - 0 = 49.99 + 0 = 49.99 USD"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newShop(t, "")
				b.order(`subscriptionId:"s",priceOverrides:[` + row.overrides + `],` + row.has)
				got := b.estimateUpdate(strings.TrimSuffix(`subscriptionId:"s",`+row.update, ","))
				if s := sums(got["subscription"].(map[string]any)); s != row.each {
					t.Errorf("each period: %s, want %s", s, row.each)
				}
			})
		})
	}
	// What was agreed of the fee for each period leaves the one that is charged once.
	synctest.Test(t, func(t *testing.T) {
		b := newShop(t, "")
		b.order(`planId:"setup",subscriptionId:"s",priceOverrides:[{price:{amount:20}}]`)
		p := b.must(`{getSubscription(input:{subscriptionId:"s"}){prices{price{billingCadence price{amount}}}}}`, nil)["getSubscription"].(map[string]any)["prices"]
		if got := fmt.Sprint(p); got != "[map[price:map[billingCadence:RECURRING price:map[amount:20]]] map[price:map[billingCadence:ONE_OFF price:map[amount:99]]]]" {
			t.Errorf("prices = %s, want 20 for each period and 99 once", got)
		}
	})
}

func TestADurationOfACouponRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newShop(t, "")
		b.order(`planId:"big",subscriptionId:"s",appliedCoupon:{couponId:"first"}`)
		b.must(`mutation{updateOneCustomer(input:{customerId:"acme",couponRefId:"ten"}){id}}`, nil)
		b.must(`mutation{importOneCustomer(input:{customerId:"globex"}){id}}`, nil)
		b.must(`mutation{updateOneCustomer(input:{customerId:"globex",couponRefId:"ten"}){id}}`, nil)
		b.must(`mutation{provisionSubscriptionV2(input:{customerId:"globex",planId:"big",subscriptionId:"g"}){status}}`, nil)
		// A coupon does not run while nothing is paid for.
		b.must(`mutation{importOneCustomer(input:{customerId:"initech"}){id}}`, nil)
		b.must(`mutation{updateOneCustomer(input:{customerId:"initech",couponRefId:"ten"}){id}}`, nil)
		b.must(`mutation{provisionSubscriptionV2(input:{customerId:"initech",planId:"big",subscriptionId:"i",startDate:"2000-02-01"}){status}}`, nil)
		total := func(id string) any {
			s := b.must(`query($id:String!){getSubscription(input:{subscriptionId:$id}){totalPrice{total{amount}}}}`, map[string]any{"id": id})["getSubscription"].(map[string]any)
			return amountOf(s["totalPrice"].(map[string]any), "total")
		}
		for _, row := range []struct {
			at     string
			of, to float64 // half off the first month; ten off for three
			from   float64 // ten off for three, from February
		}{
			{"2000-01-01T00:00:00Z", 60, 110, 110}, {"2000-01-31T23:59:59Z", 60, 110, 110}, {"2000-02-01T00:00:00Z", 120, 110, 110},
			{"2000-03-31T23:59:59Z", 120, 110, 110}, {"2000-04-01T00:00:00Z", 120, 120, 110}, {"2000-05-01T00:00:00Z", 120, 120, 120},
		} {
			if err := b.SetClock(at(row.at)); err != nil {
				t.Fatal(err)
			}
			if got := total("s"); got != row.of {
				t.Errorf("%s: half off the first month is %v, want %v", row.at, got, row.of)
			}
			if got := total("i"); got != row.from {
				t.Errorf("%s: ten off for three months from February is %v, want %v", row.at, got, row.from)
			}
			if got := total("g"); got != row.to {
				t.Errorf("%s: ten off for three months is %v, want %v", row.at, got, row.to)
			}
		}
	})
}

func TestWhatCannotBeEstimated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newShop(t, "")
		b.order(`planId:"flat",subscriptionId:"s"`)
		b.must(`mutation{importOneCustomer(input:{customerId:"gone"}){id}}`, nil)
		b.must(`mutation{provisionSubscriptionV2(input:{customerId:"gone",planId:"flat",subscriptionId:"over"}){status}}`, nil)
		if err := b.ArchiveCustomer("gone"); err != nil {
			t.Fatal(err)
		}
		for _, row := range []struct{ field, input, code string }{
			{"estimateSubscription", `customerId:"gone",planId:"flat"`, "EntityIsArchivedError"},
			{"estimateSubscription", `customerId:"acme",planId:"talk"`, "PriceNotFound"},
			{"estimateSubscription", `customerId:"acme",planId:"big",billingPeriod:ANNUALLY,addons:[{addonId:"room"}]`, "PriceNotFound"},
			{"estimateSubscription", `customerId:"acme",planId:"units",billingPeriod:ANNUALLY`, "PriceNotFound"},
			{"estimateSubscription", `customerId:"acme",planId:"flat",billingCountryCode:"JP",addons:[{addonId:"extra"}]`, "PriceNotFound"},
			{"estimateSubscription", `customerId:"acme",planId:"flat",addons:[{addonId:"extra"},{addonId:"extra"}]`, "DuplicateAddonProvisionedError"},
			{"estimateSubscription", `customerId:"acme",planId:"flat",addons:[{addonId:"extra",quantity:0}]`, "InvalidQuantity"},
			{"estimateSubscription", `customerId:"acme",planId:"units",billableFeatures:[{featureId:"seats",quantity:-1}]`, "InvalidQuantity"},
			{"estimateSubscription", `customerId:"acme",planId:"units",billableFeatures:[{featureId:"x",quantity:1}]`, "FeatureNotFound"},
			{"estimateSubscription", `customerId:"acme",planId:"flat",promotionCode:"x"`, "CouponNotFound"},
			{"estimateSubscription", `customerId:"acme",planId:"flat",appliedCoupon:{discount:{percentOff:101}}`, codeBadUserInput},
			{"estimateSubscription", `customerId:"acme",planId:"flat",appliedCoupon:{discount:{}}`, codeBadUserInput},
			{"estimateSubscription", `customerId:"acme",planId:"flat",appliedCoupon:{discount:{percentOff:5,amountsOff:[{amount:5}]}}`, codeBadUserInput},
			{"previewSubscription", `customerId:"acme",planId:"talk"`, "PriceNotFound"},
			{"previewSubscription", `customerId:"x",planId:"flat"`, "CustomerNotFound"},
			{"previewSubscription", `customerId:"acme",planId:"flat",addons:[{addonId:"x"}]`, "AddonNotFound"},
			{"previewSubscription", `customerId:"acme",planId:"flat",appliedCoupon:{couponId:"x"}`, "CouponNotFound"},
			{"estimateSubscriptionUpdate", `subscriptionId:"over"`, "SubscriptionAlreadyCanceledOrExpired"},
			{"estimateSubscriptionUpdate", `subscriptionId:"s",addons:[{addonId:"x"}]`, "AddonNotFound"},
			{"estimateSubscriptionUpdate", `subscriptionId:"s",billableFeatures:[{featureId:"x",quantity:1}]`, "FeatureNotFound"},
			{"estimateSubscriptionUpdate", `subscriptionId:"s",appliedCoupon:{couponId:"x"}`, "CouponNotFound"},
		} {
			a := b.ask(`mutation{`+row.field+`(input:{`+row.input+`}){__typename}}`, nil)
			if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != row.code {
				t.Errorf("%s(%s): %+v, want %s", row.field, row.input, a.Errors, row.code)
			}
		}
	})
}

// TestAnEstimateChangesNothing: nobody hears of one, and all that can be asked is as it was.
func TestAnEstimateChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newShop(t, vatOnTop)
		b.order(`planId:"flat",subscriptionId:"s",paymentCollectionMethod:INVOICE,addons:[{addonId:"extra"}],appliedCoupon:{couponId:"ten"}`)
		b.must(`mutation{updateOneCustomer(input:{customerId:"acme",couponRefId:"fifth"}){id}}`, nil)
		if err := b.AdvanceClock(10 * 24 * time.Hour); err != nil {
			t.Fatal(err)
		}
		look := func() string {
			var state strings.Builder
			if err := b.Dump(&state); err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(state.String(), b.Snapshot("acme", ""), b.Snapshot("acme", "site"),
				b.must(b.everyField("query", "getCustomerByRefId", `(input:{customerId:"acme"})`), nil), b.must(b.everyField("query", "subscriptions", ``), nil))
		}
		before := look()
		ws := b.connect()
		ws.subscribe("e", onEntitlements)
		for _, input := range []string{
			`planId:"big",appliedCoupon:{couponId:"fifth"},billingPeriod:ANNUALLY,addons:[{addonId:"extra",quantity:5}]`,
			`planId:"tried"`, `planId:"none"`, `planId:"units",resourceId:"site",billableFeatures:[{featureId:"seats",quantity:9}]`, `planId:"big",startDate:"2000-03-01"`,
		} {
			b.estimate(input)
			b.preview(input)
			b.preview(input + `,billingCycleAnchor:NOW`)
		}
		b.estimateUpdate(`subscriptionId:"s",addons:[],billableFeatures:[{featureId:"seats",quantity:9}],appliedCoupon:{discount:{percentOff:99}}`)
		b.ask(`mutation{estimateSubscription(input:{customerId:"acme",planId:"talk"}){__typename}}`, nil)
		ws.barrier() // no event came before it
		if after := look(); after != before {
			t.Errorf("before the estimates:\n%s\nafter:\n%s", before, after)
		}
		b.order(`planId:"tried"`) // and no trial was used up
		if s := b.must(`{getActiveSubscriptions(input:{customerId:"acme"}){plan{refId} status}}`, nil)["getActiveSubscriptions"]; !strings.Contains(fmt.Sprint(s), "map[refId:tried] status:IN_TRIAL") {
			t.Errorf("subscriptions = %v, want a trial", s)
		}
	})
}
