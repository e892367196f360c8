package emulator

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// invoiceCatalog charges in every way there is.
const invoiceCatalog = `
features:
  - {id: seats, name: Seats, type: number, meter: fluctuating}
  - {id: exports, name: Exports, type: number, meter: incremental}
  - {id: calls, name: Calls, type: number, meter: incremental}
products: [{id: app}]
plans:
  - {id: free, product: app, name: Free, entitlements: [{feature: seats, limit: 1}]}
  - id: team
    product: app
    name: Team
    pricing: paid
    prices:
      - {period: month, amount: 50}
      - {period: month, amount: 99, once: true}
      - {period: month, feature: seats, mode: graduated, tiers: [{upTo: 10, unit: 8}, {unit: 6}]}
      - {period: month, feature: exports, usage: true, amount: 0.5, block: 100}
      - {period: month, feature: calls, usage: true, amount: 0.001}
      - {period: year, amount: 500}
    minimumSpend: [{period: month, amount: 150}]
    entitlements:
      - {feature: seats, limit: 5}
      - {feature: exports, limit: 1000, softLimit: true, reset: week}
      - {feature: calls, limit: 1000, softLimit: true}
  - id: pro
    product: app
    name: Pro
    pricing: paid
    trial: {days: 14, convert: true}
    prices: [{period: month, amount: 200}, {period: month, amount: 10, once: true}]
    entitlements: [{feature: seats, limit: 50}]
  - {id: custom, product: app, pricing: custom}
addons:
  - {id: more, product: app, name: More seats, prices: [{period: month, amount: 5}, {period: month, amount: 7, once: true}], entitlements: [{feature: seats, limit: 2}]}
coupons:
  - {id: tenth, percentOff: 10}
  - {id: first, percentOff: 50, once: true}
`

// wantInvoice checks the next invoice of a subscription: its lines, such as "BaseCharge Team 50", and its sums.
func (l *life) wantInvoice(id, sums string, lines ...string) {
	l.t.Helper()
	const ask = `{subTotal{amount currency} subTotalExcludingTax{amount} discount{amount} totalExcludingTax{amount} tax{amount} total{amount} amountDue{amount} minimumSpendAdjustment{amount} lines{type description quantity amount{amount} lines{type quantity} period{start end}}}`
	x := l.write("previewNextInvoice", `subscriptionId:"`+id+`"`, ask)
	amount := func(name string) any { return x[name].(map[string]any)["amount"] }
	got := fmt.Sprintf("%v off %v, tax %v, total %v", amount("subTotal"), amount("discount"), amount("tax"), amount("total"))
	if raised := amount("minimumSpendAdjustment"); raised != 0.0 {
		got += fmt.Sprint(", raised ", raised)
	}
	if amount("amountDue") != amount("total") || got != sums {
		l.t.Errorf("the invoice of %s is %s (due %v), want %s", id, got, amount("amountDue"), sums)
	}
	var have []string
	for _, v := range x["lines"].([]any) {
		line := v.(map[string]any)
		text := fmt.Sprint(line["type"], " ", line["description"], " ", line["amount"].(map[string]any)["amount"])
		if q := line["quantity"]; q != nil {
			text += fmt.Sprint(" for ", q)
		}
		for _, part := range line["lines"].([]any) {
			text += fmt.Sprint(", ", part.(map[string]any)["quantity"])
		}
		day := func(field string) float64 {
			at, err := time.Parse(time.RFC3339, line["period"].(map[string]any)[field].(string))
			if err != nil {
				l.t.Error(err)
			}
			return at.Sub(l.began).Hours() / 24
		}
		if start, end := day("start"), day("end"); start != end {
			text += fmt.Sprint("; ", start, "-", end)
		}
		have = append(have, text)
	}
	if a, b := strings.Join(have, "\n"), strings.Join(lines, "\n"); a != b {
		l.t.Errorf("the invoice of %s has\n%s\nwant\n%s", id, a, b)
	}
}

func newInvoices(t *testing.T, more string) *life {
	t.Helper()
	b := newBench(t, Config{Catalog: mustParse(t, invoiceCatalog+more)})
	return &life{b, b.Now()}
}

// The next period in advance, and what was used in this one: by the billing period, whatever the periods of usage.
func TestTheNextInvoiceHasWhatRecursAndWhatWasUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newInvoices(t, "billing: {tax: {name: VAT, percent: 20}}")
		l.provision("c1", "", "")
		l.check(l.SetPaymentMethod("c1", true))
		l.buy(`customerId:"c1",planId:"team",subscriptionId:"s",billableFeatures:[{featureId:"seats",quantity:12}],addons:[{addonId:"more",quantity:2}],appliedCoupon:{couponId:"tenth"}`)
		// 50, 10*8+2*6, 2*5: 152, no more than the minimum asks for; nothing was used.
		const base, seats, more = "BaseCharge Team 50; 31-60", "InAdvanceCommitmentCharge Team: Seats 92 for 12, 10, 2; 31-60", "AddonCharge More seats 10 for 2; 31-60"
		l.wantInvoice("s", "152 off 15.2, tax 27.36, total 164.16", base, seats, more,
			"PayAsYouGoCharge Team: Exports 0 for 0; 0-31", "PayAsYouGoCharge Team: Calls 0 for 0; 0-31")
		l.report("c1", "", "exports", 150)
		l.report("c1", "", "calls", 1001)
		l.until(10 * lifeDay) // another week
		l.report("c1", "", "exports", 120)
		l.write("reportUsage", `customerId:"c1",featureId:"exports",value:100,updateBehavior:SET`, `{id}`)
		l.provision("c1", "site", "")
		l.report("c1", "site", "exports", 60) // of a resource that has no subscription of its own
		l.provision("c1", "own", "team")
		l.report("c1", "own", "exports", 1000)
		// 310 exports are four blocks; 1,001 calls are 1.001, rounded.
		l.wantInvoice("s", "155 off 15.5, tax 27.9, total 167.4", base, seats, more,
			"PayAsYouGoCharge Team: Exports 2 for 310; 0-31", "PayAsYouGoCharge Team: Calls 1 for 1001; 0-31")
		before := l.dump()
		l.wantInvoice("s", "155 off 15.5, tax 27.9, total 167.4", base, seats, more,
			"PayAsYouGoCharge Team: Exports 2 for 310; 0-31", "PayAsYouGoCharge Team: Calls 1 for 1001; 0-31")
		if l.dump() != before {
			t.Error("a preview changed the account")
		}
		l.until(32 * lifeDay) // that was paid
		l.report("c1", "", "calls", 2000)
		l.wantInvoice("s", "154 off 15.4, tax 27.72, total 166.32", "BaseCharge Team 50; 60-91", "InAdvanceCommitmentCharge Team: Seats 92 for 12, 10, 2; 60-91",
			"AddonCharge More seats 10 for 2; 60-91", "PayAsYouGoCharge Team: Exports 0 for 0; 31-60", "PayAsYouGoCharge Team: Calls 2 for 2000; 31-60")
	})
}

// What is scheduled until then is on it, with what is charged once; and what ends is not.
func TestTheNextInvoiceHasWhatIsScheduled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newInvoices(t, "")
		l.provision("c1", "", "")
		const exports, calls = "PayAsYouGoCharge Team: Exports 0 for 0; 0-31", "PayAsYouGoCharge Team: Calls 0 for 0; 0-31"
		l.buy(`customerId:"c1",planId:"team",subscriptionId:"s",appliedCoupon:{couponId:"first"}`)
		const minimum = "MinimumSpendAdjustmentCharge Minimum spend "
		l.wantInvoice("s", "150 off 0, tax 0, total 150, raised 92", "BaseCharge Team 50; 31-60", "InAdvanceCommitmentCharge Team: Seats 8 for 1, 1; 31-60", exports, calls, minimum+"92")
		l.update(`subscriptionId:"s",scheduleStrategy:END_OF_BILLING_PERIOD,addons:[{addonId:"more"}],billableFeatures:[{featureId:"seats",quantity:10}]`)
		l.wantInvoice("s", "157 off 0, tax 0, total 157, raised 15", "BaseCharge Team 50; 31-60", "InAdvanceCommitmentCharge Team: Seats 80 for 10, 10; 31-60",
			"AddonCharge More seats 5 for 1; 31-60", "Other More seats: once 7; 31-60", exports, calls, minimum+"15")
		l.buy(`customerId:"c1",planId:"pro",subscriptionId:"next",skipTrial:true,scheduleStrategy:END_OF_BILLING_PERIOD`)
		l.wantInvoice("s", "210 off 0, tax 0, total 210", "BaseCharge Pro 200; 31-60", "Other Pro: once 10; 31-60", exports, calls)
		l.wantInvoice("next", "210 off 0, tax 0, total 210", "BaseCharge Pro 200; 31-60", "Other Pro: once 10; 31-60") // its own first
		l.write("cancelSubscription", `subscriptionRefId:"s"`, `{id}`)
		l.report("c1", "", "calls", 5000)
		l.wantInvoice("s", "5 off 0, tax 0, total 5", exports, "PayAsYouGoCharge Team: Calls 5 for 5000; 0-31") // and no more

		l.provision("c2", "", "")
		l.buy(`customerId:"c2",planId:"pro",subscriptionId:"trial"`)
		l.wantInvoice("trial", "210 off 0, tax 0, total 210", "BaseCharge Pro 200; 14-31", "Other Pro: once 10; 14-31")
		l.buy(`customerId:"c2",planId:"free",resourceId:"r",subscriptionId:"nothing"`)
		l.wantInvoice("nothing", "0 off 0, tax 0, total 0", "ZeroAmountBaseCharge Free 0; 31-60")
		l.buy(`customerId:"c2",planId:"team",resourceId:"y",billingPeriod:ANNUALLY,subscriptionId:"year"`)
		l.wantInvoice("year", "500 off 0, tax 0, total 500", "BaseCharge Team 500; 366-731")
		l.buy(`customerId:"c2",planId:"custom",resourceId:"z",subscriptionId:"agreed"`)
		l.wantCode("previewNextInvoice", `subscriptionId:"agreed"`, "PriceNotFound")
		l.provision("c3", "", "")
		l.buy(`customerId:"c3",planId:"team",subscriptionId:"short",cancellationDate:"` + l.on(10*lifeDay) + `"`)
		l.wantInvoice("short", "0 off 0, tax 0, total 0", "PayAsYouGoCharge Team: Exports 0 for 0; 0-10", "PayAsYouGoCharge Team: Calls 0 for 0; 0-10")
		l.buy(`customerId:"c3",resourceId:"r",planId:"team",subscriptionId:"soon",startDate:"` + l.on(5*lifeDay) + `"`)
		l.wantInvoice("soon", "249 off 0, tax 0, total 249, raised 92", "BaseCharge Team 50; 5-36", "InAdvanceCommitmentCharge Team: Seats 8 for 1, 1; 5-36",
			"Other Team: once 99; 5-36", minimum+"92") // its first
		l.wantCode("previewNextInvoice", `subscriptionId:"none"`, codeSubscriptionNotFound)
	})
}
