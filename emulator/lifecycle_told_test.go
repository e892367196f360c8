package emulator

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
)

// TestEachChangeIsTold does each thing that can be done to what somebody has: whoever listens hears the new sets at once, and nothing of
// what changes no set.
func TestEachChangeIsTold(t *testing.T) {
	const basic, more = "c1 calls=100 seats=5", `addons:[{addonId:"more-seats"}]`
	sso := func(period string) string {
		return `customerId:"c1",promotionalEntitlements:[{featureId:"sso",period:` + period + `}]`
	}
	for _, row := range []struct {
		name         string
		before       func(l *life)
		field, input string
		told         []string
	}{
		{"a customer is made", nil, "provisionCustomer", `customerId:"new",subscriptionParams:{planId:"basic"}`, []string{"new calls=100 seats=5"}},
		{"a customer is made, with nothing", nil, "provisionCustomer", `customerId:"new",subscriptionParams:null`, []string{"new NoActiveSubscription"}},
		{"a customer is provisioned again", nil, "provisionCustomer", `customerId:"c1",name:"x",subscriptionParams:{planId:"basic"}`, nil},
		{"a customer's name", nil, "updateOneCustomer", `customerId:"c1",name:"x"`, nil},
		{"a payment method", nil, "detachCustomerPaymentMethod", `customerId:"c1"`, nil},
		{"a customer goes", nil, "archiveCustomer", `customerId:"c1"`, []string{"c1 CustomerIsArchived"}},
		{"a customer returns", func(l *life) { l.check(l.ArchiveCustomer("c1")) }, "unarchiveCustomer", `customerId:"c1"`, []string{"c1 NoActiveSubscription"}},
		{"an import of what is there", nil, "importOneCustomer", `customerId:"c1",name:"x"`, nil},
		{"a subscription", nil, "provisionSubscriptionV2", `customerId:"c1",planId:"team",skipTrial:true`, []string{"c1 seats=50"}},
		{"a subscription to come", nil, "provisionSubscriptionV2", `customerId:"c1",planId:"team",skipTrial:true,scheduleStrategy:END_OF_BILLING_PERIOD`, []string{basic}},
		{"a subscription, the older way", nil, "createSubscription", `customerId:"c1",planId:"team",isTrial:false`, []string{"c1 seats=50"}},
		{"a state", nil, "applySubscription", `customerId:"c1",planId:"basic",` + more, []string{"c1 calls=100 seats=7"}},
		{"an estimate", nil, "estimateSubscription", `customerId:"c1",planId:"pro"`, nil},
		{"an add-on", nil, "updateOneSubscription", `subscriptionId:"s",` + more, []string{"c1 calls=100 seats=7"}},
		{"the end", nil, "cancelSubscription", `subscriptionRefId:"s",subscriptionCancellationTime:IMMEDIATE`, []string{"c1 seats=1"}},
		{"the end, and nothing after it", nil, "cancelSubscription", `subscriptionRefId:"s",subscriptionCancellationTime:IMMEDIATE,subscriptionCancellationAction:REVOKE_ENTITLEMENTS`, []string{"c1 NoActiveSubscription"}},
		{"what was planned is dropped", func(l *life) { l.update(`subscriptionId:"s",scheduleStrategy:END_OF_BILLING_PERIOD,` + more) }, "cancelSchedule", `subscriptionId:"s"`, []string{basic}},
		{"nothing was planned", nil, "cancelSchedule", `subscriptionId:"s"`, nil},
		{"the latest version", func(l *life) {
			c := l.state.index.catalog.clone()
			i := slices.IndexFunc(c.Plans, func(p Plan) bool { return p.ID == "basic" })
			c.Plans[i].Entitlements = append(c.Plans[i].Entitlements, Entitlement{Feature: "sso"})
			l.check(l.UpdateCatalog(c, NewCustomers))
		}, "migrateSubscriptionToLatest", `subscriptionId:"s"`, []string{basic + " sso"}},
		{"another resource", nil, "transferSubscriptionToResource", `subscriptionId:"s",destinationResourceId:"r"`, []string{"c1 NoActiveSubscription", "c1/r calls=100 seats=5", "c1/r calls=100 seats=5"}},
		{"another customer", func(l *life) { l.provision("c2", "", "") }, "delegateSubscriptionToCustomer", `subscriptionId:"s",destinationCustomerId:"c2"`, []string{"c1 NoActiveSubscription", "c2 calls=100 seats=5"}},
		{"an import", nil, "importSubscriptionsBulk", `subscriptions:[{customerId:"c1",planId:"basic",subscriptionId:"s",` + more + `}]`, []string{"c1 calls=100 seats=7"}},
		{"a promotion", nil, "grantPromotionalEntitlements", sso("ONE_WEEK"), []string{basic + " sso"}},
		{"a promotion ends", func(l *life) { l.write("grantPromotionalEntitlements", sso("LIFETIME"), `{id}`) }, "revokePromotionalEntitlement", `customerId:"c1",featureId:"sso"`, []string{basic}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, "")
				l.provision("c1", "", "")
				l.buy(`customerId:"c1",planId:"basic",subscriptionId:"s"`)
				if row.before != nil {
					row.before(l)
				}
				ears := l.listen()
				argument, selection := "input", `{__typename}`
				switch row.field {
				case "createSubscription":
					argument = "subscription"
				case "cancelSchedule", "importSubscriptionsBulk":
					selection = ""
				}
				l.must(`mutation{`+row.field+`(`+argument+`:{`+row.input+`})`+selection+`}`, nil)
				ears.want(row.told...)
			})
		})
	}
}

// What a mutation answers and what is pushed of it are one set: they have the same stamps, so that who has the one knows the other.
func TestAnAnswerHasTheStampsOfItsEvent(t *testing.T) {
	const sets = `entitlementsV2{...on FeatureEntitlement{entitlementUpdatedAt}}`
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		ws := l.connect()
		ws.subscribe("e", onEntitlements)
		stamps := func(list any) (all []any) {
			for _, e := range list.([]any) {
				all = append(all, e.(map[string]any)["entitlementUpdatedAt"])
			}
			return all
		}
		var last any
		for _, row := range []struct{ field, input string }{
			{"provisionCustomer", `customerId:"c1",subscriptionParams:{planId:"free"}`},
			{"provisionSubscriptionV2", `customerId:"c1",planId:"basic"`},
			{"applySubscription", `customerId:"c1",planId:"basic",addons:[{addonId:"more-seats"}]`},
			{"applySubscription", `customerId:"c1",planId:"pro",skipTrial:true`},
		} {
			answered := stamps(l.write(row.field, row.input, `{`+sets+`}`)["entitlementsV2"])
			told := stamps(ws.wantNext("e", "entitlementsUpdatedV2")["entitlements"])
			if len(told) == 0 || fmt.Sprint(answered) != fmt.Sprint(told) {
				t.Errorf("%s answers sets of %v, and tells of %v", row.field, answered, told)
			}
			if fmt.Sprint(told[0]) == fmt.Sprint(last) {
				t.Errorf("%s has the stamp of the change before it, %v", row.field, last)
			}
			last = told[0]
		}
	})
}
