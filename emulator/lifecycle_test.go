package emulator

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// lifeCatalog is what the tests of the life of a subscription sell: small enough to know by heart.
const lifeCatalog = `
features:
  - {id: calls, type: number, meter: incremental}
  - {id: reports, type: boolean}
  - {id: seats, type: number, meter: fluctuating}
  - {id: sso, type: boolean}
products:
  - {id: app, downgradePlan: free}
  - {id: labs}                       # nothing follows what ends here
plans:
  - {id: free, product: app, entitlements: [{feature: seats, limit: 1}]}
  - id: basic
    product: app
    parent: free
    pricing: paid
    prices: [{period: month, amount: 20}, {period: year, amount: 200}]
    entitlements: [{feature: calls, limit: 100, reset: month}, {feature: seats, limit: 5}]
  - id: pro
    product: app
    parent: basic
    pricing: paid
    trial: {days: 14}
    prices: [{period: month, amount: 50}]
    entitlements: [{feature: calls, limit: 1000, reset: month}, {feature: seats, limit: 3}, {feature: sso}]
  - id: team
    product: app
    pricing: paid
    trial: {days: 7, convert: true}
    prices: [{period: month, amount: 90}]
    entitlements: [{feature: seats, limit: 50}]
  - {id: beta, product: labs, pricing: paid, trial: {days: 10}, prices: [{period: month, amount: 9}], entitlements: [{feature: reports}]}
  - {id: deal, product: app, pricing: custom, entitlements: [{feature: seats, limit: 9}]}
addons:
  - {id: more-calls, product: app, prices: [{period: month, amount: 1}], entitlements: [{feature: calls, limit: 10}]}
  - {id: more-seats, product: app, prices: [{period: month, amount: 5}], entitlements: [{feature: seats, limit: 2}]}
coupons:
  - {id: tenth, percentOff: 10}
  - {id: half, percentOff: 50}
  - {id: bygone, percentOff: 50, archived: true}
`

const (
	lifeDay     = 24 * time.Hour
	lifeJanuary = 31 * lifeDay // the first month of a bubble, which begins on 1 January 2000
	lifeBilling = "billing: {}\n"
)

// life is a bench that sells lifeCatalog.
type life struct {
	*bench
	began time.Time
}

// newLife sells lifeCatalog and what more is written after it.
func newLife(t *testing.T, more string) *life {
	t.Helper()
	c, err := ParseCatalog([]byte(lifeCatalog + more))
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, Config{Catalog: c, History: 1000})
	return &life{b, b.Now()}
}

// on is the instant so long after the beginning, as the API writes it.
func (l *life) on(d time.Duration) string {
	return l.began.Add(d).Format("2006-01-02T15:04:05.000Z")
}

// until moves the clock to the instant so long after the beginning.
func (l *life) until(d time.Duration) {
	l.t.Helper()
	if err := l.SetClock(l.began.Add(d)); err != nil {
		l.t.Fatal(err)
	}
}

// write executes a mutation that has to succeed and returns its answer.
func (l *life) write(field, input, selection string) map[string]any {
	l.t.Helper()
	argument := "input"
	if field == "createSubscription" {
		argument = "subscription"
	}
	answer, _ := l.must(`mutation{`+field+`(`+argument+`:{`+input+`})`+selection+`}`, nil)[field].(map[string]any)
	return answer
}

// buy subscribes somebody by provisionSubscriptionV2, at once.
func (l *life) buy(input string) {
	l.t.Helper()
	if got := l.write("provisionSubscriptionV2", input, `{status}`); got["status"] != "SUCCESS" {
		l.t.Fatalf("provisionSubscriptionV2 of %s = %v, want SUCCESS", input, got)
	}
}

func (l *life) update(input string) { l.t.Helper(); l.write("updateOneSubscription", input, `{id}`) }
func (l *life) cancel(input string) { l.t.Helper(); l.write("cancelSubscription", input, `{id}`) }

// wantCode executes a mutation that has to fail with a code.
func (l *life) wantCode(field, input, code string) {
	l.t.Helper()
	argument, selection := "input", `{__typename}`
	switch field {
	case "createSubscription":
		argument = "subscription"
	case "cancelSchedule":
		selection = ""
	}
	a := l.ask(`mutation{`+field+`(`+argument+`:{`+input+`})`+selection+`}`, nil)
	if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != code {
		l.t.Errorf("%s of %s: %+v, want %s", field, input, a.Errors, code)
	}
}

// has tells what a key has, such as "calls=100 seats=5 sso", or why it has nothing.
func (l *life) has(key string) string {
	customerID, resourceID, _ := strings.Cut(key, "/")
	snap := l.Snapshot(customerID, resourceID)
	var words []string
	for _, ent := range snap.Entitlements {
		word := ent.FeatureID + ent.CurrencyID
		if ent.Limit != nil {
			word += fmt.Sprint("=", *ent.Limit)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ") + snap.AccessDeniedReason
}

func (l *life) wantHas(key, want string) {
	l.t.Helper()
	if got := l.has(key); got != want {
		l.t.Errorf("%v after the beginning, %s has %q, want %q", l.Now().Sub(l.began), key, got, want)
	}
}

// wantSubs checks the subscriptions that a customer ever had, such as "basic CANCELED, pro ACTIVE", the oldest first;
// of one instant, in the order of their ids.
func (l *life) wantSubs(customerID, want string) {
	l.t.Helper()
	if got := l.subs(customerID); got != want {
		l.t.Errorf("%v after the beginning, %s has subscriptions %q, want %q", l.Now().Sub(l.began), customerID, got, want)
	}
}

func (l *life) subs(customerID string) string {
	l.t.Helper()
	const read = `query($id:String!){subscriptions(filter:{customerId:{eq:$id}},paging:{first:100}){edges{node{status plan{refId}}}}}`
	var words []string
	for _, edge := range l.must(read, map[string]any{"id": customerID})["subscriptions"].(map[string]any)["edges"].([]any) {
		node := edge.(map[string]any)["node"].(map[string]any)
		words = append(words, fmt.Sprint(node["plan"].(map[string]any)["refId"], " ", node["status"]))
	}
	return strings.Join(words, ", ")
}

// sub reads fields of a subscription, each with its value after a colon.
func (l *life) sub(id string, fields ...string) string {
	l.t.Helper()
	s := l.must(`{getSubscription(input:{subscriptionId:"`+id+`"}){`+strings.Join(fields, " ")+`}}`, nil)["getSubscription"].(map[string]any)
	var words []string
	for _, f := range fields {
		name, _, _ := strings.Cut(f, "{")
		words = append(words, fmt.Sprint(name, ":", s[name]))
	}
	return strings.Join(words, " ")
}

func (l *life) wantSub(id, want string, fields ...string) {
	l.t.Helper()
	if got := l.sub(id, fields...); got != want {
		l.t.Errorf("%v after the beginning, %s is\n%s, want\n%s", l.Now().Sub(l.began), id, got, want)
	}
}

// future tells what is scheduled for a subscription, each entry as "day kind package variables"; both lists of the API say the same.
func (l *life) future(id string) string {
	l.t.Helper()
	const entry = `{scheduledExecutionTime subscriptionScheduleType scheduleStatus targetPackage{refId} scheduleVariables{__typename ...on DowngradeChangeVariables{downgradePlanRefId} ...on PlanChangeVariables{planRefId changeType} ...on AddonChangeVariables{addonRefId newQuantity} ...on UnitAmountChangeVariables{featureId newUnitAmount} ...on BillingPeriodChangeVariables{billingPeriod} ...on PlanPriceOverrideChangeVariables{planRefId p:featureId} ...on AddonPriceOverrideChangeVariables{addonRefId a:featureId}}}`
	s := l.must(`{getSubscription(input:{subscriptionId:"`+id+`"}){scheduledUpdates`+entry+` futureUpdates`+entry+`}}`, nil)["getSubscription"].(map[string]any)
	if fmt.Sprint(s["scheduledUpdates"]) != fmt.Sprint(s["futureUpdates"]) {
		l.t.Errorf("scheduledUpdates = %v, want the futureUpdates %v", s["scheduledUpdates"], s["futureUpdates"])
	}
	var entries []string
	for _, u := range s["futureUpdates"].([]any) {
		u := u.(map[string]any)
		at, err := time.Parse(time.RFC3339, u["scheduledExecutionTime"].(string))
		if err != nil || u["scheduleStatus"] != "Scheduled" {
			l.t.Errorf("scheduled = %v (%v), want a time and Scheduled", u, err)
		}
		var values []string
		variables, _ := u["scheduleVariables"].(map[string]any)
		for name, v := range variables {
			if name != "__typename" {
				values = append(values, fmt.Sprint(v))
			}
		}
		slices.Sort(values)
		entries = append(entries, fmt.Sprint(at.Sub(l.began).Hours()/24, " ", u["subscriptionScheduleType"], " ",
			u["targetPackage"].(map[string]any)["refId"], " ", strings.Join(values, "/")))
	}
	return strings.Join(entries, ", ")
}

func (l *life) wantFuture(id, want string) {
	l.t.Helper()
	if got := l.future(id); got != want {
		l.t.Errorf("%v after the beginning, scheduled for %s is\n%q, want\n%q", l.Now().Sub(l.began), id, got, want)
	}
}

// ear hears the sets that are pushed.
type ear struct{ *wsClient }

func (l *life) listen() ear {
	l.t.Helper()
	ws := l.connect()
	ws.subscribe("e", onEntitlements)
	return ear{ws}
}

// want checks the sets that are pushed next and that no more are, each as "c1/r1 calls=100 seats=5 sso".
func (e ear) want(sets ...string) {
	e.t.Helper()
	for _, want := range sets {
		if got := e.hear(); got != want {
			e.t.Errorf("pushed %q, want %q", got, want)
		}
	}
	e.barrier()
}

func (e ear) hear() string {
	e.t.Helper()
	ev := e.wantNext("e", "entitlementsUpdatedV2")
	key := fmt.Sprint(ev["customerId"])
	if r := ev["resourceId"]; r != nil {
		key += fmt.Sprint("/", r)
	}
	words := []string{key}
	for feature, limit := range limits(ev["entitlements"]) {
		if limit != nil {
			feature += fmt.Sprint("=", limit)
		}
		words = append(words, feature)
	}
	slices.Sort(words[1:])
	if reason := ev["accessDeniedReason"]; reason != nil {
		words = append(words, fmt.Sprint(reason))
	}
	return strings.Join(words, " ")
}
