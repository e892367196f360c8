package emulator

import (
	"fmt"
	"testing"
	"testing/synctest"
)

// total is what a subscription comes to.
func (l *life) total(id string) any {
	l.t.Helper()
	s := l.must(`{getSubscription(input:{subscriptionId:"`+id+`"}){totalPrice{total{amount}}}}`, nil)["getSubscription"].(map[string]any)
	return s["totalPrice"].(map[string]any)["total"].(map[string]any)["amount"]
}

// Another customer can pay: it is asked for the payment method, its coupon takes something off, and the subscription says so, wherever
// it is read. A payer that is not there is refused, and so is another one for what is paid for already.
func TestLifecycleAnotherCustomerPays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, lifeBilling)
		l.provision("user", "", "")
		l.write("provisionCustomer", `customerId:"payer",couponRefId:"half",subscriptionParams:null`, `{customer{id}}`)
		const by = `customerId:"user",planId:"basic",payingCustomerId:`
		for _, field := range []string{"provisionSubscriptionV2", "applySubscription", "createSubscription", "estimateSubscription", "previewSubscription"} {
			l.wantCode(field, by+`"nobody"`, "CustomerNotFound")
		}
		pays := func(id, want string) {
			t.Helper()
			l.wantSub(id, "payingCustomer:map[refId:"+want+"]", "payingCustomer{refId}")
		}

		// The checkout is the payer's.
		checkout := l.sendToCheckout(by + `"payer",subscriptionId:"s"`)
		l.wantCode("applySubscription", by+`"payer"`, "PaymentMethodNotFoundError")
		l.load(l.dump())
		l.complete(checkout)
		if l.hasPaymentMethod("payer") != true || l.hasPaymentMethod("user") != false {
			t.Error("the checkout has not left the payment method with the payer alone")
		}
		pays("s", "payer")
		l.buy(`customerId:"user",resourceId:"r",planId:"basic",payingCustomerId:"payer"`)
		if got := l.total("s"); got != 10.0 {
			t.Errorf("with the payer's coupon s costs %v, want 10", got)
		}
		if got := l.write("estimateSubscription", `customerId:"user",resourceId:"r2",planId:"basic",payingCustomerId:"payer"`, `{total{amount}}`); fmt.Sprint(got) != "map[total:map[amount:10]]" {
			t.Errorf("an estimate for the payer is %v, want 10", got)
		}

		// Who pays can be said again, and not changed.
		l.write("applySubscription", by+`"payer",addons:[{addonId:"more-seats"}]`, `{subscription{id}}`)
		l.wantHas("user", "calls=100 seats=7")
		l.provision("other", "", "")
		l.wantCode("applySubscription", by+`"other"`, "ChangingPayingCustomerIsNotSupportedError")

		// The next order says anew; one's own id is nobody else's.
		if err := l.SetPaymentMethod("user", true); err != nil {
			t.Fatal(err)
		}
		l.write("createSubscription", `customerId:"user",planId:"pro",isTrial:false,refId:"t",payingCustomerId:"user"`, `{id}`)
		pays("t", "user")
		if got := l.total("t"); got != 50.0 {
			t.Errorf("what the customer pays for itself costs %v, want 50", got)
		}
		l.check(l.ArchiveCustomer("payer"))
		l.wantCode("provisionSubscriptionV2", by+`"payer"`, "EntityIsArchivedError")
	})
}

// A minimum spend is agreed with an order, changed, given back, or scheduled; one of another currency leaves the plan's.
func TestLifecycleMinimumSpendOfASubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		const least = `minimumSpend:{minimum:{amount:`
		l.write("provisionCustomer", `customerId:"c1",subscriptionParams:{planId:"basic",subscriptionId:"s",`+least+`500}}}`, `{customer{id}}`)
		wants := func(id string, want float64) {
			t.Helper()
			if got := l.total(id); got != want {
				t.Errorf("%v after the beginning, %s costs %v, want %v", l.Now().Sub(l.began), id, got, want)
			}
		}
		wants("s", 500)
		l.update(`subscriptionId:"s",` + least + `30.5,currency:USD}}`)
		wants("s", 30.5)
		l.update(`subscriptionId:"s",` + least + `700,currency:EUR}}`)
		wants("s", 20)
		l.write("applySubscription", `customerId:"c1",planId:"basic",`+least+`40}}`, `{subscription{id}}`)
		wants("s", 40)
		l.update(`subscriptionId:"s",addons:[]`)
		wants("s", 40)
		l.update(`subscriptionId:"s",scheduleStrategy:END_OF_BILLING_PERIOD,` + least + `60}}`)
		l.wantFuture("s", "31 PriceOverride basic <nil>/basic")
		l.load(l.dump())
		wants("s", 40)
		l.until(lifeJanuary + lifeDay)
		wants("s", 60)
		l.update(`subscriptionId:"s",minimumSpend:null`)
		wants("s", 20)
		l.wantCode("updateOneSubscription", `subscriptionId:"s",`+least+`-1}}`, codeBadUserInput)
		l.wantCode("provisionSubscriptionV2", `customerId:"c1",planId:"pro",`+least+`-1}}`, codeBadUserInput)
		for field, of := range map[string]string{"provisionSubscriptionV2": "subscriptionId", "createSubscription": "refId"} {
			l.write(field, `customerId:"c1",resourceId:"`+field+`",planId:"basic",`+of+`:"`+field+`",`+least+`90}}`, `{__typename}`)
			wants(field, 90)
		}
	})
}

// Credits can be agreed for a subscription as features can: in place of the plan's, by the month or by the year.
func TestLifecycleCreditsOfASubscription(t *testing.T) {
	credit := func(more string) string {
		return `entitlements:[{credit:{customCurrencyId:"ai-credits",` + more + `}}]`
	}
	credits := func(b *bench) (e EntitlementState) {
		for _, e = range b.Snapshot("c1", "").Entitlements {
			if e.CurrencyID == "ai-credits" {
				break
			}
		}
		return e
	}
	wants := func(b *bench, limit, days float64) {
		b.t.Helper()
		if e := credits(b); e.CurrencyID == "" || e.Limit == nil || *e.Limit != limit || e.PeriodEnd.Sub(e.PeriodStart).Hours() != 24*days {
			b.t.Errorf("credits are %+v, want %v for %v days", e, limit, days)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		l := &life{b, b.Now()}
		for field, params := range map[string]string{
			"provisionCustomer":       `subscriptionParams:{planId:"growth",` + credit(`amount:77,cadence:MONTH`) + `}`,
			"provisionSubscriptionV2": `planId:"growth",skipTrial:true,` + credit(`amount:77,cadence:MONTH`),
			"createSubscription":      `planId:"growth",` + credit(`amount:77,cadence:MONTH`),
		} {
			b.Reset()
			b.provision("c1", "", "")
			l.write(field, `customerId:"c1",`+params, `{__typename}`)
			wants(b, 77, 31)
		}
		l.write("provisionSubscriptionV2", `customerId:"c1",planId:"growth",subscriptionId:"s",`+credit(`amount:77,cadence:MONTH,hasSoftLimit:true`), `{status}`)
		if !credits(b).SoftLimit {
			t.Error("the limit is hard, and a soft one was agreed")
		}
		l.update(`subscriptionId:"s",` + credit(`amount:1200,cadence:YEAR`))
		wants(b, 1200, 366)
		l.write("applySubscription", `customerId:"c1",planId:"growth",`+credit(`amount:5,cadence:MONTH`), `{subscription{id}}`)
		wants(b, 5, 31)
		for _, wrong := range []string{
			`{credit:{customCurrencyId:"gold",amount:1,cadence:MONTH}}`, `{}`, `{credit:{customCurrencyId:"ai-credits",amount:-1,cadence:MONTH}}`,
			`{feature:{featureId:"seats",usageLimit:1},credit:{customCurrencyId:"ai-credits",amount:1,cadence:MONTH}}`,
		} {
			l.wantCode("updateOneSubscription", `subscriptionId:"s",entitlements:[`+wrong+`]`, codeBadUserInput)
		}
		wants(b, 5, 31)
	})
}

// An estimate takes the tax that it is told; without one that of the catalog, and none is a tax of none.
func TestEstimatesTakeATaxPercentage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "billing: {tax: {name: VAT, percent: 20}}\n")
		l.provision("c1", "", "")
		estimate := func(more string) string {
			v1 := l.write("estimateSubscription", `customerId:"c1",planId:"basic"`+more, `{tax{amount} total{amount} subscription{tax{amount}}}`)
			v2 := l.write("previewSubscription", `customerId:"c1",planId:"basic"`+more, `{immediateInvoice{tax{amount}} recurringInvoice{tax{amount}}}`)
			return fmt.Sprint(v1["tax"], v1["total"], v1["subscription"], v2["immediateInvoice"], v2["recurringInvoice"])
		}
		for percent, want := range map[string][2]float64{``: {4, 24}, `25`: {5, 25}, `0`: {0, 20}} {
			more := ""
			if percent != "" {
				more = `,billingInformation:{taxPercentage:` + percent + `}`
			}
			tax := fmt.Sprintf("map[tax:map[amount:%v]]", want[0])
			if got, want := estimate(more), fmt.Sprintf("map[amount:%v] map[amount:%v] %s %s %s", want[0], want[1], tax, tax, tax); got != want {
				t.Errorf("with a tax of %q: %s, want %s", percent, got, want)
			}
		}
		l.wantCode("estimateSubscription", `customerId:"c1",planId:"basic",billingInformation:{taxPercentage:101}`, codeBadUserInput)
	})
}

// When a customer was made elsewhere is taken over where it is made here, and not again.
func TestLifecycleCreatedAtOfACustomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		for _, at := range []string{"1999-01-01T00:00:00Z", "1998-01-01T00:00:00Z"} {
			got := l.write("provisionCustomer", `customerId:"c1",createdAt:"`+at+`",subscriptionParams:null`, `{customer{createdAt}}`)
			if want := "map[customer:map[createdAt:1999-01-01T00:00:00.000Z]]"; fmt.Sprint(got) != want {
				t.Errorf("with createdAt %s: %v, want %s", at, got, want)
			}
		}
	})
}
