package emulator

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

// provisionCustomer makes sure of the subscription first: when it cannot be had, there is no customer, and one that was there is
// as it was, down to its stamps.
func TestLifecycleProvisionCustomerIsAllOrNothing(t *testing.T) {
	const card = `,billingInformation:{paymentMethodId:"card"}`
	for _, row := range []struct{ name, input, code string }{
		{"plan", card + `,subscriptionParams:{planId:"gone"}`, "PlanNotFound"},
		{"add-on", card + `,subscriptionParams:{planId:"basic",addons:[{addonId:"gone"}]}`, "AddonNotFound"},
		{"add-on of another product", card + `,subscriptionParams:{planId:"beta",addons:[{addonId:"more-seats"}]}`, "IncompatibleSubscriptionAddon"},
		{"add-on twice", card + `,subscriptionParams:{planId:"basic",addons:[{addonId:"more-seats"},{addonId:"more-seats"}]}`, "DuplicateAddonProvisionedError"},
		{"none of an add-on", card + `,subscriptionParams:{planId:"basic",addons:[{addonId:"more-seats",quantity:0}]}`, "InvalidQuantity"},
		{"quantity of no feature", card + `,subscriptionParams:{planId:"basic",billableFeatures:[{featureId:"gone",quantity:1}]}`, "FeatureNotFound"},
		{"quantity below none", card + `,subscriptionParams:{planId:"basic",billableFeatures:[{featureId:"seats",quantity:-1}]}`, "InvalidQuantity"},
		{"custom entitlement", card + `,subscriptionParams:{planId:"basic",subscriptionEntitlements:[{featureId:"gone",usageLimit:1}]}`, "BadUserInput"},
		{"id of another", card + `,subscriptionParams:{planId:"basic",subscriptionId:"taken"}`, "DuplicatedEntityNotAllowed"},
		{"coupon", card + `,subscriptionParams:{planId:"basic",appliedCoupon:{couponId:"gone"}}`, "CouponNotFound"},
		{"coupon of the customer", card + `,couponRefId:"bygone",subscriptionParams:{planId:"basic"}`, "ArchivedCouponCantBeApplied"},
		{"payment method", `,couponRefId:"half",subscriptionParams:{planId:"basic"}`, "PaymentMethodNotFoundError"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, lifeBilling)
				l.write("provisionCustomer", `customerId:"other",subscriptionParams:{planId:"free",subscriptionId:"taken"}`, `{customer{id}}`)
				l.write("provisionCustomer", `customerId:"old",name:"Old",additionalMetaData:{a:1},couponRefId:"tenth",subscriptionParams:{planId:"free"}`, `{customer{id}}`)
				l.provision("archived", "", "free")
				if err := l.ArchiveCustomer("archived"); err != nil {
					t.Fatal(err)
				}
				read := func(id string) string {
					document := l.everyField("query", "getCustomerByRefId", `(input:{customerId:"`+id+`"})`)
					return fmt.Sprint(l.ask(document, nil).Data, l.HistoryOf(id, "", 0), l.Checkouts(id))
				}
				before := map[string]string{"new": read("new"), "old": read("old"), "archived": read("archived")}
				if !strings.Contains(before["old"], "Old") {
					t.Fatalf("the customer reads %s", before["old"])
				}
				ears := l.listen()
				for id, want := range before {
					l.wantCode("provisionCustomer", `customerId:"`+id+`",name:"New",email:"new@example.com",billingId:"b",additionalMetaData:{a:2}`+row.input, row.code)
					if got := read(id); got != want {
						t.Errorf("%s is\n%s, want\n%s", id, got, want)
					}
				}
				l.wantHas("new", "CustomerNotFound")
				l.wantHas("archived", "CustomerIsArchived")
				ears.want()
			})
		})
	}
}

// Again, provisionCustomer updates: what is given replaces, null clears, what is absent stays. It brings an archived customer back.
func TestLifecycleProvisionCustomerIsAnUpsert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		const selection = `{customer{name email billingId additionalMetaData coupon{refId}}}`
		l.write("provisionCustomer", `customerId:"c1",name:"Acme",email:"a@example.com",billingId:"b",additionalMetaData:{a:1},couponRefId:"tenth",subscriptionParams:{planId:"basic"}`, selection)
		got := fmt.Sprint(l.write("provisionCustomer", `refId:"c1",email:null,couponRefId:null,additionalMetaData:{b:2}`, selection)["customer"])
		if want := "map[additionalMetaData:map[b:2] billingId:b coupon:<nil> email:<nil> name:Acme]"; got != want {
			t.Errorf("the second time the customer is\n%s, want\n%s", got, want)
		}
		l.wantHas("c1", "calls=100 seats=5")
		if err := l.ArchiveCustomer("c1"); err != nil {
			t.Fatal(err)
		}
		ears := l.listen()
		l.write("provisionCustomer", `customerId:"c1",subscriptionParams:null`, selection)
		ears.want("c1 NoActiveSubscription")
		l.wantSubs("c1", "basic CANCELED")
	})
}

// The same order again is answered with the subscription that it made, and changes nothing: not a plan, not a trial into what is paid
// for, with an id or without, before it begins or after, whether or not anybody could pay for a second.
func TestLifecycleProvisionCustomerCreatesOrGets(t *testing.T) {
	for _, row := range []struct{ name, params, subs string }{
		{"a plan", `planId:"free"`, "free ACTIVE"},
		{"a trial", `planId:"pro"`, "pro IN_TRIAL"},
		{"with an id", `planId:"pro",subscriptionId:"mine"`, "pro IN_TRIAL"},
		{"of a resource", `planId:"pro",resourceId:"r"`, "pro IN_TRIAL"},
		{"to begin later", `planId:"free",startDate:"2000-02-01"`, "free NOT_STARTED"},
		{"by invoice", `planId:"basic",paymentCollectionMethod:INVOICE`, "basic ACTIVE"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, lifeBilling)
				provision := func(params string) string {
					return fmt.Sprint(l.write("provisionCustomer", `customerId:"c1",subscriptionParams:{`+params+`}`,
						`{subscriptionDecisionStrategy subscription{subscriptionId plan{refId}} entitlementsV2{...on FeatureEntitlement{feature{refId} usageLimit}}}`))
				}
				first := provision(row.params)
				ears := l.listen()
				for _, params := range []string{row.params, row.params + `,addons:[{addonId:"more-seats"}],appliedCoupon:{couponId:"gone"}`} {
					if got := provision(params); got != first {
						t.Errorf("once more, with %s, it answers\n%s, want\n%s", params, got, first)
					}
				}
				ears.want()
				l.wantSubs("c1", row.subs)
			})
		})
	}
}

// What the customer has of another resource, of another plan, or had once, is no answer to an order, and a trial is left when it says so.
func TestLifecycleProvisionCustomerMakesWhatThereIsNotYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		for _, step := range []struct{ params, subs string }{
			{`planId:"pro"`, "pro IN_TRIAL"},
			{`planId:"pro",resourceId:"r"`, "pro IN_TRIAL, pro ACTIVE"}, // the trial of a plan is had once
			{`planId:"pro",trialOverrideConfiguration:{isTrial:false}`, "pro CANCELED, pro ACTIVE, pro ACTIVE"},
			{`planId:"pro",trialOverrideConfiguration:{isTrial:false}`, "pro CANCELED, pro ACTIVE, pro ACTIVE"},
			{`planId:"basic"`, "pro CANCELED, pro ACTIVE, pro CANCELED, basic ACTIVE"},
			{`planId:"pro"`, "pro CANCELED, pro ACTIVE, pro CANCELED, basic CANCELED, pro ACTIVE"},
		} {
			l.write("provisionCustomer", `customerId:"c1",subscriptionParams:{`+step.params+`}`, `{subscription{id}}`)
			l.wantSubs("c1", step.subs)
		}
	})
}

// Without subscriptionParams each product's journey decides, for who has nothing; null skips them, and given ones are an order.
func TestLifecycleSubscriptionDecisionStrategy(t *testing.T) {
	journeys := strings.NewReplacer("{id: app, downgradePlan: free}", "{id: app, downgradePlan: free, journey: {plan: pro, trial: true}}",
		"{id: labs}", "{id: labs, journey: {plan: beta, trial: true}}")
	c, err := ParseCatalog([]byte(journeys.Replace(lifeCatalog)))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{Catalog: c})
		l := &life{b, b.Now()}
		provision := func(params, strategy, plan, subs string) {
			t.Helper()
			got := l.write("provisionCustomer", `customerId:"c1"`+params, `{subscriptionDecisionStrategy subscription{plan{refId}} entitlementsV2{__typename}}`)
			if got["subscriptionDecisionStrategy"] != strategy || !strings.Contains(fmt.Sprint(got["subscription"]), plan) {
				t.Errorf("provisionCustomer with %q answers %v, want %s of %s", params, got, strategy, plan)
			}
			if n := len(got["entitlementsV2"].([]any)); n != len(b.Snapshot("c1", "").Entitlements) {
				t.Errorf("provisionCustomer with %q answers %d entitlements, want what the customer has: %s", params, n, l.has("c1"))
			}
			l.wantSubs("c1", subs)
		}
		provision(`,subscriptionParams:null`, "SKIPPED_SUBSCRIPTION_CREATION", "<nil>", "")
		provision(``, "PREDEFINED_TRIAL_PLAN", "pro", "pro IN_TRIAL, beta IN_TRIAL")
		provision(``, "SKIPPED_SUBSCRIPTION_CREATION", "<nil>", "pro IN_TRIAL, beta IN_TRIAL")
		provision(`,subscriptionParams:{planId:"team",trialOverrideConfiguration:{isTrial:false}}`, "REQUESTED_PLAN", "team",
			"pro IN_TRIAL, beta IN_TRIAL, team ACTIVE")
		provision(`,subscriptionParams:null`, "SKIPPED_SUBSCRIPTION_CREATION", "<nil>", "pro IN_TRIAL, beta IN_TRIAL, team ACTIVE")

		// The trials are used up: what comes instead is the downgrade plan, where there is one.
		if err := b.ArchiveCustomer("c1"); err != nil {
			t.Fatal(err)
		}
		provision(``, "PREDEFINED_FREE_PLAN", "free", "pro CANCELED, beta CANCELED, team CANCELED, free ACTIVE")
	})
}

// What a call says about billing is for a billing integration. There is none, and no answer ever shows it.
func TestLifecycleBillingInformationIsNotStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, lifeBilling)
		const secret = "Confidential"
		ofCustomer := `billingInformation:{customerName:"` + secret + `",paymentMethodId:"` + secret + `",billingAddress:{city:"` + secret + `"},language:"` + secret + `",timezone:"` + secret +
			`",metadata:{a:"` + secret + `"},taxIds:[{type:"vat",value:"` + secret + `"}]}`
		ofSubscription := `billingInformation:{couponId:"` + secret + `",chargeOnBehalfOfAccount:"` + secret + `",metadata:{a:"` + secret + `"},billingAddress:{city:"` + secret + `"}}`
		l.write("provisionCustomer", `customerId:"c1",`+ofCustomer+`,subscriptionParams:{planId:"basic",subscriptionId:"s",`+ofSubscription+`}`, `{customer{id}}`)
		l.write("updateOneCustomer", `customerId:"c1",`+ofCustomer, `{id}`)
		l.buy(`customerId:"c1",planId:"pro",subscriptionId:"t",` + ofSubscription)
		l.update(`subscriptionId:"s",` + ofSubscription)
		l.write("applySubscription", `customerId:"c1",planId:"basic",`+ofSubscription, `{subscription{id}}`)
		// An order that waits for its payment keeps what was ordered, and nothing of what came with it.
		l.provision("c2", "", "")
		l.sendToCheckout(`customerId:"c2",planId:"basic",subscriptionId:"waits",` + ofSubscription + `,checkoutOptions:{successUrl:"` + secret + `",cancelUrl:"` + secret + `",referenceId:"` + secret + `"}`)
		if len(l.Checkouts("c2")) != 1 {
			t.Errorf("open are %v, want one", l.Checkouts("c2"))
		}
		if dump := l.dump(); !strings.Contains(dump, "waits") || strings.Contains(dump, secret) {
			t.Errorf("the dump has no order, or has %s in it: %s", secret, dump)
		}
		for field, args := range map[string]string{
			"getCustomerByRefId":     `(input:{customerId:"c1"})`,
			"getSubscription":        `(input:{subscriptionId:"s"})`,
			"getActiveSubscriptions": `(input:{customerId:"c1"})`,
			"subscriptions":          `(filter:{customerId:{eq:"c1"}})`,
			"entitlementsState":      `(query:{customerId:"c1"})`,
			"customerPortal":         `(input:{customerId:"c1"})`,
			"checkoutState":          `(input:{customerId:"c1",planId:"team"})`,
		} {
			a := l.ask(l.everyField("query", field, args), nil)
			if len(a.Errors) > 0 || a.Data[field] == nil || strings.Contains(fmt.Sprint(a.Data), secret) {
				t.Errorf("%s answers %v %+v, want it without %s", field, a.Data, a.Errors, secret)
			}
		}
		if c := l.must(`{getCustomerByRefId(input:{customerId:"c1"}){hasPaymentMethod}}`, nil)["getCustomerByRefId"].(map[string]any); c["hasPaymentMethod"] != true {
			t.Error("the payment method was not left")
		}
	})
}

// A coupon of the customer takes off from each subscription that names none of its own, for as long as the customer has it.
func TestLifecycleCouponOfTheCustomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		l.write("provisionCustomer", `customerId:"c1",couponRefId:"tenth",subscriptionParams:{planId:"basic",subscriptionId:"a"}`, `{customer{id}}`)
		l.buy(`customerId:"c1",resourceId:"r",planId:"basic",subscriptionId:"b",appliedCoupon:{couponId:"half"}`)
		total := func(want map[string]float64) {
			t.Helper()
			for id, amount := range want {
				l.wantSub(id, fmt.Sprint("totalPrice:map[total:map[amount:", amount, "]]"), `totalPrice{total{amount}}`)
			}
		}
		total(map[string]float64{"a": 18, "b": 10})
		l.write("provisionCustomer", `customerId:"c1",name:"Acme"`, `{customer{id}}`)
		total(map[string]float64{"a": 18, "b": 10})
		l.write("provisionCustomer", `customerId:"c1",couponRefId:"half"`, `{customer{id}}`)
		total(map[string]float64{"a": 10, "b": 10})
		l.write("updateOneCustomer", `customerId:"c1",couponRefId:null`, `{id}`)
		total(map[string]float64{"a": 20, "b": 10})
		l.wantCode("provisionCustomer", `customerId:"c1",couponRefId:"gone"`, "CouponNotFound")
	})
}
