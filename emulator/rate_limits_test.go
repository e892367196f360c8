package emulator

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// status posts an operation and returns the status and Retry-After of the answer.
func (b *bench) status(key, document string, variables map[string]any) (int, string) {
	b.t.Helper()
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		b.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(b.t.Context(), "POST", b.pipe.URL()+"/graphql", bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("X-API-KEY", key)
	resp, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Retry-After")
}

func TestRateLimitsAreByOperationAndKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{RateLimits: true, APIKeys: []string{"server-one", "server-two"}})
		const coupons, configuration = `{coupons{edges{node{id}}}}`, `{sdkConfiguration{showWatermark}}`
		for i := range 500 {
			if status, _ := b.status("server-one", coupons, nil); status != 200 {
				t.Fatalf("request %d: %d", i, status)
			}
		}
		time.Sleep(20 * time.Second)
		if status, after := b.status("server-one", coupons, nil); status != 429 || after != "40" {
			t.Errorf("request 501: %d, Retry-After %q; want 429 and 40", status, after)
		}
		for name, status := range map[string]int{
			"another key": first(b.status("server-two", coupons, nil)), "another operation": first(b.status("server-one", configuration, nil)),
		} {
			if status != 200 {
				t.Errorf("%s: %d", name, status)
			}
		}
		time.Sleep(40 * time.Second)
		if status, _ := b.status("server-one", coupons, nil); status != 200 {
			t.Errorf("a minute after the first: %d", status)
		}
	})
}

func first[A, B any](a A, _ B) A { return a }

// documented are the limits that Stigg publishes: how many requests a minute, for what is asked for. Names on one line share theirs.
var documented = map[string]int{
	"entitlementsState entitlementV2 entitlement cachedEntitlements getActiveSubscriptions edge": 6000,

	"reportUsage": 3000, "getSubscription": 3000, "getCustomerByRefId": 3000, "paywall": 3000,
	"estimateSubscription estimateSubscriptionUpdate previewSubscription previewNextInvoice estimateUsageCost estimateEventCost": 3000,

	"subscriptions": 1500, "customerPortal": 1500, "creditGrants": 1500,
	"reportUsageBulk": 600,
	"coupons":         500, "revokePromotionalEntitlement": 500, "creditsLedger": 500, "creditUsage": 500, "creditBalanceSummary": 500, "voidCreditGrant": 500,
	"provisionCustomer": 250, "updateOneCustomer": 250, "archiveCustomer": 250, "provisionSubscriptionV2": 250, "applySubscription": 250,
	"updateOneSubscription": 250, "cancelSubscription": 250, "migrateSubscriptionToLatest": 250, "usageHistoryV2": 250, "createCreditGrant": 250,
}

// TestRateLimitsAreThoseThatStiggDocuments asks for each as often as it may be, and once more. Whatever is not documented has no limit.
func TestRateLimitsAreThoseThatStiggDocuments(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	limited := map[string]bool{}
	for fields, limit := range documented {
		var l rateLimiter
		names := strings.Fields(fields)
		for i := range limit {
			if wait := l.check("key", names[i%len(names):][:1], nil, false, now); wait != 0 {
				t.Errorf("%s: request %d has to wait %v, of %d that are allowed", fields, i+1, wait, limit)
				break
			}
		}
		for _, name := range names {
			limited[name] = true
			if wait := l.check("key", []string{name}, nil, false, now.Add(20*time.Second)); wait != 40*time.Second {
				t.Errorf("%s: after %d requests for %s one more waits %v, want 40s", name, limit, fields, wait)
			}
		}
	}
	var l rateLimiter
	for _, name := range slices.Concat(wire.QueryFields, wire.MutationFields, []string{"edge"}) {
		if limited[name] || name == "reportEvent" { // by the second, as its own test shows
			continue
		}
		for range 6001 {
			if wait := l.check("key", []string{name}, nil, false, now); wait != 0 {
				t.Errorf("%s has a limit, and none is documented", name)
				break
			}
		}
	}
	if eventsPerSecond != 1000 || mutationsPerEntity != 30 {
		t.Errorf("%d events a second, %d mutations of an entity a minute; 1,000 and 30 are documented", eventsPerSecond, mutationsPerEntity)
	}
}

func TestRateLimitsAreByEntityForMutations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{RateLimits: true})
		b.provision("a", "", "")
		b.provision("b", "", "")
		const update = `mutation($in:UpdateCustomerInput!){updateOneCustomer(input:$in){id}}`
		const estimate = `mutation($in:ReportUsageInput!){reportUsage(input:$in){id}}`
		for range mutationsPerEntity {
			b.status(DefaultAPIKey, update, map[string]any{"in": map[string]any{"customerId": "a"}})
		}
		if status, _ := b.status(DefaultAPIKey, update, map[string]any{"in": map[string]any{"customerId": "a"}}); status != 429 {
			t.Errorf("the 31st of a customer: %d", status)
		}
		if status, _ := b.status(DefaultAPIKey, update, map[string]any{"in": map[string]any{"customerId": "b"}}); status != 200 {
			t.Errorf("another customer: %d", status)
		}
		if status, _ := b.status(DefaultAPIKey, estimate, map[string]any{"in": map[string]any{"customerId": "a", "featureId": "seats", "value": 1}}); status != 200 {
			t.Errorf("usage, which has a limit of its own: %d", status)
		}
	})
}

// A mutation is one however its document begins, and over either transport. Each of a customer, a subscription, and a resource of a
// customer has its own limit, which what is asked for under another counts against.
func TestRateLimitsByEntityHoldForEveryDocument(t *testing.T) {
	const updateSubscription = `mutation($in:UpdateSubscriptionInput!){updateOneSubscription(input:$in){id}}`
	const provision = `mutation($in:ProvisionSubscriptionInput!){provisionSubscriptionV2(input:$in){status}}`
	for _, row := range []struct {
		name, document string
		input          func(i int) map[string]any
	}{
		{"a comment leads", "# what follows\nmutation($in:UpdateCustomerInput!){updateOneCustomer(input:$in){id}}", func(int) map[string]any { return map[string]any{"customerId": "a"} }},
		{"a fragment leads", "fragment F on Customer{id} mutation($in:UpdateCustomerInput!){updateOneCustomer(input:$in){...F}}", func(int) map[string]any { return map[string]any{"customerId": "a"} }},
		{"another operation leads", "query Q{sdkConfiguration{showWatermark}} mutation M($in:UpdateCustomerInput!){updateOneCustomer(input:$in){id}}", func(int) map[string]any { return map[string]any{"customerId": "a"} }},
		{"a subscription", updateSubscription, func(int) map[string]any { return map[string]any{"subscriptionId": "s"} }},
		{"a subscription by its other name", updateSubscription, func(int) map[string]any { return map[string]any{"refId": "s"} }},
		{"a resource", provision, func(int) map[string]any {
			return map[string]any{"customerId": "a", "resourceId": "r", "planId": "free"}
		}},
		{"a customer over its resources", provision, func(i int) map[string]any {
			return map[string]any{"customerId": "a", "resourceId": strings.Repeat("r", i+1), "planId": "free"}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, Config{RateLimits: true})
				b.provision("a", "", "")
				b.must(`mutation{provisionSubscriptionV2(input:{customerId:"a",planId:"free",subscriptionId:"s"}){status}}`, nil)
				ask := func(i int) int {
					body, err := json.Marshal(map[string]any{"query": row.document, "operationName": operationOf(row.document), "variables": map[string]any{"in": row.input(i)}})
					b.check(err)
					status, answer := b.post(DefaultAPIKey, string(body))
					if status != 429 && strings.Contains(answer, `"errors"`) {
						t.Fatalf("request %d: %s", i+1, answer)
					}
					return status
				}
				for i := range mutationsPerEntity {
					if status := ask(i); status != 200 {
						t.Fatalf("request %d: %d", i+1, status)
					}
				}
				if status := ask(mutationsPerEntity); status != 429 {
					t.Errorf("request %d: %d, want 429", mutationsPerEntity+1, status)
				}

				ws := b.connect() // with the same key
				payload, err := json.Marshal(map[string]any{"query": row.document, "operationName": operationOf(row.document), "variables": map[string]any{"in": row.input(0)}})
				b.check(err)
				ws.say(`{"id":"m","type":"subscribe","payload":` + string(payload) + `}`)
				if m := ws.hear(); m.Type != "error" || !strings.Contains(string(m.Payload), codeRateLimitExceeded) {
					t.Errorf("over the socket: %s %s, want an error %s", m.Type, m.Payload, codeRateLimitExceeded)
				}
				time.Sleep(time.Minute)
				if status := ask(0); status != 200 {
					t.Errorf("a minute later: %d", status)
				}
			})
		})
	}
}

// operationOf is the name of the mutation where a document has several operations.
func operationOf(document string) any {
	if strings.Contains(document, "mutation M(") {
		return "M"
	}
	return nil
}

var (
	inMinute = regexp.MustCompile(`^([0-9,]+)( a second)?`)
	inTicks  = regexp.MustCompile("`(\\w+)`")
)

// TestRateLimitsAreThoseOfTheDocs holds the column "A minute" of docs/operations.md to the emulator.
func TestRateLimitsAreThoseOfTheDocs(t *testing.T) {
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]int{}
	var header []string
	last := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "|") {
			header = nil
			continue
		}
		var cells []string
		for _, cell := range strings.Split(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "|"), "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		if header == nil {
			header = cells
			continue
		}
		minute := slices.Index(header, "A minute")
		if minute < 0 || strings.HasPrefix(cells[0], "---") || len(cells) != len(header) {
			continue
		}
		limit := 0
		if m := inMinute.FindStringSubmatch(cells[minute]); m != nil {
			limit, _ = strconv.Atoi(strings.ReplaceAll(m[1], ",", ""))
			if m[2] != "" {
				limit *= 60
			}
		} else if cells[minute] == "the same" {
			limit = last
		}
		last = limit
		for _, m := range inTicks.FindAllStringSubmatch(cells[1], -1) {
			told[m[1]] = max(told[m[1]], limit)
		}
	}
	kept := map[string]int{"reportEvent": eventsPerSecond * 60}
	for _, row := range perMinute {
		for _, f := range row.fields {
			kept[f] = row.limit
		}
	}
	if len(told) < 50 {
		t.Fatalf("docs/operations.md tells of %d root fields, there are more", len(told))
	}
	for f, limit := range told {
		if kept[f] != limit {
			t.Errorf("docs/operations.md allows %d a minute of %s, the emulator %d; 0 is no limit", limit, f, kept[f])
		}
	}
	for f := range kept {
		if _, ok := told[f]; !ok && f != "edge" {
			t.Errorf("%s has a limit, and docs/operations.md does not tell of it", f)
		}
	}
}

func TestEventsAreLimitedByTheSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{RateLimits: true})
		events := func(n int) map[string]any {
			list := []any{}
			for range n {
				list = append(list, map[string]any{"customerId": "a", "eventName": "e", "idempotencyKey": "k"})
			}
			return map[string]any{"events": map[string]any{"usageEvents": list}}
		}
		if status, _ := b.status(DefaultAPIKey, reportEvents, events(900)); status != 200 {
			t.Errorf("900 events: %d", status)
		}
		if status, after := b.status(DefaultAPIKey, reportEvents, events(200)); status != 429 || after != "1" {
			t.Errorf("200 more: %d, %q", status, after)
		}
		time.Sleep(time.Second)
		if status, _ := b.status(DefaultAPIKey, reportEvents, events(200)); status != 200 {
			t.Errorf("a second later: %d", status)
		}
	})
}

func TestNothingIsLimitedUnlessAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		for i := range 600 {
			if status, _ := b.status(DefaultAPIKey, `{coupons{edges{node{id}}}}`, nil); status != 200 {
				t.Fatalf("request %d: %d", i, status)
			}
		}
	})
}

// TestRateLimitsNameWhatExists holds the table to the schema.
func TestRateLimitsNameWhatExists(t *testing.T) {
	known := "edge " + strings.Join(wire.QueryFields, " ") + " " + strings.Join(wire.MutationFields, " ") + " "
	for _, row := range perMinute {
		for _, f := range row.fields {
			if !strings.Contains(known, f+" ") {
				t.Errorf("there is no root field %s", f)
			}
		}
	}
	for f := range unlimited {
		if !strings.Contains(known, f+" ") {
			t.Errorf("there is no root field %s", f)
		}
	}
}
