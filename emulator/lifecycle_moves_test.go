package emulator

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// resource and parties are fields of a subscription that say whose it is.
const (
	ofResource = `resource{resourceId}`
	ofCustomer = `customer{refId}`
	ofPayer    = `payingCustomer{refId}`
)

// wantOf checks whose a subscription is: "customer/resource payer".
func (l *life) wantOf(id, want string) {
	l.t.Helper()
	s := l.must(`{getSubscription(input:{subscriptionId:"`+id+`"}){`+ofCustomer+ofPayer+ofResource+`}}`, nil)["getSubscription"].(map[string]any)
	got := s["customer"].(map[string]any)["refId"].(string)
	if r, ok := s["resource"].(map[string]any); ok {
		got += "/" + r["resourceId"].(string)
	}
	if got += " " + s["payingCustomer"].(map[string]any)["refId"].(string); got != want {
		l.t.Errorf("%v after the beginning, %s is of %q, want %q", l.Now().Sub(l.began), id, got, want)
	}
}

// A subscription that moves from resource to resource takes its periods and what is scheduled along; usage stays where it was.
func TestLifecycleTransferBetweenResources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		l.provision("c1", "", "")
		l.buy(`customerId:"c1",resourceId:"site",planId:"basic",subscriptionId:"s"`)
		l.until(10 * lifeDay)
		l.buy(`customerId:"c1",resourceId:"shop",planId:"free",subscriptionId:"old"`)
		l.buy(`customerId:"c1",resourceId:"shop",planId:"team",subscriptionId:"planned",skipTrial:true,scheduleStrategy:END_OF_BILLING_PERIOD`)
		l.write("updateOneSubscription", `subscriptionId:"s",scheduleStrategy:END_OF_BILLING_PERIOD,addons:[{addonId:"more-seats"}]`, `{id}`)
		l.report("c1", "site", "calls", 7)
		ears := l.listen()

		l.write("transferSubscriptionToResource", `subscriptionId:"s",destinationResourceId:"shop"`, `{id}`)
		ears.want("c1/site NoActiveSubscription", "c1/shop calls=100 seats=5")
		l.wantHas("c1/site", "NoActiveSubscription")
		l.wantOf("s", "c1/shop c1")
		l.wantSub("old", "status:CANCELED", "status")
		l.wantSub("planned", "status:CANCELED", "status")
		l.wantFuture("s", "31 Addon more-seats 1/more-seats")
		if used := l.usage("c1", "shop", "calls"); used != 0 {
			t.Errorf("%v calls used in the shop, want none: they were the site's", used)
		}
		before := l.dump()
		l.write("transferSubscriptionToResource", `subscriptionId:"s",destinationResourceId:"shop"`, `{id}`)
		if l.dump() != before {
			t.Error("moved to where it is, the account changed")
		}

		l.until(lifeJanuary + time.Hour) // the period it was sold by
		l.wantHas("c1/shop", "calls=100 seats=7")
		l.wantHas("c1", "NoActiveSubscription")
		l.write("transferSubscriptionToResource", `subscriptionId:"s"`, `{id}`)
		l.wantOf("s", "c1 c1")
		l.wantHas("c1", "calls=100 seats=7")
		l.wantHas("c1/site", "calls=100 seats=7") // through the customer
	})
}

// The older form finds by itself what is paid for.
func TestLifecycleTransferOfWhatIsPaidFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		l.provision("c1", "", "")
		l.provision("c1", "empty", "free")
		l.buy(`customerId:"c1",resourceId:"site",planId:"pro",subscriptionId:"trial"`)
		l.buy(`customerId:"c1",resourceId:"site",planId:"basic",subscriptionId:"paid"`)
		const to = `,destinationResourceId:"shop"`
		l.wantCode("transferSubscription", `customerId:"c1",sourceResourceId:"empty"`+to, "NoActiveSubscriptionForCustomer")
		l.wantCode("transferSubscription", `customerId:"c1",sourceResourceId:"unheard"`+to, "CustomerResourceNotFound")
		l.wantCode("transferSubscription", `customerId:"nobody",sourceResourceId:"site"`+to, codeCustomerNotFound)
		l.wantCode("transferSubscription", `customerId:"c1",sourceResourceId:""`+to, codeBadUserInput)
		l.wantCode("transferSubscriptionToResource", `subscriptionId:"none"`, codeSubscriptionNotFound)
		l.write("transferSubscription", `customerId:"c1",sourceResourceId:"site"`+to, `{id}`)
		l.wantOf("paid", "c1/shop c1")
		l.wantOf("trial", "c1/site c1")
		l.wantHas("c1/shop", "calls=100 seats=5")
		l.wantHas("c1/site", "calls=1000 seats=3 sso")

		l.buy(`customerId:"c1",resourceId:"shop",planId:"pro",subscriptionId:"later",skipTrial:true,scheduleStrategy:END_OF_BILLING_PERIOD`)
		l.wantCode("transferSubscriptionToResource", `subscriptionId:"later"`, "InvalidSubscriptionStatus")
		l.write("transferSubscriptionToResource", `subscriptionId:"paid",destinationResourceId:"stall"`, `{id}`)
		l.wantFuture("paid", "31 Plan pro UPGRADE/pro") // came along
		l.until(lifeJanuary + time.Hour)
		l.wantHas("c1/stall", "calls=1000 seats=3 sso")
		l.wantHas("c1/shop", "NoActiveSubscription")
	})
}

// Another customer has what the payer pays for, until the payer has it back.
func TestLifecycleDelegation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		for _, c := range []string{"payer", "one", "two", "gone"} {
			l.provision(c, "", "")
		}
		l.check(l.ArchiveCustomer("gone"))
		l.write("updateOneCustomer", `customerId:"payer",couponRefId:"half"`, `{id}`)
		l.write("updateOneCustomer", `customerId:"one",couponRefId:"tenth"`, `{id}`)
		l.buy(`customerId:"payer",planId:"basic",subscriptionId:"s"`)
		l.buy(`customerId:"one",planId:"free",subscriptionId:"own"`)
		l.wantSub("s", "totalPrice:map[total:map[amount:10]]", `totalPrice{total{amount}}`)
		delegate := func(to string) {
			t.Helper()
			l.write("delegateSubscriptionToCustomer", `subscriptionId:"s"`+to, `{id}`)
		}
		ears := l.listen()
		delegate(`,destinationCustomerId:"one"`)
		ears.want("payer NoActiveSubscription", "one calls=100 seats=5")
		l.wantOf("s", "one payer")
		l.wantSubs("payer", "")
		l.wantSub("own", "status:CANCELED", "status")
		l.wantSub("s", "totalPrice:map[total:map[amount:10]]", `totalPrice{total{amount}}`) // the payer's coupon, not the other's
		delegate(`,destinationCustomerId:"two"`)
		l.wantOf("s", "two payer")
		l.wantHas("one", "NoActiveSubscription")
		l.wantHas("two", "calls=100 seats=5")

		other := newBench(t, Config{})
		other.load(l.dump())
		wantAlike(t, "delegated and loaded", other, l.bench, false)

		l.wantCode("delegateSubscriptionToCustomer", `subscriptionId:"s",destinationCustomerId:"nobody"`, codeCustomerNotFound)
		l.wantCode("delegateSubscriptionToCustomer", `subscriptionId:"s",destinationCustomerId:"gone"`, "EntityIsArchivedError")
		l.wantCode("delegateSubscriptionToCustomer", `subscriptionId:"none",destinationCustomerId:"one"`, codeSubscriptionNotFound)
		l.wantOf("s", "two payer")
		delegate("")
		l.wantOf("s", "payer payer")
		l.wantHas("payer", "calls=100 seats=5")
		l.wantHas("two", "NoActiveSubscription")

		l.buy(`customerId:"two",planId:"basic",resourceId:"r",subscriptionId:"dear"`)
		l.write("delegateSubscriptionToCustomer", `subscriptionId:"dear",destinationCustomerId:"one"`, `{id}`)
		l.wantSub("dear", "totalPrice:map[total:map[amount:20]]", `totalPrice{total{amount}}`) // whoever pays has no coupon

		// Each pays for the other's: that is shown, and ends.
		l.buy(`customerId:"one",planId:"basic",subscriptionId:"t"`)
		delegate(`,destinationCustomerId:"two"`)
		l.write("delegateSubscriptionToCustomer", `subscriptionId:"t",destinationCustomerId:"payer"`, `{id}`)
		l.write("cancelSubscription", `subscriptionRefId:"s",subscriptionCancellationTime:IMMEDIATE`, `{id}`)
		l.wantOf("t", "payer one")
	})
}

// What is imported began long ago, and is as if it had been here all along.
func TestLifecycleImportOfSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, lifeBilling)
		l.must(`mutation{importCustomersBulk(input:{customers:[{customerId:"c1",name:"One",billingId:"b1"},{customerId:"c2",paymentMethodId:"pm"}]})}`, nil)
		if l.hasPaymentMethod("c1") != false || l.hasPaymentMethod("c2") != true {
			t.Error("only c2 came with a payment method")
		}
		load := func(subscriptions string) answer {
			return l.ask(`mutation{importSubscriptionsBulk(input:{subscriptions:[`+subscriptions+`]})}`, nil)
		}
		ears := l.listen()
		if a := load(`{customerId:"c1",planId:"pro",subscriptionId:"s",startDate:"` + l.on(-45*lifeDay) + `",addons:[{addonId:"more-seats"}]},` +
			`{customerId:"c2",resourceId:"site",planId:"basic",billingPeriod:ANNUALLY,endDate:"` + l.on(10*lifeDay) + `"}`); len(a.Errors) > 0 {
			t.Fatalf("%+v", a.Errors)
		}
		ears.want("c1 calls=1000 seats=5 sso", "c2/site calls=100 seats=5")
		l.wantSubs("c1", "pro ACTIVE") // no trial begins, and nobody is sent to a checkout
		l.wantSub("s", "currentBillingPeriodEnd:2000-01-17T00:00:00.000Z", "currentBillingPeriodEnd")
		if a := load(`{customerId:"c1",planId:"pro",subscriptionId:"s",billableFeatures:[{featureId:"seats",quantity:9}]}`); len(a.Errors) > 0 {
			t.Fatalf("%+v", a.Errors)
		}
		l.wantHas("c1", "calls=1000 seats=11 sso") // brought up to what was given, and no more
		l.until(11 * lifeDay)
		l.wantHas("c2/site", "seats=1") // what follows

		before := l.dump()
		for _, row := range []struct{ subscriptions, code, says string }{
			{`{customerId:"c2",planId:"basic"},{customerId:"nobody",planId:"basic"}`, codeCustomerNotFound, "subscriptions[1]: "},
			{`{customerId:"c1",planId:"none"}`, codePlanNotFound, "none"},
			{`{customerId:"c1",planId:"basic",addons:[{addonId:"none"}]}`, "AddonNotFound", "none"},
			{`{customerId:"c1",planId:"pro",subscriptionId:"s",addons:[{addonId:"none"}]}`, "AddonNotFound", "none"},
			{`{customerId:"c1",planId:"basic",subscriptionId:"s"}`, "DuplicatedEntityNotAllowed", "exists already"},
			{`{customerId:"c1",planId:"basic",subscriptionId:"t"},{customerId:"c2",planId:"basic",subscriptionId:"t"}`, "DuplicatedEntityNotAllowed", "subscriptions[1]: "},
			{strings.Repeat(`{customerId:"c1",planId:"basic"},`, 1001), codeBadUserInput, "1001"},
		} {
			if a := load(row.subscriptions); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != row.code || !strings.Contains(a.Errors[0].Message, row.says) {
				t.Errorf("%.100s: %+v, want %s that says %s", row.subscriptions, a.Errors, row.code, row.says)
			}
		}
		if now := l.dump(); now != before {
			t.Errorf("a refused import changed something: %s", firstDifference(before, now))
		}
		l.cancel(`subscriptionRefId:"s",subscriptionCancellationTime:IMMEDIATE`)
		if a := load(`{customerId:"c1",planId:"pro",subscriptionId:"s"}`); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "SubscriptionAlreadyCanceledOrExpired" {
			t.Errorf("import of what has ended: %+v", a.Errors)
		}
		l.check(l.ArchiveCustomer("c1"))
		for _, field := range []string{`importOneCustomer(input:{customerId:"c1"}){id}`, `importCustomersBulk(input:{customers:[{customerId:"c2"},{customerId:"c1"}]})`} {
			if a := l.ask(`mutation{`+field+`}`, nil); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "EntityIsArchivedError" {
				t.Errorf("%s: %+v", field, a.Errors)
			}
		}
		if a := l.ask(fmt.Sprintf(`mutation{importCustomersBulk(input:{customers:[%s]})}`, strings.Repeat(`{customerId:"c2"},`, 1001)), nil); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != codeBadUserInput {
			t.Errorf("1,001 customers at once: %+v", a.Errors)
		}
	})
}
