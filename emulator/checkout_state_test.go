package emulator

import (
	"strings"
	"testing"
	"testing/synctest"
)

func TestCheckoutStateIsThatOfTheOpenCheckout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newShops(t)
		b.provision("acme", "", "free")
		state := func(input, fields string) string {
			return b.show(`{checkoutState(input:{customerId:"acme"` + input + `}){` + fields + `}}`)
		}
		before := state(`,planId:"team"`, `setupSecret`)
		if again := state(`,planId:"team"`, `setupSecret`); again != before {
			t.Errorf("asked again: %s, want %s", again, before)
		}
		b.drive("provisionSubscriptionV2", props{"customerId": "acme", "planId": "team", "skipTrial": true})
		b.drive("provisionSubscriptionV2", props{"customerId": "acme", "resourceId": "site", "planId": "team", "skipTrial": true})
		var ids []string
		for _, k := range b.Checkouts("acme") {
			ids = append(ids, k.ID)
		}
		if len(ids) != 2 {
			t.Fatalf("checkouts: %v", ids)
		}
		own, site := state(`,planId:"team"`, `setupSecret`), state(`,planId:"team",resourceId:"site"`, `setupSecret`)
		if !strings.Contains(own, ids[0]) || !strings.Contains(site, ids[1]) {
			t.Errorf("secrets %s and %s, want those of %v", own, site, ids)
		}
		if other := state(`,planId:"seats"`, `setupSecret`); strings.Contains(other, "checkout") || other == before {
			t.Errorf("of a plan that was not ordered: %s", other)
		}
		got := state(`,planId:"team",billingCountryCode:"DE"`, `plan{refId compatibleAddons{refId prices{price{amount}}} prices{price{amount currency}}} customer{customerId} activeSubscription{plan{refId}} resource{resourceId} `+
			`billingIntegration{billingIdentifier credentials{publicKey accountId} billingCredentials{__typename ...on StripeCheckoutCredentials{setupSecret publicKey}}}`)
		want := `{activeSubscription:{plan:{refId:free}},billingIntegration:{billingCredentials:{__typename:StripeCheckoutCredentials,publicKey:pk_test_emulator,setupSecret:` + strings.TrimSuffix(strings.TrimPrefix(own, "{setupSecret:"), "}") + `},` +
			`billingIdentifier:STRIPE,credentials:{accountId:acct_emulator,publicKey:pk_test_emulator}},customer:{customerId:acme},plan:{compatibleAddons:[{prices:[{price:{amount:4.5}}],refId:more},{prices:[],refId:secret}],` +
			`prices:[{price:{amount:200,currency:USD}},{price:{amount:18,currency:EUR}},{price:{amount:0.2,currency:EUR}}],refId:team},resource:null}`
		if got != want {
			t.Errorf("state %s\nwant  %s", got, want)
		}

		if _, err := b.CompleteCheckout(ids[0]); err != nil {
			t.Fatal(err)
		}
		if got := state(`,planId:"seats"`, `activeSubscription{plan{refId}} customer{hasPaymentMethod defaultPaymentMethodType defaultPaymentMethodLast4Digits}`); got !=
			`{activeSubscription:{plan:{refId:team}},customer:{defaultPaymentMethodLast4Digits:4242,defaultPaymentMethodType:CARD,hasPaymentMethod:true}}` {
			t.Errorf("after it was paid: %s", got)
		}
		if got := state(`,planId:"team"`, `setupSecret`); got != before {
			t.Errorf("no checkout is open any more: %s, want %s", got, before)
		}
		if len(b.Checkouts("acme")) != 1 {
			t.Error("asking opened a checkout")
		}
	})
}

func TestWhatCannotBeBought(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newShops(t)
		b.provision("acme", "", "free")
		b.provision("gone", "", "free")
		b.check(b.ArchiveCustomer("gone"))
		for document, code := range map[string]string{
			`{checkoutState(input:{customerId:"acme",planId:"team",productId:"x"}){setupSecret}}`:               "ProductNotFoundError",
			`{checkoutState(input:{customerId:"acme",planId:"team",productId:"box"}){setupSecret}}`:             "BadUserInput",
			`{checkoutState(input:{customerId:"gone",planId:"team"}){setupSecret}}`:                             "EntityIsArchivedError",
			`mutation{createPaymentSession(input:{customerId:"acme",planId:"free"}){token}}`:                    "CheckoutIsNotSupported",
			`mutation{createPaymentSession(input:{customerId:"acme",planId:"talk"}){token}}`:                    "CheckoutIsNotSupported",
			`mutation{createPaymentSession(input:{customerId:"gone",planId:"team"}){token}}`:                    "EntityIsArchivedError",
			`mutation{createPaymentSession(input:{customerId:"acme",planId:7,billingCountryCode:"DE"}){token}}`: "GRAPHQL_VALIDATION_FAILED",
		} {
			if a := b.ask(document, nil); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != code {
				t.Errorf("%s: %+v, want %s", document, a.Errors, code)
			}
		}
		session := func() string {
			return b.show(`mutation{createPaymentSession(input:{customerId:"acme",planId:"team",billingCountryCode:"DE"}){token}}`)
		}
		if one, other := session(), session(); one == other {
			t.Errorf("two sessions have one token, %s", one)
		}
	})
}
