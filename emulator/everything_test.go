package emulator

import (
	"os"
	"slices"
	"strconv"
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
		s := newShape(t)
		for _, step := range journey(t) {
			if step.kind == "control" {
				b.do(step.field, step.args)
				continue
			}
			step.args = strings.ReplaceAll(step.args, today, b.Now().UTC().Format(`"2006-01-02"`))
			if strings.Contains(step.args, giftOf) { // the id that was given to it
				for _, g := range b.nodes("creditGrants", "grantId displayName", props{"customerId": "globex", "resourceId": "site"}) {
					if g["displayName"] == "gift" {
						step.args = strings.ReplaceAll(step.args, giftOf, strconv.Quote(g["grantId"].(string)))
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
		for _, step := range []step{
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
		for _, step := range []step{
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

// giftOf stands for the id of a grant of credits in a step, today for a date.
const (
	giftOf = "$gift"
	today  = "$today"
)

// step asks for one root field.
type step struct{ kind, field, args string }

// journey reads testdata/journey.txt.
func journey(t *testing.T) (steps []step) {
	for _, line := range listed(t, "testdata/journey.txt") {
		kind, rest, _ := strings.Cut(line, " ")
		field, args, _ := strings.Cut(rest, " ")
		steps = append(steps, step{kind, field, args})
	}
	return steps
}

// listed reads the lines of a file that are not comments.
func listed(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return slices.DeleteFunc(lines, func(line string) bool { return line == "" || line[0] == '#' })
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
		for _, line := range listed(t, "testdata/missing.txt") {
			code, rest, _ := strings.Cut(line, " ")
			kind, rest, _ := strings.Cut(rest, " ")
			field, args, _ := strings.Cut(rest, " ")
			a := b.ask(b.everyField(kind, field, args), nil)
			if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != code {
				t.Errorf("%s%s: %+v, want %s", field, args, a.Errors, code)
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
