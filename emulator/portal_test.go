package emulator

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graph-gophers/graphql-go/ast"
)

func TestPortalShowsWhatASubscriptionIsAndCosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newShops(t)
		const day = 24 * time.Hour
		b.drive("provisionCustomer", props{"customerId": "acme", "name": "Acme", "email": "a@acme.test", "subscriptionParams": nil})
		portal := func(fields string) string {
			return b.show(`{customerPortal(input:{customerId:"acme"}){` + fields + `}}`)
		}
		if got := portal(`subscriptions{planId} promotionalEntitlements{displayName} entitlements{isGranted} billingInformation{name email defaultPaymentMethodType} showWatermark`); got !=
			`{billingInformation:{defaultPaymentMethodType:null,email:a@acme.test,name:Acme},entitlements:[],promotionalEntitlements:[],showWatermark:false,subscriptions:[]}` {
			t.Errorf("who has nothing: %s", got)
		}

		b.drive("provisionSubscriptionV2", props{"customerId": "acme", "planId": "team", "subscriptionId": "s", "paymentCollectionMethod": "INVOICE",
			"addons": []props{{"addonId": "more", "quantity": 3}}})
		began := b.Now().UTC()
		days := func(n int) string { return began.Add(time.Duration(n) * day).Format("2006-01-02T15:04:05.000Z") }
		what := `subscriptions{subscriptionId planName status pricingType trialRemainingDays billingPeriodRange{start end} addons{addonId quantity}}`
		if got, want := portal(what), `{subscriptions:[{addons:[{addonId:more,quantity:3}],billingPeriodRange:{end:`+days(14)+`,start:`+days(0)+`},planName:team,pricingType:PAID,status:IN_TRIAL,subscriptionId:s,trialRemainingDays:14}]}`; got != want {
			t.Errorf("in the trial: %s\nwant %s", got, want)
		}
		time.Sleep(time.Hour) // thirteen days and 23 hours are left
		if got := portal(`subscriptions{trialRemainingDays}`); got != `{subscriptions:[{trialRemainingDays:14}]}` {
			t.Errorf("an hour later: %s", got)
		}
		time.Sleep(day)
		if got := portal(`subscriptions{trialRemainingDays}`); got != `{subscriptions:[{trialRemainingDays:13}]}` {
			t.Errorf("a day later: %s", got)
		}

		b.drive("provisionSubscriptionV2", props{"customerId": "acme", "planId": "team", "subscriptionId": "paid", "paymentCollectionMethod": "INVOICE", "skipTrial": true,
			"addons": []props{{"addonId": "more", "quantity": 3}}})
		b.report("acme", "", "calls", 7)
		costs := `subscriptions{trialRemainingDays totalPrice{subTotal{amount} total{amount} addonsTotal{amount}} pricing{billingModel billingPeriod pricingType price{amount currency} unitQuantity usageBasedEstimatedBill} prices{billingModel price{amount} feature{refId}}}`
		want := `{subscriptions:[{prices:[{billingModel:FLAT_FEE,feature:null,price:{amount:20}},{billingModel:USAGE_BASED,feature:{refId:calls},price:{amount:0.25}},{billingModel:FLAT_FEE,feature:null,price:{amount:5}}],` +
			`pricing:{billingModel:FLAT_FEE,billingPeriod:MONTHLY,price:{amount:20,currency:USD},pricingType:PAID,unitQuantity:null,usageBasedEstimatedBill:1.75},` +
			`totalPrice:{addonsTotal:{amount:15},subTotal:{amount:35},total:{amount:35}},trialRemainingDays:null}]}`
		if got := portal(costs); got != want {
			t.Errorf("paid for, with 7 calls at 0.25: %s\nwant %s", got, want)
		}
		b.drive("provisionSubscriptionV2", props{"customerId": "acme", "planId": "seats", "paymentCollectionMethod": "INVOICE", "billableFeatures": []props{{"featureId": "seats", "quantity": 8}}})
		if got := portal(`subscriptions{planId pricing{unitQuantity feature{refId} usageBasedEstimatedBill} totalPrice{total{amount}}}`); got !=
			`{subscriptions:[{planId:seats,pricing:{feature:{refId:seats},unitQuantity:8,usageBasedEstimatedBill:null},totalPrice:{total:{amount:32}}}]}` {
			t.Errorf("by the seat: %s", got)
		}
	})
}

// The next invoice in the portal is what previewNextInvoice answers, where there is anything to be charged.
func TestPortalShowsTheNextInvoice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newInvoices(t, "billing: {tax: {name: VAT, percent: 20}}")
		types := l.schema.AST()
		all := selection(types.Types["SubscriptionInvoicePreview"].(ast.Type), everyDepth, "")
		portal := func(customer string) map[string]any {
			shown := map[string]any{}
			subs := l.must(`{customerPortal(input:{customerId:"`+customer+`"}){subscriptions{subscriptionId previewNextInvoice`+all+`}}}`, nil)
			for _, v := range subs["customerPortal"].(map[string]any)["subscriptions"].([]any) {
				sub := v.(map[string]any)
				shown[sub["subscriptionId"].(string)] = sub["previewNextInvoice"]
			}
			return shown
		}
		l.provision("c1", "", "")
		l.check(l.SetPaymentMethod("c1", true))
		l.buy(`customerId:"c1",planId:"team",subscriptionId:"s",billableFeatures:[{featureId:"seats",quantity:12}],appliedCoupon:{couponId:"tenth"}`)
		l.report("c1", "", "exports", 150)
		l.until(10 * lifeDay)
		l.report("c1", "", "calls", 12000)
		got, want := portal("c1")["s"], any(l.write("previewNextInvoice", `subscriptionId:"s"`, all))
		if !reflect.DeepEqual(got, want) {
			t.Errorf("the portal shows %v\nwant %v", got, want)
		}
		if due := want.(map[string]any)["amountDue"].(map[string]any)["amount"]; due != 167.4 {
			t.Errorf("due are %v, want 167.4: 142 in advance, 1 for exports and 12 for calls, less a tenth, with tax", due)
		}
		l.write("cancelSubscription", `subscriptionRefId:"s"`, `{id}`) // what was used is still to be paid
		if got, want := portal("c1")["s"], any(l.write("previewNextInvoice", `subscriptionId:"s"`, all)); got == nil || !reflect.DeepEqual(got, want) {
			t.Errorf("cancelled, the portal shows %v\nwant %v", got, want)
		}
		for plan, why := range map[string]string{"free": "costs nothing", "custom": "has a price that is nowhere to be found"} {
			l.provision(plan, "", plan)
			for id, got := range portal(plan) {
				if got != nil {
					t.Errorf("the plan %s: %s has %v, and %s", plan, id, got, why)
				}
			}
		}
		l.buy(`customerId:"free",planId:"pro",subscriptionId:"trial",resourceId:"r",cancellationDate:"` + l.on(20*lifeDay) + `"`)
		if got := l.must(`{customerPortal(input:{customerId:"free",resourceId:"r"}){subscriptions{previewNextInvoice{lastUpdatedAt}}}}`, nil); !reflect.DeepEqual(got,
			map[string]any{"customerPortal": map[string]any{"subscriptions": []any{map[string]any{"previewNextInvoice": nil}}}}) {
			t.Errorf("a trial that nothing follows: %v", got)
		}
	})
}

// A portal is of the customer itself, or of one of its resources; a product narrows it.
func TestPortalOfAResource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newShops(t)
		b.provision("acme", "", "free")
		b.provision("acme", "", "small")
		b.provision("acme", "site", "team")
		b.report("acme", "site", "calls", 2)
		for input, want := range map[string]string{
			``:                  `{entitlements:[{currentUsage:0,feature:{refId:seats}}],resource:null,subscriptions:[{planId:free},{planId:small}]}`,
			`,productId:"box"`:  `{entitlements:[{currentUsage:0,feature:{refId:seats}}],resource:null,subscriptions:[{planId:small}]}`,
			`,resourceId:"new"`: `{entitlements:[{currentUsage:0,feature:{refId:seats}}],resource:null,subscriptions:[]}`,
			`,resourceId:"site"`: `{entitlements:[{currentUsage:2,feature:{refId:calls}},{currentUsage:0,feature:{refId:seats}},{currentUsage:null,feature:{refId:sso}}],` +
				`resource:{resourceId:site},subscriptions:[{planId:team}]}`,
		} {
			if got := b.show(`{customerPortal(input:{customerId:"acme"` + input + `}){subscriptions{planId} resource{resourceId} entitlements{currentUsage feature{refId}}}}`); got != want {
				t.Errorf("%s: %s\nwant %s", input, got, want)
			}
		}
		if got := b.show(`{customerPortal(input:{customerId:"acme",resourceId:"site"}){entitlementsV2{__typename ...on CreditEntitlement{usageLimit}}}}`); !strings.Contains(got, `{__typename:CreditEntitlement,usageLimit:5}`) {
			t.Errorf("with wallets: %s", got)
		}
		b.check(b.ArchiveCustomer("acme"))
		if got := b.show(`{customerPortal(input:{customerId:"acme"}){subscriptions{planId} entitlements{currentUsage}}}`); got != `{entitlements:[],subscriptions:[]}` {
			t.Errorf("archived: %s", got)
		}
	})
}

func TestPortalShowsPromotionsThatAreVisible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newShops(t)
		b.provision("acme", "", "free")
		show := func() string {
			return b.show(`{customerPortal(input:{customerId:"acme"}){promotionalEntitlements{displayName period hasUnlimitedUsage usageLimit}}}`)
		}
		for _, period := range []string{"LIFETIME", "ONE_WEEK", "ONE_MONTH", "SIX_MONTH", "ONE_YEAR"} {
			b.drive("grantPromotionalEntitlements", props{"customerId": "acme", "promotionalEntitlements": []props{{"featureId": "calls", "usageLimit": 3, "period": period}}})
			if got := show(); got != `{promotionalEntitlements:[{displayName:calls,hasUnlimitedUsage:false,period:`+period+`,usageLimit:3}]}` {
				t.Errorf("for %s: %s", period, got)
			}
		}
		b.drive("grantPromotionalEntitlements", props{"customerId": "acme", "promotionalEntitlements": []props{
			{"featureId": "calls", "hasUnlimitedUsage": true, "period": "CUSTOM", "customEndDate": b.Now().Add(time.Hour).UTC().Format(time.RFC3339)},
			{"featureId": "sso", "period": "LIFETIME", "isVisible": false},
		}})
		if got := show(); got != `{promotionalEntitlements:[{displayName:calls,hasUnlimitedUsage:true,period:CUSTOM,usageLimit:null}]}` {
			t.Errorf("for an hour: %s", got)
		}
		time.Sleep(2 * time.Hour)
		if got := show(); got != `{promotionalEntitlements:[]}` {
			t.Errorf("after it: %s", got)
		}
	})
}

// What is above a plan costs more by the month, or is to be talked about where the portal offers that.
func TestPortalKnowsWhetherThereIsMoreToBuy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newShops(t)
		for i, row := range []struct {
			plan, product string
			want          bool
		}{
			{"", "", true}, {"free", "app", true}, {"seats", "app", true}, {"team", "app", false}, {"talk", "app", false},
			{"team", "", true}, // of the other product it has nothing
			{"small", "box", false},
		} {
			id := fmt.Sprint("customer", i)
			b.provision(id, "", row.plan)
			input := `customerId:"` + id + `"`
			if row.product != "" {
				input += `,productId:"` + row.product + `"`
			}
			if got, want := b.show(`{customerPortal(input:{`+input+`}){canUpgradeSubscription}}`), fmt.Sprintf("{canUpgradeSubscription:%v}", row.want); got != want {
				t.Errorf("on %q of %q: %s, want %s", row.plan, row.product, got, want)
			}
		}
		c := b.state.index.catalog.clone()
		c.Plans[3].HiddenFrom = nil // custom
		b.check(b.UpdateCatalog(c, AllCustomers))
		if got := b.show(`{customerPortal(input:{customerId:"customer3",productId:"app"}){canUpgradeSubscription}}`); got != `{canUpgradeSubscription:true}` {
			t.Errorf("with a custom plan on offer: %s", got)
		}
		if got := b.show(`{customerPortal(input:{customerId:"customer4",productId:"app"}){canUpgradeSubscription}}`); got != `{canUpgradeSubscription:false}` {
			t.Errorf("on that plan: %s", got)
		}
	})
}

func TestStatisticsCountWhatIsInForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newShops(t)
		show := func() string {
			return strings.TrimPrefix(b.show(`{getCustomerByRefId(input:{customerId:"acme"}){statistics{activeSubscriptionsByPricingType{pricingType totalCount}}}}`), `{statistics:{activeSubscriptionsByPricingType:`)
		}
		b.provision("acme", "", "")
		if got := show(); got != `[]}}` {
			t.Errorf("of nothing: %s", got)
		}
		b.provision("acme", "", "free")
		b.provision("acme", "", "small")
		b.provision("acme", "site", "talk")
		b.drive("provisionSubscriptionV2", props{"customerId": "acme", "resourceId": "two", "planId": "team", "subscriptionId": "trial"})
		if got := show(); got != `[{pricingType:CUSTOM,totalCount:1},{pricingType:FREE,totalCount:1},{pricingType:PAID,totalCount:2}]}}` {
			t.Errorf("statistics: %s", got)
		}
		b.drive("cancelSubscription", props{"subscriptionRefId": "trial", "subscriptionCancellationTime": "IMMEDIATE"})
		if got := show(); !strings.Contains(got, `{pricingType:PAID,totalCount:1}`) {
			t.Errorf("after one was cancelled: %s", got)
		}
	})
}
