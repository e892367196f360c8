package emulator

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graph-gophers/graphql-go/ast"
)

// everyDepth is how deep a selection of everything goes: types point at each other. It is deep enough for every field of every type
// below the journey, as TestEveryFieldOfTheJourneyIsThere finds, and each level more doubles the text.
const everyDepth = 4

// everyField writes a root field, with its arguments, and selects every field below it that the schema has.
func (b *bench) everyField(kind, field, args string) string {
	b.t.Helper()
	types := b.schema.AST()
	root := types.RootOperationTypes[kind].(*ast.ObjectTypeDefinition)
	f := root.Fields.Get(field)
	if f == nil {
		b.t.Fatalf("the schema has no %s %s", kind, field)
	}
	return kind + "{" + field + args + selection(f.Type, everyDepth, "") + "}"
}

// selection selects all of a type. Fields of the members of a union are renamed by member, because theirs may be of other types.
func selection(t ast.Type, depth int, member string) string {
	switch t := t.(type) {
	case *ast.NonNull:
		return selection(t.OfType, depth, member)
	case *ast.List:
		return selection(t.OfType, depth, member)
	case *ast.Union:
		var b strings.Builder
		b.WriteString("{__typename")
		for _, m := range t.UnionMemberTypes {
			b.WriteString(" ...on " + m.Name + selection(m, depth, m.Name+"_"))
		}
		return b.String() + "}"
	case *ast.ObjectTypeDefinition:
		var b strings.Builder
		b.WriteString("{__typename")
		for _, f := range t.Fields {
			if composite(f.Type) && depth == 0 {
				continue
			}
			b.WriteByte(' ')
			if member != "" {
				b.WriteString(member + f.Name + ":")
			}
			b.WriteString(f.Name + selection(f.Type, depth-1, ""))
		}
		return b.String() + "}"
	}
	return ""
}

// TestEveryFieldOfTheJourneyIsThere asks for all that the schema has below the operations of a customer's journey, in their order, and
// holds the answers against the schema: each has every field, null only where it may be, and of the kind that the schema says. Then it
// asks the same of an account that has one of everything. What no answer had a value for is what testdata/unfilled.txt lists.
func TestEveryFieldOfTheJourneyIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		catalog := DemoCatalog()
		catalog.Billing = &Billing{Tax: &Tax{Name: "VAT", Percent: &Decimal{}}}
		catalog.Billing.Tax.Percent.UnmarshalText([]byte("20"))
		b := newBench(t, Config{Catalog: catalog})
		b.provision("globex", "", "free")
		s := newShape(t)
		for _, step := range []struct{ kind, field, args string }{
			{"mutation", "provisionCustomer", `(input:{customerId:"acme",name:"Acme",email:"a@acme.test",billingInformation:{customerName:"Acme"},subscriptionParams:{planId:"free",subscriptionId:"sub"}})`},
			{"mutation", "updateOneCustomer", `(input:{customerId:"acme",couponRefId:"launch"})`},
			{"query", "getCustomerByRefId", `(input:{customerId:"acme"})`},
			{"mutation", "estimateSubscription", `(input:{customerId:"acme",planId:"starter",addons:[{addonId:"extra-seats"}],appliedCoupon:{couponId:"launch"}})`},
			{"mutation", "previewSubscription", `(input:{customerId:"acme",planId:"growth"})`},
			{"mutation", "provisionSubscriptionV2", `(input:{customerId:"acme",planId:"starter"})`},
			{"mutation", "provisionSubscriptionV2", `(input:{customerId:"acme",planId:"starter",subscriptionId:"paid",paymentCollectionMethod:INVOICE,addons:[{addonId:"extra-seats"}]})`},
			{"mutation", "applySubscription", `(input:{customerId:"globex",planId:"growth"})`},
			{"mutation", "estimateSubscriptionUpdate", `(input:{subscriptionId:"paid",addons:[{addonId:"extra-seats",quantity:3}]})`},
			{"mutation", "updateOneSubscription", `(input:{subscriptionId:"paid",addons:[],scheduleStrategy:END_OF_BILLING_PERIOD})`},
			{"query", "getSubscription", `(input:{subscriptionId:"paid"})`},
			{"query", "getActiveSubscriptions", `(input:{customerId:"acme"})`},
			{"mutation", "previewNextInvoice", `(input:{subscriptionId:"paid"})`},
			{"query", "subscriptions", `(filter:{status:{in:[ACTIVE,IN_TRIAL]}},paging:{first:5})`},
			{"mutation", "cancelSchedule", `(input:{subscriptionId:"paid"})`},
			{"mutation", "reportUsage", `(input:{customerId:"acme",featureId:"seats",value:2})`},
			{"mutation", "reportUsageBulk", `(input:{usages:[{customerId:"acme",featureId:"seats",value:1}]})`},
			{"mutation", "reportEvent", `(events:{usageEvents:[{customerId:"globex",eventName:"signed-in",idempotencyKey:"1"}]})`},
			{"query", "usageHistory", `(usageHistoryInput:{customerRefId:"acme",featureRefId:"seats",startDate:"2000-01-01",groupBy:["region"]})`},
			{"query", "usageHistoryV2", `(input:{customerId:"acme",featureId:"seats",startDate:"2000-01-01"})`},
			{"mutation", "grantPromotionalEntitlements", `(input:{customerId:"acme",promotionalEntitlements:[{featureId:"sso",period:ONE_WEEK}]})`},
			{"mutation", "revokePromotionalEntitlement", `(input:{customerId:"acme",featureId:"sso"})`},
			{"mutation", "grantPromotionalEntitlementsGroup", `(input:{customerId:"acme",featureGroupId:"security",promotionalEntitlements:[{featureId:"sso",period:ONE_WEEK},{featureId:"audit-log",period:LIFETIME}]})`},
			{"mutation", "unlinkPromotionalEntitlementsGroup", `(input:{customerId:"acme",featureGroupId:"security"})`},
			{"mutation", "grantPromotionalEntitlementsGroup", `(input:{customerId:"acme",featureGroupId:"security",promotionalEntitlements:[{featureId:"sso",period:ONE_WEEK},{featureId:"audit-log",period:LIFETIME}]})`},
			{"mutation", "revokePromotionalEntitlementsGroup", `(input:{customerId:"acme",featureGroupId:"security"})`},
			{"query", "coupons", ``},
			{"query", "entitlementsState", `(query:{customerId:"globex"})`},
			{"query", "entitlementV2", `(query:{customerId:"globex",currencyId:"ai-credits"})`},
			{"query", "sdkConfiguration", ``},
			{"mutation", "importOneCustomer", `(input:{customerId:"initech",name:"Initech",paymentMethodId:"pm"})`},
			{"mutation", "importCustomersBulk", `(input:{customers:[{customerId:"initech"},{customerId:"hooli"}]})`},
			{"mutation", "detachCustomerPaymentMethod", `(input:{customerId:"initech"})`},
			{"mutation", "importSubscriptionsBulk", `(input:{subscriptions:[{customerId:"initech",planId:"starter",subscriptionId:"imported",resourceId:"site",startDate:"1999-06-01"}]})`},
			{"mutation", "createSubscription", `(subscription:{customerId:"hooli",planId:"growth",subscriptionId:"created"})`},
			{"mutation", "transferSubscription", `(input:{customerId:"initech",sourceResourceId:"site",destinationResourceId:"shop"})`},
			{"mutation", "transferSubscriptionToResource", `(input:{subscriptionId:"imported"})`},
			{"mutation", "delegateSubscriptionToCustomer", `(input:{subscriptionId:"imported",destinationCustomerId:"globex"})`},
			{"query", "getSubscription", `(input:{subscriptionId:"imported"})`},
			{"mutation", "cancelSubscription", `(input:{subscriptionRefId:"paid",subscriptionCancellationTime:IMMEDIATE})`},
			{"mutation", "archiveCustomer", `(input:{customerId:"acme"})`},
			{"mutation", "unarchiveCustomer", `(input:{customerId:"acme"})`},
		} {
			s.ask(b, step.kind, step.field, step.args)
		}
		time.Sleep(time.Second) // events are counted

		rich := newBench(t, Config{Catalog: describedCatalog(t)})
		rich.live()
		for _, customer := range []string{"acme", "globex", "initech", "hooli", "paying", "gone", "newer"} {
			s.ask(rich, "query", "getCustomerByRefId", `(input:{customerId:"`+customer+`"})`)
			s.ask(rich, "query", "entitlementsState", `(query:{customerId:"`+customer+`"})`)
		}
		for _, subscription := range []string{"paid", "trial", "converts", "ends", "next", "leaves"} {
			s.ask(rich, "query", "getSubscription", `(input:{subscriptionId:"`+subscription+`"})`)
		}
		for _, step := range []struct{ kind, field, args string }{
			{"mutation", "migrateSubscriptionToLatest", `(input:{subscriptionId:"ends"})`},
			{"query", "subscriptions", ``},
			{"query", "coupons", ``},
			{"query", "entitlementsState", `(query:{customerId:"globex",resourceId:"site"})`},
			{"query", "entitlementV2", `(query:{customerId:"acme",featureId:"seats",options:{requestedUsage:1000}})`},
			{"mutation", "reportUsage", `(input:{customerId:"globex",resourceId:"site",featureId:"ai-answers",value:1})`},
			{"mutation", "reportUsageBulk", `(input:{usages:[{customerId:"acme",featureId:"api-calls",value:1}]})`},
			{"query", "usageHistoryV2", `(input:{customerId:"acme",featureId:"api-calls",startDate:"1999-12-01",groupBy:["region"]})`},
			{"query", "usageHistory", `(usageHistoryInput:{customerRefId:"globex",featureRefId:"ai-answers",startDate:"1999-12-01"})`},
			{"mutation", "previewSubscription", `(input:{customerId:"acme",planId:"growth",trialOverrideConfiguration:{isTrial:false}})`},
			{"mutation", "grantPromotionalEntitlements", `(input:{customerId:"initech",promotionalEntitlements:[{featureId:"api-calls",usageLimit:5,resetPeriod:MONTH,period:ONE_WEEK}]})`},
			// A change of plan each way, with all that can come with it.
			{"mutation", "provisionSubscriptionV2", `(input:{customerId:"paying",planId:"growth",skipTrial:true` + parts + `})`},
			{"mutation", "provisionSubscriptionV2", `(input:{customerId:"paying",planId:"free",scheduleStrategy:END_OF_BILLING_PERIOD` + parts + `})`},
			{"query", "getActiveSubscriptions", `(input:{customerId:"paying"})`},
			{"mutation", "previewNextInvoice", `(input:{subscriptionId:"paid"})`},
			{"mutation", "reportUsage", `(input:{customerId:"initech",featureId:"exports",value:1200})`},
			{"mutation", "previewNextInvoice", `(input:{subscriptionId:"ends"})`},
			{"mutation", "previewNextInvoice", `(input:{subscriptionId:"shared"})`},
			{"mutation", "provisionSubscriptionV2", `(input:{customerId:"initech",resourceId:"two",planId:"starter",paymentCollectionMethod:INVOICE})`},
			{"mutation", "provisionSubscriptionV2", `(input:{customerId:"initech",resourceId:"two",planId:"growth",skipTrial:true,paymentCollectionMethod:INVOICE,scheduleStrategy:END_OF_BILLING_PERIOD` + parts + `})`},
			{"query", "getActiveSubscriptions", `(input:{customerId:"initech",resourceIds:["two"]})`},
		} {
			s.ask(rich, step.kind, step.field, step.args)
		}
		rich.check(rich.AdvanceClock(70 * 24 * time.Hour)) // usage starts again
		s.ask(rich, "query", "usageHistoryV2", `(input:{customerId:"acme",featureId:"api-calls",startDate:"1999-12-01"})`)
		s.ask(rich, "query", "usageHistory", `(usageHistoryInput:{customerRefId:"acme",featureRefId:"api-calls",startDate:"1999-12-01"})`)
		s.wantFilled("testdata/unfilled.txt")
	})
}

// parts is what can come with a plan.
const parts = `,billingPeriod:ANNUALLY,addons:[{addonId:"extra-seats",quantity:2}],billableFeatures:[{featureId:"seats",quantity:12}],` +
	`priceOverrides:[{featureId:"seats",price:{amount:5,currency:USD}},{addonId:"extra-seats",featureId:"seats",price:{amount:6,currency:USD}}]`

// describedCatalog is soldCatalog with everything that a catalog can say.
func describedCatalog(t *testing.T) *Catalog {
	t.Helper()
	c := soldCatalog(t)
	unit, flat, upTo := mustDecimal(t, "0.5"), mustDecimal(t, "3"), 10.0
	c.Currencies[0].Description, c.Products[0].Description, c.Addons[0].Description, c.Coupons[0].Description = "d", "d", "d", "d"
	for i := range c.Features {
		c.Features[i].Description = "d"
	}
	c.Features = append(c.Features, Feature{ID: "audits", Description: "d", Type: Number, Meter: Incremental})
	for i := range c.Plans {
		p := &c.Plans[i]
		p.Description = "d"
		if p.ID == "starter" {
			p.Entitlements = append(p.Entitlements, Entitlement{Feature: "audits", Limit: &upTo, Reset: Year})
			p.Prices = append(p.Prices, Price{
				Period: Month, Feature: "seats", Block: 5, Min: 5, Max: 50, Tiers: []Tier{{UpTo: &upTo, Unit: &unit, Flat: &flat}, {Unit: &unit}},
			})
		}
	}
	return c
}

func mustDecimal(t *testing.T, text string) Decimal {
	t.Helper()
	d, err := ParseDecimal(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestWhatDoesNotExistIsSaidByItsCode names things that do not exist in each operation of the journey.
func TestWhatDoesNotExistIsSaidByItsCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("acme", "", "starter")
		for _, row := range []struct{ kind, field, args, code string }{
			{"mutation", "updateOneCustomer", `(input:{customerId:"x"})`, "CustomerNotFound"},
			{"mutation", "archiveCustomer", `(input:{customerId:"x"})`, "CustomerNotFound"},
			{"mutation", "unarchiveCustomer", `(input:{customerId:"x"})`, "CustomerNotFound"},
			{"mutation", "provisionCustomer", `(input:{customerId:"x",subscriptionParams:{planId:"x"}})`, "PlanNotFound"},
			{"mutation", "provisionSubscriptionV2", `(input:{customerId:"x",planId:"free"})`, "CustomerNotFound"},
			{"mutation", "provisionSubscriptionV2", `(input:{customerId:"acme",planId:"x"})`, "PlanNotFound"},
			{"mutation", "applySubscription", `(input:{customerId:"acme",planId:"x"})`, "PlanNotFound"},
			{"mutation", "updateOneSubscription", `(input:{subscriptionId:"x"})`, "SubscriptionNotFound"},
			{"mutation", "cancelSubscription", `(input:{subscriptionRefId:"x"})`, "SubscriptionNotFound"},
			{"mutation", "cancelSchedule", `(input:{subscriptionId:"x"})`, "SubscriptionNotFound"},
			{"query", "getSubscription", `(input:{subscriptionId:"x"})`, "SubscriptionNotFound"},
			{"query", "getActiveSubscriptions", `(input:{customerId:"x"})`, "CustomerNotFound"},
			{"query", "getActiveSubscriptions", `(input:{customerId:"acme",resourceId:"x"})`, "CustomerResourceNotFound"},
			{"mutation", "estimateSubscription", `(input:{customerId:"x",planId:"starter"})`, "CustomerNotFound"},
			{"mutation", "estimateSubscription", `(input:{customerId:"acme",planId:"x"})`, "PlanNotFound"},
			{"mutation", "estimateSubscription", `(input:{customerId:"acme",planId:"starter",addons:[{addonId:"x"}]})`, "AddonNotFound"},
			{"mutation", "estimateSubscription", `(input:{customerId:"acme",planId:"starter",appliedCoupon:{couponId:"x"}})`, "CouponNotFound"},
			{"mutation", "estimateSubscription", `(input:{customerId:"acme",planId:"starter",appliedCoupon:{couponId:"expired"}})`, "ArchivedCouponCantBeApplied"},
			{"mutation", "estimateSubscription", `(input:{customerId:"acme",planId:"enterprise"})`, "PriceNotFound"},
			{"mutation", "estimateSubscriptionUpdate", `(input:{subscriptionId:"x"})`, "SubscriptionNotFound"},
			{"mutation", "previewSubscription", `(input:{customerId:"acme",planId:"x"})`, "PlanNotFound"},
			{"mutation", "previewNextInvoice", `(input:{subscriptionId:"x"})`, "SubscriptionNotFound"},
			{"mutation", "detachCustomerPaymentMethod", `(input:{customerId:"x"})`, "CustomerNotFound"},
			{"mutation", "createSubscription", `(subscription:{customerId:"x",planId:"free"})`, "CustomerNotFound"},
			{"mutation", "createSubscription", `(subscription:{customerId:"acme",planId:"x"})`, "PlanNotFound"},
			{"mutation", "importSubscriptionsBulk", `(input:{subscriptions:[{customerId:"x",planId:"free"}]})`, "CustomerNotFound"},
			{"mutation", "importSubscriptionsBulk", `(input:{subscriptions:[{customerId:"acme",planId:"x"}]})`, "PlanNotFound"},
			{"mutation", "migrateSubscriptionToLatest", `(input:{subscriptionId:"x"})`, "SubscriptionNotFound"},
			{"mutation", "transferSubscription", `(input:{customerId:"x",sourceResourceId:"a",destinationResourceId:"b"})`, "CustomerNotFound"},
			{"mutation", "transferSubscription", `(input:{customerId:"acme",sourceResourceId:"a",destinationResourceId:"b"})`, "CustomerResourceNotFound"},
			{"mutation", "transferSubscriptionToResource", `(input:{subscriptionId:"x"})`, "SubscriptionNotFound"},
			{"mutation", "delegateSubscriptionToCustomer", `(input:{subscriptionId:"x",destinationCustomerId:"acme"})`, "SubscriptionNotFound"},
			{"query", "usageHistory", `(usageHistoryInput:{customerRefId:"x",featureRefId:"seats",startDate:"2000-01-01"})`, "CustomerNotFound"},
			{"mutation", "reportUsage", `(input:{customerId:"x",featureId:"seats",value:1})`, "CustomerNotFound"},
			{"mutation", "reportUsage", `(input:{customerId:"acme",featureId:"x",value:1})`, "FeatureNotFound"},
			{"mutation", "grantPromotionalEntitlements", `(input:{customerId:"acme",promotionalEntitlements:[{featureId:"x",period:LIFETIME}]})`, "FeatureNotFound"},
			{"mutation", "grantPromotionalEntitlementsGroup", `(input:{customerId:"x",featureGroupId:"security",promotionalEntitlements:[]})`, "CustomerNotFound"},
			{"mutation", "grantPromotionalEntitlementsGroup", `(input:{customerId:"acme",featureGroupId:"x",promotionalEntitlements:[]})`, "FeatureGroupNotFoundError"},
			{"mutation", "grantPromotionalEntitlementsGroup", `(input:{customerId:"acme",featureGroupId:"security",promotionalEntitlements:[{featureId:"x",period:LIFETIME}]})`, "FeatureNotFound"},
			{"mutation", "revokePromotionalEntitlementsGroup", `(input:{customerId:"x",featureGroupId:"security"})`, "CustomerNotFound"},
			{"mutation", "revokePromotionalEntitlementsGroup", `(input:{customerId:"acme",featureGroupId:"x"})`, "FeatureGroupNotFoundError"},
			{"mutation", "unlinkPromotionalEntitlementsGroup", `(input:{customerId:"acme",featureGroupId:"security"})`, "PromotionalEntitlementNotFoundError"},
			{"mutation", "revokePromotionalEntitlement", `(input:{customerId:"acme",featureId:"sso"})`, "PromotionalEntitlementNotFoundError"},
		} {
			a := b.ask(b.everyField(row.kind, row.field, row.args), nil)
			if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != row.code {
				t.Errorf("%s%s: %+v, want %s", row.field, row.args, a.Errors, row.code)
			}
		}
		if a := b.ask(`{getCustomerByRefId(input:{customerId:"x"}){id}}`, nil); len(a.Errors) > 0 || a.Data["getCustomerByRefId"] != nil {
			t.Errorf("an unknown customer is %v, %+v; want null", a.Data, a.Errors)
		}
		a := b.ask(`mutation($in:ReportUsageInput!){reportUsage(input:$in){id}}`, map[string]any{"in": map[string]any{"customerId": 7, "featureId": "seats", "value": "many"}})
		if len(a.Errors) == 0 || a.Errors[0].Extensions.Code != codeBadUserInput {
			t.Errorf("malformed variables: %+v, want %s", a.Errors, codeBadUserInput)
		}
	})
}
