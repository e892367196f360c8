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
			{"mutation", "createOneCoupon", `(input:{refId:"half",name:"Half",percentOff:50,additionalMetaData:{by:"sales"}})`},
			{"query", "products", ``},
			{"query", "paywall", `(input:{})`},
			{"query", "paywall", `(input:{productId:"app",customerId:"acme",billingCountryCode:"DE",includeHiddenPlans:true})`},
			{"query", "mockPaywall", `(input:{productId:"app"})`},
			{"query", "customerPortal", `(input:{customerId:"acme"})`},
			{"query", "checkoutState", `(input:{customerId:"acme",planId:"growth"})`},
			{"mutation", "createPaymentSession", `(input:{customerId:"acme",planId:"growth"})`},
			{"mutation", "reportEntitlementCheckRequested", `(entitlementCheckRequested:{customerId:"acme",featureId:"sso",entitlementCheckResult:{hasAccess:false,accessDeniedReason:NoFeatureEntitlementInSubscription}})`},
			{"query", "entitlementsState", `(query:{customerId:"globex"})`},
			{"query", "entitlementV2", `(query:{customerId:"globex",currencyId:"ai-credits"})`},
			{"mutation", "createCreditGrant", `(input:{customerId:"globex",currencyId:"ai-credits",displayName:"pack",grantType:PAID,amount:10,cost:{amount:2},comment:"c",priority:1,expireAt:"2030-01-01",additionalMetaData:{a:1},awaitPaymentConfirmation:true})`},
			{"mutation", "createCreditGrant", `(input:{customerId:"globex",currencyId:"ai-credits",displayName:"gift",grantType:PROMOTIONAL,amount:10,resourceId:"site"})`},
			{"mutation", "consumeCredits", `(input:{customerId:"globex",currencyId:"ai-credits",amount:5,idempotencyKey:"c"})`},
			{"mutation", "consumeCredits", `(input:{customerId:"globex",currencyId:"ai-credits",amount:5,idempotencyKey:"c",resourceId:"site"})`},
			{"mutation", "consumeCreditsAsync", `(input:{consumptions:[{customerId:"globex",currencyId:"ai-credits",amount:5,idempotencyKey:"d"}]})`},
			{"mutation", "reportUsage", `(input:{customerId:"globex",featureId:"ai-answers",value:1})`},
			{"mutation", "saveAutoRechargeSettings", `(input:{customerId:"globex",currencyId:"ai-credits",isEnabled:true,thresholdValue:600,targetBalance:700,maxSpendLimit:5})`},
			{"query", "getAutoRechargeSettings", `(input:{customerId:"globex",currencyId:"ai-credits"})`},
			{"query", "creditBalanceSummary", `(input:{customerId:"globex"})`},
			{"query", "creditBalanceSummary", `(input:{customerId:"globex",resourceId:"site"})`},
			{"query", "creditGrants", `(input:{customerId:"globex"})`},
			{"query", "creditGrants", `(input:{customerId:"globex",resourceId:"site"})`},
			{"query", "creditsLedger", `(input:{customerId:"globex"})`},
			{"query", "creditsLedger", `(input:{customerId:"globex",resourceId:"site"})`},
			{"query", "creditUsage", `(input:{customerId:"globex",currencyId:"ai-credits"})`},
			{"mutation", "voidCreditGrant", `(input:{id:"` + giftOf + `"})`},
			{"query", "estimateUsageCost", `(input:{customerId:"globex",featureId:"ai-answers",value:2})`},
			{"query", "estimateUsageCost", `(input:{customerId:"globex",featureId:"seats",value:2})`},
			{"query", "estimateEventCost", `(input:{customerId:"globex",eventName:"signed-in"})`},
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
			if strings.Contains(step.args, giftOf) { // the id that was given to it
				for _, g := range b.nodes("creditGrants", "grantId displayName", props{"customerId": "globex", "resourceId": "site"}) {
					if g["displayName"] == "gift" {
						step.args = strings.Replace(step.args, giftOf, g["grantId"].(string), 1)
					}
				}
			}
			s.ask(b, step.kind, step.field, step.args)
		}
		time.Sleep(time.Second) // events are counted

		rich := newBench(t, Config{Catalog: describedCatalog(t)})
		rich.live()
		for _, customer := range []string{"acme", "globex", "initech", "hooli", "paying", "gone", "newer"} {
			s.ask(rich, "query", "getCustomerByRefId", `(input:{customerId:"`+customer+`"})`)
			s.ask(rich, "query", "entitlementsState", `(query:{customerId:"`+customer+`"})`)
		}
		for _, key := range []string{`customerId:"acme"`, `customerId:"globex"`, `customerId:"paying"`, `customerId:"initech",resourceId:"r"`, `customerId:"globex",resourceId:"site"`} {
			s.ask(rich, "query", "customerPortal", `(input:{`+key+`})`)
			s.ask(rich, "query", "paywall", `(input:{`+key+`,fetchAllCountriesPrices:true})`)
			s.ask(rich, "query", "checkoutState", `(input:{`+key+`,planId:"starter"})`)
		}
		for _, subscription := range []string{"paid", "trial", "converts", "ends", "next", "leaves"} {
			s.ask(rich, "query", "getSubscription", `(input:{subscriptionId:"`+subscription+`"})`)
		}
		for _, step := range []struct{ kind, field, args string }{
			{"mutation", "migrateSubscriptionToLatest", `(input:{subscriptionId:"ends"})`},
			{"query", "subscriptions", ``},
			{"query", "coupons", ``},
			{"query", "mockPaywall", `(input:{includeHiddenPlans:true,fetchAllCountriesPrices:true})`},
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
		s.ask(rich, "query", "estimateEventCost", `(input:{customerId:"globex",eventName:"signed-in",dimensions:{user:"zoe"}})`)
		for _, customer := range []string{"paying", "hooli"} {
			for _, field := range []string{"creditGrants", "creditsLedger", "creditUsage"} {
				s.ask(rich, "query", field, `(input:{customerId:"`+customer+`"})`)
			}
		}
		rich.check(rich.AdvanceClock(70 * 24 * time.Hour)) // usage starts again
		s.ask(rich, "query", "usageHistoryV2", `(input:{customerId:"acme",featureId:"api-calls",startDate:"1999-12-01"})`)
		s.ask(rich, "query", "usageHistory", `(usageHistoryInput:{customerRefId:"acme",featureRefId:"api-calls",startDate:"1999-12-01"})`)

		// What is sold as it is described: the rich account has replaced its catalog.
		described := describedCatalog(t)
		each := mustDecimal(t, "4.5")
		described.Plans = append(described.Plans, Plan{ID: "by-seat", Product: "app", Pricing: "paid", Prices: []Price{{Period: Month, Feature: "seats", Amount: &each}}})
		sold := newBench(t, Config{Catalog: described})
		sold.provision("acme", "", "by-seat")
		for _, step := range []struct{ kind, field, args string }{
			{"mutation", "grantPromotionalEntitlements", `(input:{customerId:"acme",promotionalEntitlements:[{featureId:"api-calls",usageLimit:5,period:ONE_WEEK}]})`},
			{"query", "mockPaywall", `(input:{includeHiddenPlans:true})`},
			{"query", "paywall", `(input:{customerId:"acme",includeHiddenPlans:true})`},
			{"query", "customerPortal", `(input:{customerId:"acme"})`},
		} {
			s.ask(sold, step.kind, step.field, step.args)
		}
		s.wantFilled("testdata/unfilled.txt")
	})
}

// giftOf stands for the id of a grant of credits.
const giftOf = "the gift"

// parts is what can come with a plan.
const parts = `,billingPeriod:ANNUALLY,addons:[{addonId:"extra-seats",quantity:2}],billableFeatures:[{featureId:"seats",quantity:12}],` +
	`priceOverrides:[{featureId:"seats",price:{amount:5,currency:USD}},{addonId:"extra-seats",featureId:"seats",price:{amount:6,currency:USD}}]`

// describedCatalog is soldCatalog with everything that a catalog can say.
func describedCatalog(t *testing.T) *Catalog {
	t.Helper()
	c := soldCatalog(t)
	unit, flat, upTo := mustDecimal(t, "0.5"), mustDecimal(t, "3"), 10.0
	c.Currencies[0].Description, c.Products[0].Description, c.Addons[0].Description, c.Coupons[0].Description = "d", "d", "d", "d"
	c.Addons[0].HiddenFrom = []Widget{CheckoutWidget}
	for i := range c.Features {
		c.Features[i].Description = "d"
	}
	c.Features = append(c.Features, Feature{ID: "audits", Description: "d", Type: Number, Meter: Incremental})
	for i := range c.Plans {
		p := &c.Plans[i]
		p.Description = "d"
		for j := range p.Entitlements {
			if p.Entitlements[j].Feature == "active-users" {
				p.Entitlements[j].CreditRate = &CreditRate{"ai-credits", 1}
			}
		}
		if p.ID == "enterprise" {
			p.HiddenFrom = []Widget{PaywallWidget}
		}
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
			{"mutation", "createCreditGrant", `(input:{customerId:"x",currencyId:"ai-credits",displayName:"x",grantType:PAID,amount:1})`, "CustomerNotFound"},
			{"mutation", "createCreditGrant", `(input:{customerId:"acme",currencyId:"x",displayName:"x",grantType:PAID,amount:1})`, "CustomCurrencyNotFound"},
			{"mutation", "createCreditGrant", `(input:{customerId:"acme",currencyId:"ai-credits",displayName:"x",grantType:PAID,amount:0})`, "BadUserInput"},
			{"mutation", "createCreditGrant", `(input:{customerId:"acme",currencyId:"ai-credits",displayName:"",grantType:PAID,amount:1})`, "BadUserInput"},
			{"mutation", "createCreditGrant", `(input:{customerId:"acme",currencyId:"ai-credits",displayName:"x",grantType:PAID,amount:1,priority:-1})`, "BadUserInput"},
			{"mutation", "createCreditGrant", `(input:{customerId:"acme",currencyId:"ai-credits",displayName:"x",grantType:PAID,amount:1e16})`, "AmountTooLarge"},
			{"mutation", "createCreditGrant", `(input:{customerId:"acme",currencyId:"ai-credits",displayName:"x",grantType:PAID,amount:1,effectiveAt:"2040-01-02",expireAt:"2040-01-01"})`, "ExpireAtMustBeLaterThanEffectiveAtError"},
			{"mutation", "voidCreditGrant", `(input:{id:"x"})`, "CreditGrantNotFound"},
			{"mutation", "consumeCredits", `(input:{customerId:"x",currencyId:"ai-credits",amount:1,idempotencyKey:"k"})`, "CustomerNotFound"},
			{"mutation", "consumeCredits", `(input:{customerId:"acme",currencyId:"x",amount:1,idempotencyKey:"k"})`, "CustomCurrencyNotFound"},
			{"mutation", "consumeCredits", `(input:{customerId:"acme",currencyId:"ai-credits",amount:1,idempotencyKey:"k"})`, "NoFeatureEntitlementError"},
			{"mutation", "consumeCredits", `(input:{customerId:"acme",currencyId:"ai-credits",amount:-1,idempotencyKey:"k"})`, "BadUserInput"},
			{"mutation", "saveAutoRechargeSettings", `(input:{customerId:"x",currencyId:"ai-credits",isEnabled:false})`, "CustomerNotFound"},
			{"mutation", "saveAutoRechargeSettings", `(input:{customerId:"acme",currencyId:"x",isEnabled:false})`, "CustomCurrencyNotFound"},
			{"mutation", "saveAutoRechargeSettings", `(input:{customerId:"acme",currencyId:"ai-credits",isEnabled:true,thresholdType:DollarAmount,thresholdValue:1,targetBalance:9})`, "BadUserInput"},
			{"query", "getAutoRechargeSettings", `(input:{customerId:"acme",currencyId:"x"})`, "CustomCurrencyNotFound"},
			{"query", "creditBalanceSummary", `(input:{customerId:"x"})`, "CustomerNotFound"},
			{"query", "creditGrants", `(input:{customerId:"x"})`, "CustomerNotFound"},
			{"query", "creditGrants", `(input:{customerId:"acme",currencyId:"x"})`, "CustomCurrencyNotFound"},
			{"query", "creditGrants", `(input:{customerId:"acme",paging:{after:"x"}})`, "BadUserInput"},
			{"query", "creditsLedger", `(input:{customerId:"x"})`, "CustomerNotFound"},
			{"query", "creditUsage", `(input:{customerId:"x"})`, "CustomerNotFound"},
			{"query", "creditUsage", `(input:{customerId:"acme",startDate:"2030-01-02",endDate:"2030-01-01"})`, "BadUserInput"},
			{"query", "creditUsage", `(input:{customerId:"acme",startDate:"2030-01-02",timeRange:LAST_DAY})`, "BadUserInput"},
			{"query", "estimateUsageCost", `(input:{customerId:"x",featureId:"seats",value:1})`, "CustomerNotFound"},
			{"query", "estimateEventCost", `(input:{customerId:"x",eventName:"signed-in"})`, "CustomerNotFound"},
			{"query", "paywall", `(input:{productId:"x"})`, "ProductNotFoundError"},
			{"query", "paywall", `(input:{customerId:"x"})`, "CustomerNotFound"},
			{"query", "paywall", `(input:{resourceId:"site"})`, "BadUserInput"},
			{"query", "paywall", `(input:{offerId:"x"})`, "OfferNotFound"},
			{"query", "mockPaywall", `(input:{productId:"x"})`, "ProductNotFoundError"},
			{"query", "customerPortal", `(input:{customerId:"x"})`, "CustomerNotFound"},
			{"query", "customerPortal", `(input:{customerId:"acme",productId:"x"})`, "ProductNotFoundError"},
			{"query", "checkoutState", `(input:{customerId:"x",planId:"starter"})`, "CustomerNotFound"},
			{"query", "checkoutState", `(input:{customerId:"acme",planId:"x"})`, "PlanNotFound"},
			{"query", "checkoutState", `(input:{customerId:"acme",planId:"starter"})`, "BillingIntegrationMissing"},
			{"mutation", "createPaymentSession", `(input:{customerId:"x",planId:"starter"})`, "CustomerNotFound"},
			{"mutation", "createPaymentSession", `(input:{customerId:"acme",planId:"x"})`, "PlanNotFound"},
			{"mutation", "createOneCoupon", `(input:{refId:"launch",name:"Again",percentOff:10})`, "DuplicatedEntityNotAllowed"},
			{"mutation", "createOneCoupon", `(input:{refId:"",name:"n",percentOff:10})`, "MissingEntityIdError"},
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
