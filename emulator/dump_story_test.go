package emulator

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/graph-gophers/graphql-go/ast"
)

// props is an object of JSON.
type props = map[string]any

// call executes a root field with one input, and answers what the service sent.
func (b *bench) call(kind, field string, input any) string {
	b.t.Helper()
	f := b.schema.AST().RootOperationTypes[kind].(*ast.ObjectTypeDefinition).Fields.Get(field)
	arg := f.Arguments[0]
	deep := map[string]int{"query": 3, "mutation": 1}[kind]
	if field == "getCustomerByRefId" || field == "getActiveSubscriptions" {
		deep = 2 // what is below that, getSubscription shows of each
	}
	document := fmt.Sprintf("%s($in:%s){%s(%s:$in)%s}", kind, arg.Type, field, arg.Name.Name, selection(f.Type, deep, ""))
	body, err := json.Marshal(props{"query": document, "variables": props{"in": input}})
	if err != nil {
		b.t.Fatal(err)
	}
	_, raw := b.post(DefaultAPIKey, string(body))
	return raw
}

// drive is call for a mutation that has to succeed.
func (b *bench) drive(field string, input any) {
	b.t.Helper()
	if raw := b.call("mutation", field, input); strings.Contains(raw, `"errors"`) {
		b.t.Fatalf("%s %v: %.500s", field, input, raw)
	}
}

func (b *bench) dump() string {
	b.t.Helper()
	var text strings.Builder
	if err := b.Dump(&text); err != nil {
		b.t.Fatalf("Dump: %v", err)
	}
	return text.String()
}

func (b *bench) load(text string) {
	b.t.Helper()
	if err := b.Load(strings.NewReader(text)); err != nil {
		b.t.Fatalf("Load: %v", err)
	}
}

// soldCatalog asks for payment, so that there are checkouts.
func soldCatalog(t testing.TB) *Catalog {
	t.Helper()
	c := DemoCatalog()
	percent, err := ParseDecimal("19.5")
	if err != nil {
		t.Fatal(err)
	}
	c.Billing = &Billing{Tax: &Tax{Name: "VAT", Percent: &percent}}
	cent, err := ParseDecimal("0.01")
	if err != nil {
		t.Fatal(err)
	}
	c.Currencies[0].Price = &cent
	return c
}

// live fills an account with one of everything that it can hold, by the API as far as that goes.
func (b *bench) live() {
	b.t.Helper()
	at := func(d time.Duration) string { return b.Now().Add(d).UTC().Format(time.RFC3339) }
	const day = 24 * time.Hour
	metadata := props{"tier": "gold <&>", "n": 1.5, "list": []any{nil, true}}
	overrides := []props{{"featureId": "seats", "price": props{"amount": 9.25, "currency": "EUR"}}, {"addonId": "extra-seats", "tiers": []props{{"upTo": 3, "unitPrice": props{"amount": 1}}}}}
	custom := []props{{"feature": props{"featureId": "exports", "usageLimit": 42, "resetPeriod": "WEEK", "weeklyResetPeriodConfiguration": props{"accordingTo": "EveryMonday"}}}}

	// A customer with a coupon and a subscription with everything, of which everything is going to change.
	b.drive("provisionCustomer", props{"customerId": "acme", "name": "Acme", "email": "a@acme.test", "billingId": "bill", "awsMarketplaceCustomerId": "aws", "couponRefId": "launch", "additionalMetaData": metadata, "subscriptionParams": nil})
	b.drive("provisionSubscriptionV2", props{
		"customerId": "acme", "planId": "starter", "subscriptionId": "paid", "billingId": "sub_1", "paymentCollectionMethod": "INVOICE", "billingCountryCode": "FR", "additionalMetaData": metadata,
		"addons": []props{{"addonId": "extra-seats", "quantity": 2}}, "billableFeatures": []props{{"featureId": "seats", "quantity": 7}},
		"priceOverrides": overrides, "entitlements": custom, "minimumSpend": props{"minimum": props{"amount": 1.5, "currency": "USD"}},
	})
	// appliedCoupon is for updates only.
	b.drive("updateOneSubscription", props{"subscriptionId": "paid", "appliedCoupon": props{"discount": props{"name": "Friend", "description": "of the house", "amountsOff": []props{{"amount": 3.1, "currency": "USD"}}, "durationInMonths": 2}}})
	b.drive("updateOneSubscription", props{
		"subscriptionId": "paid", "scheduleStrategy": "END_OF_BILLING_PERIOD", "addons": []props{}, "billableFeatures": []props{{"featureId": "seats", "quantity": 9}},
		"billingPeriod": "ANNUALLY", "priceOverrides": overrides, "additionalMetaData": nil, "appliedCoupon": nil, "entitlements": custom, "minimumSpend": nil,
	})

	// Plans that change, end and begin; trials of both ends; a resource.
	b.drive("provisionCustomer", props{"customerId": "globex", "subscriptionParams": props{"planId": "growth", "subscriptionId": "trial"}})
	b.drive("provisionSubscriptionV2", props{"customerId": "globex", "resourceId": "site", "planId": "growth", "subscriptionId": "converts",
		"trialOverrideConfiguration": props{"isTrial": true, "trialEndDate": at(20 * day), "trialEndBehavior": "CONVERT_TO_PAID"}})
	b.drive("provisionCustomer", props{"customerId": "initech", "subscriptionParams": nil})
	b.drive("provisionSubscriptionV2", props{"customerId": "initech", "planId": "growth", "subscriptionId": "ends", "skipTrial": true, "paymentCollectionMethod": "INVOICE", "cancellationDate": at(200 * day)})
	b.drive("provisionSubscriptionV2", props{"customerId": "initech", "planId": "free", "subscriptionId": "next", "scheduleStrategy": "END_OF_BILLING_PERIOD"})
	b.drive("provisionSubscriptionV2", props{"customerId": "initech", "resourceId": "r", "planId": "starter", "subscriptionId": "leaves", "paymentCollectionMethod": "INVOICE"})
	b.drive("cancelSubscription", props{"subscriptionRefId": "leaves"})

	// One that another customer has, and its payer goes on paying for.
	b.drive("provisionCustomer", props{"customerId": "zenith", "couponRefId": "launch", "subscriptionParams": nil})
	b.drive("provisionSubscriptionV2", props{"customerId": "zenith", "resourceId": "shared", "planId": "starter", "subscriptionId": "shared", "paymentCollectionMethod": "INVOICE"})
	b.drive("delegateSubscriptionToCustomer", props{"subscriptionId": "shared", "destinationCustomerId": "initech"})

	// Checkouts: one with all that can be ordered, one that was paid.
	b.drive("provisionCustomer", props{"customerId": "hooli", "subscriptionParams": nil})
	b.drive("provisionSubscriptionV2", props{
		"customerId": "hooli", "resourceId": "r", "planId": "starter", "subscriptionId": "ordered", "billingId": "sub_2", "paymentCollectionMethod": "CHARGE", "billingPeriod": "ANNUALLY", "billingCountryCode": "FR", "additionalMetaData": metadata,
		"addons": []props{{"addonId": "extra-seats", "quantity": 3}}, "billableFeatures": []props{{"featureId": "seats", "quantity": 8}}, "priceOverrides": overrides,
		"entitlements": custom, "appliedCoupon": props{"couponId": "ten-off"}, "startDate": at(3 * day), "cancellationDate": at(400 * day),
		"scheduleStrategy": "END_OF_BILLING_MONTH", "billingCycleAnchor": "NOW", "skipTrial": true,
		"minimumSpend": props{"minimum": props{"amount": 2}}, "payingCustomerId": "zenith",
		"trialOverrideConfiguration": props{"isTrial": false, "trialEndDate": at(5 * day), "trialEndBehavior": "CONVERT_TO_PAID"},
	})
	b.drive("provisionCustomer", props{"customerId": "paying", "subscriptionParams": nil})
	b.drive("provisionSubscriptionV2", props{"customerId": "paying", "planId": "starter"})
	if _, err := b.CompleteCheckouts("paying"); err != nil {
		b.t.Fatal(err)
	}

	// Grants outside of subscriptions.
	b.drive("grantPromotionalEntitlements", props{"customerId": "acme", "promotionalEntitlements": []props{
		{"featureId": "sso", "period": "ONE_WEEK", "isVisible": false}, {"featureId": "themes", "enumValues": []string{"high-contrast"}, "period": "LIFETIME"},
		{"featureId": "audit-log", "period": "CUSTOM", "customEndDate": at(90 * day)},
	}})
	b.drive("grantPromotionalEntitlementsGroup", props{"customerId": "initech", "featureGroupId": "security", "promotionalEntitlements": []props{
		{"featureId": "sso", "period": "SIX_MONTH"}, {"featureId": "audit-log", "period": "LIFETIME"},
	}})
	b.drive("revokePromotionalEntitlement", props{"customerId": "acme", "featureId": "audit-log"})
	ten := 10.0
	b.check(b.SetEntitlement("acme", "", Entitlement{Feature: "api-calls", Limit: &ten, Reset: Month, ResetOn: Calendar}))
	b.check(b.DenyEntitlement("globex", "site", Entitlement{Feature: "seats", Limit: &ten}, "BudgetExceeded"))

	b.check(b.Provision("newer", "", "free"))
	b.check(b.SetEntitlement("newer", "", Entitlement{Currency: "ai-credits", Limit: &ten, SoftLimit: true, Reset: Month}))
	b.check(b.SetEntitlement("newer", "", Entitlement{Feature: "ai-answers", Unlimited: true, CreditRate: &CreditRate{"ai-credits", 0.5}}))

	// Usage of all kinds, a wallet that runs dry, and events, the last ones not counted yet.
	for _, in := range []props{
		{"customerId": "acme", "featureId": "api-calls", "value": 3, "idempotencyKey": "k1", "dimensions": props{"region": "eu"}},
		{"customerId": "acme", "featureId": "seats", "value": 4, "updateBehavior": "SET"},
		{"customerId": "acme", "featureId": "exports", "value": 0.1}, {"customerId": "acme", "featureId": "exports", "value": 0.2},
		{"customerId": "globex", "featureId": "ai-answers", "value": 2, "idempotencyKey": "k2", "resourceId": "site"},
		{"customerId": "globex", "featureId": "ai-answers", "value": 300, "idempotencyKey": "dry"},
	} {
		b.drive("reportUsage", in)
	}
	b.drive("consumeCredits", props{"customerId": "globex", "resourceId": "site", "currencyId": "ai-credits", "amount": 12.5, "idempotencyKey": "c1"})
	b.signInOf("globex", "", "e1", props{"user": "ann"})
	b.liveCredits(at)
	time.Sleep(2 * time.Minute) // counted

	// Coupons of no catalog, one of them in use; and checks that were reported.
	b.drive("createOneCoupon", props{"refId": "made", "name": "Made", "description": "by the API", "percentOff": 12.5, "durationInMonths": 6, "additionalMetaData": metadata})
	b.drive("createOneCoupon", props{"refId": "made-too", "name": "Made too", "amountsOff": []props{{"amount": 7.25}, {"amount": 6, "currency": "EUR"}}})
	b.drive("updateOneSubscription", props{"subscriptionId": "leaves", "appliedCoupon": props{"couponId": "made"}})
	b.drive("reportEntitlementCheckRequested", props{"customerId": "acme", "resourceId": "r", "featureId": "seats", "requestedUsage": 2, "requestedValues": []string{"v"},
		"entitlementCheckResult": props{"hasAccess": false, "accessDeniedReason": "RequestedUsageExceedingLimit", "currentUsage": 4, "usageLimit": 5}})
	b.drive("reportEntitlementCheckRequested", props{"customerId": "acme", "featureId": "sso", "entitlementCheckResult": props{"hasAccess": true}})

	// Who left.
	b.provision("gone", "", "free")
	b.check(b.ArchiveCustomer("gone"))

	// A second version of the catalog, for new customers: the others keep what they were sold.
	b.AddAPIKey("second")
	next := soldCatalog(b.t)
	next.Features[0].Description = "since the second version"
	next.Currencies[0].Symbol = "+"
	next.Plans[1].Entitlements[1].Limit = &ten
	b.check(b.UpdateCatalog(next, NewCustomers))
	b.provision("newer", "", "starter")
	b.drive("migrateSubscriptionToLatest", props{"subscriptionId": "paid", "subscriptionMigrationTime": "END_OF_BILLING_PERIOD"})

	b.check(b.AdvanceClock(36*time.Hour + time.Nanosecond))
	b.signInOf("globex", "", "e2", props{"user": "ben"})
	b.signInOf("globex", "site", "e3", props{"user": "cid", "n": 2})
	b.drive("consumeCreditsAsync", props{"consumptions": []props{{"customerId": "paying", "currencyId": "ai-credits", "amount": 1.5, "idempotencyKey": "later", "dimensions": props{"model": "m"}}}})
}

// liveCredits makes grants in every state, and a wallet that is recharged.
func (b *bench) liveCredits(at func(time.Duration) string) {
	b.t.Helper()
	const day = 24 * time.Hour
	grant := func(customer, kind string, amount float64, more props) string {
		in := props{"customerId": customer, "currencyId": "ai-credits", "displayName": kind, "grantType": kind, "amount": amount}
		for k, v := range more {
			in[k] = v
		}
		a := b.must(`mutation($in:CreditGrantInput!){createCreditGrant(input:$in){grantId}}`, map[string]any{"in": in})
		return a["createCreditGrant"].(map[string]any)["grantId"].(string)
	}
	grant("globex", "PROMOTIONAL", 10, props{"resourceId": "site", "comment": "hello", "priority": 3, "expireAt": at(60 * day), "additionalMetaData": props{"why": "<&>"}})
	grant("paying", "PROMOTIONAL", 5, props{"expireAt": at(day)})
	grant("paying", "PROMOTIONAL", 7, props{"effectiveAt": at(20 * day)})
	b.drive("consumeCredits", props{"customerId": "paying", "currencyId": "ai-credits", "amount": 6, "idempotencyKey": "c2", "dimensions": props{"model": "m"}})
	grant("paying", "PAID", 20, props{"cost": props{"amount": 0.05, "currency": "EUR"}, "billingInformation": props{"invoiceDaysUntilDue": 14}})
	b.drive("voidCreditGrant", props{"id": grant("paying", "PROMOTIONAL", 3, nil)})
	b.drive("saveAutoRechargeSettings", props{"customerId": "paying", "currencyId": "ai-credits", "isEnabled": true, "thresholdType": "DollarAmount", "thresholdValue": 0.5,
		"targetBalance": 60, "maxSpendLimit": 100, "grantExpirationPeriod": "OneMonth"})
	grant("hooli", "PAID", 20, props{"cost": props{"amount": 0.05}, "awaitPaymentConfirmation": true})
	b.drive("saveAutoRechargeSettings", props{"customerId": "hooli", "currencyId": "ai-credits", "isEnabled": false, "thresholdValue": 1, "targetBalance": 2})
}

func (b *bench) check(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// signInOf reports a raw event.
func (b *bench) signInOf(customerID, resourceID, key string, dimensions props) {
	b.t.Helper()
	b.drive("reportEvent", props{"usageEvents": []props{{"customerId": customerID, "resourceId": resourceID, "eventName": "signed-in", "idempotencyKey": key, "dimensions": dimensions}}})
}

var traceID = regexp.MustCompile(`"traceId":"[0-9a-f]*"`)

// everything asks for all that there is to see, and answers it by question.
func (b *bench) everything() map[string]string {
	b.t.Helper()
	seen := map[string]string{}
	ask := func(field string, input any) {
		text, _ := json.Marshal(input)
		answer := b.call("query", field, input)
		if strings.Contains(answer, codeBadUserInput) {
			b.t.Fatalf("%s %s: %.300s", field, text, answer)
		}
		seen[field+" "+string(text)] = traceID.ReplaceAllString(answer, "")
	}
	tell := func(what string, v any) {
		text, err := json.Marshal(v)
		b.check(err)
		seen[what] = string(text)
	}
	for _, customer := range []string{"acme", "globex", "initech", "hooli", "paying", "gone", "newer", "nobody"} {
		ask("getCustomerByRefId", props{"customerId": customer})
		ask("getActiveSubscriptions", props{"customerId": customer})
		for _, resource := range []any{nil, "site", "r"} {
			name, _ := resource.(string)
			key := props{"customerId": customer, "resourceId": resource}
			ask("entitlementsState", key)
			ask("cachedEntitlements", key)
			for _, field := range []string{"creditBalanceSummary", "creditGrants", "creditsLedger", "creditUsage"} {
				ask(field, key)
			}
			ask("getAutoRechargeSettings", props{"customerId": customer, "currencyId": "ai-credits"})
			tell("snapshot "+customer+" "+name, b.Snapshot(customer, name))
			tell("history "+customer+" "+name, b.HistoryOf(customer, name, 0))
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(b.t.Context(), "GET", "/v1/c/"+customer+"/entitlements.json", nil)
			r.Header.Set("X-API-KEY", DefaultAPIKey)
			b.Handler().ServeHTTP(w, r)
			seen["edge "+customer] = w.Body.String()
		}
	}
	for _, in := range []props{
		{"customerId": "acme", "featureId": "api-calls", "groupBy": []string{"region"}}, {"customerId": "acme", "featureId": "seats"},
		{"customerId": "acme", "featureId": "exports"}, {"customerId": "globex", "featureId": "ai-answers"},
		{"customerId": "globex", "featureId": "active-users", "groupBy": []string{"user", "n"}},
		{"customerId": "globex", "resourceId": "site", "featureId": "active-users", "groupBy": []string{"n"}},
	} {
		in["startDate"] = "1999-12-01"
		ask("usageHistoryV2", in)
	}
	ask("usageHistory", props{"customerRefId": "acme", "featureRefId": "exports", "startDate": "1999-12-01"})
	for _, id := range []string{"paid", "trial", "converts", "ends", "next", "leaves"} {
		ask("getSubscription", props{"subscriptionId": id})
	}
	ask("subscriptions", props{})
	ask("coupons", props{})
	ask("products", props{})
	ask("paywall", props{"customerId": "acme", "billingCountryCode": "FR"})
	ask("mockPaywall", props{})
	for _, key := range []props{{"customerId": "acme"}, {"customerId": "globex", "resourceId": "site"}, {"customerId": "paying"}} {
		ask("customerPortal", key)
	}
	ask("checkoutState", props{"customerId": "hooli", "resourceId": "r", "planId": "starter"})
	tell("checkouts", b.Checkouts(""))
	tell("checks", b.EntitlementChecks())
	tell("clock", b.Now())
	return seen
}

// wantAlike compares the whole state of two emulators and, if it is asked to, all that there is to see of them.
func wantAlike(t *testing.T, when string, a, b *bench, answers bool) {
	t.Helper()
	if one, other := a.dump(), b.dump(); one != other {
		t.Errorf("%s: the dumps differ: %s", when, firstDifference(one, other))
	}
	if !answers {
		return
	}
	one, other := a.everything(), b.everything()
	for question, want := range one {
		if got := other[question]; got != want {
			t.Errorf("%s: %s\n got %.2000s\nwant %.2000s", when, question, got, want)
		}
	}
}

func firstDifference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d is %s, want %s (after %s)", i+1, b[i], a[i], strings.Join(a[max(0, i-4):i], " "))
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(b), len(a))
}
