package emulator

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// limits collects usageLimit by feature from a list of V2 entitlements.
func limits(list any) map[string]any {
	byFeature := map[string]any{}
	for _, ent := range list.([]any) {
		ent := ent.(map[string]any)
		if f, ok := ent["feature"].(map[string]any); ok {
			byFeature[f["refId"].(string)] = ent["usageLimit"]
		}
	}
	return byFeature
}

func TestUpgradePushesReplacementSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "free")
		ws := b.connect()
		ws.subscribe("e", onEntitlements)

		data := b.must(subscribeTo, map[string]any{"input": map[string]any{"customerId": "c1", "planId": "starter"}})

		ev := ws.wantNext("e", "entitlementsUpdatedV2")
		if ev["customerId"] != "c1" || ev["resourceId"] != nil {
			t.Errorf("event for %v/%v, want c1 itself", ev["customerId"], ev["resourceId"])
		}
		pushed := limits(ev["entitlements"])
		if len(pushed) != 5 || pushed["api-calls"] != 1000.0 || pushed["exports"] != 10.0 {
			t.Errorf("set after upgrade = %v, want all five features of starter", pushed)
		}
		answer := data["provisionSubscriptionV2"].(map[string]any)
		if answer["status"] != "SUCCESS" || len(limits(answer["entitlementsV2"])) != 5 {
			t.Errorf("answer = %v, want the same set", answer)
		}
	})
}

func TestDowngradeEndsTheOldSubscriptionAndTakesFeaturesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "enterprise")
		b.report("c1", "", "api-calls", 150)
		before, _ := b.Snapshot("c1", "").Find("api-calls")
		time.Sleep(36 * time.Hour)
		b.provision("c1", "", "free")

		after, _ := b.Snapshot("c1", "").Find("api-calls")
		if after.Unlimited || *after.Limit != 100 || after.Usage != 150 || !after.PeriodStart.Equal(before.PeriodStart) {
			t.Errorf("api-calls = %+v, want the limit of free, with usage and period kept", after)
		}
		if _, ok := b.Snapshot("c1", "").Find("sso"); ok {
			t.Error("sso survived the downgrade")
		}
		list := b.must(`{getActiveSubscriptions(input:{customerId:"c1"}){plan{refId} status}}`, nil)["getActiveSubscriptions"].([]any)
		if len(list) != 1 || list[0].(map[string]any)["plan"].(map[string]any)["refId"] != "free" {
			t.Errorf("active subscriptions = %v, want free alone", list)
		}
	})
}

func TestStampsStrictlyIncreaseWithinOneMillisecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		var last time.Time
		for range 20 {
			b.provision("c1", "", "free")
			ent, _ := b.Snapshot("c1", "").Find("seats")
			b.report("c1", "", "seats", 1)
			used, _ := b.Snapshot("c1", "").Find("seats")
			if !ent.EntitlementStamp.After(last) || !used.UsageStamp.After(ent.EntitlementStamp) {
				t.Fatalf("stamps %s, %s after %s: not increasing", ent.EntitlementStamp, used.UsageStamp, last)
			}
			last = used.UsageStamp
		}
	})
}

func TestProvisionCustomerDecidesTheFirstSubscription(t *testing.T) {
	const provision = `mutation($input:ProvisionCustomerInput!){provisionCustomer(input:$input){subscriptionDecisionStrategy customer{customerId refId name} subscription{plan{refId}} entitlementsV2{__typename} entitlements{customerId}}}`
	trialFirst := DemoCatalog()
	trialFirst.Products[0].Journey = &Journey{Plan: "growth", Trial: true}
	noJourney := DemoCatalog()
	noJourney.Products[0].Journey = nil
	for _, row := range []struct {
		name     string
		catalog  *Catalog
		input    map[string]any
		strategy string
		plan     any
	}{
		{"absent: the journey's free plan", nil, map[string]any{"customerId": "c1"}, "PREDEFINED_FREE_PLAN", "free"},
		{"absent: the journey's trial", trialFirst, map[string]any{"customerId": "c1"}, "PREDEFINED_TRIAL_PLAN", "growth"},
		{"absent: no journey", noJourney, map[string]any{"customerId": "c1"}, "SKIPPED_SUBSCRIPTION_CREATION", nil},
		{"null: none", nil, map[string]any{"refId": "c1", "subscriptionParams": nil}, "SKIPPED_SUBSCRIPTION_CREATION", nil},
		{"given", nil, map[string]any{"refId": "c1", "subscriptionParams": map[string]any{"planId": "starter"}}, "REQUESTED_PLAN", "starter"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, Config{Catalog: row.catalog})
				got := b.must(provision, map[string]any{"input": row.input})["provisionCustomer"].(map[string]any)
				var plan any
				if s, ok := got["subscription"].(map[string]any); ok {
					plan = s["plan"].(map[string]any)["refId"]
				}
				if got["subscriptionDecisionStrategy"] != row.strategy || plan != row.plan {
					t.Errorf("got %v on %v, want %v on %v", got["subscriptionDecisionStrategy"], plan, row.strategy, row.plan)
				}
				if got["customer"].(map[string]any)["customerId"] != "c1" {
					t.Errorf("customer = %v, want c1", got["customer"])
				}
			})
		})
	}
}

func TestProvisionCustomerAgainKeepsWhatItHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "starter")
		b.must(`mutation{provisionCustomer(input:{customerId:"c1",name:"Acme"}){customer{id}}}`, nil)
		c := b.must(`{getCustomerByRefId(input:{customerId:"c1"}){name subscriptions{plan{refId}}}}`, nil)["getCustomerByRefId"].(map[string]any)
		if subs := c["subscriptions"].([]any); c["name"] != "Acme" || len(subs) != 1 || subs[0].(map[string]any)["plan"].(map[string]any)["refId"] != "starter" {
			t.Errorf("customer = %v, want the name updated and starter kept", c)
		}
		a := b.ask(`mutation{provisionCustomer(input:{customerId:"a",refId:"b"}){customer{id}}}`, nil)
		if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "EntityIdDifferentFromRefIdError" {
			t.Errorf("two ids: %+v", a.Errors)
		}
		a = b.ask(`mutation{provisionCustomer(input:{customerId:"new",subscriptionParams:{planId:"gone"}}){customer{id}}}`, nil)
		if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "PlanNotFound" || b.Snapshot("new", "").AccessDeniedReason != "CustomerNotFound" {
			t.Errorf("unknown plan: %+v; and the customer must not have been made", a.Errors)
		}
	})
}

func TestEmptySetsSayWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		ws := b.connect()
		ws.subscribe("e", onEntitlements)
		reason := func(id string) any {
			state := b.must(`query($q:FetchEntitlementsQuery!){entitlementsState(query:$q){accessDeniedReason entitlements{isGranted} entitlementsV2{__typename}}}`,
				map[string]any{"q": map[string]any{"customerId": id}})["entitlementsState"].(map[string]any)
			if len(state["entitlements"].([]any))+len(state["entitlementsV2"].([]any)) != 0 {
				t.Errorf("state of %s = %v, want empty lists", id, state)
			}
			return state["accessDeniedReason"]
		}
		if got := reason("nobody"); got != "CustomerNotFound" {
			t.Errorf("nobody: %v", got)
		}
		b.provision("bare", "", "")
		if ev := ws.wantNext("e", "entitlementsUpdatedV2"); ev["accessDeniedReason"] != "NoActiveSubscription" {
			t.Errorf("event of a bare customer = %v", ev)
		}
		if got := reason("bare"); got != "NoActiveSubscription" {
			t.Errorf("bare: %v", got)
		}
		b.provision("bare", "", "free")
		ws.wantNext("e", "entitlementsUpdatedV2")
		if err := b.ArchiveCustomer("bare"); err != nil {
			t.Fatal(err)
		}
		if ev := ws.wantNext("e", "entitlementsUpdatedV2"); ev["accessDeniedReason"] != "CustomerIsArchived" || len(ev["entitlements"].([]any)) != 0 {
			t.Errorf("event of the archive = %v", ev)
		}
		if got := reason("bare"); got != "CustomerIsArchived" {
			t.Errorf("archived: %v", got)
		}
	})
}

func TestCustomerLevelChangeReachesEveryResource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "free")
		b.provision("c1", "r1", "starter")
		b.provision("c1", "r2", "growth")
		ws := b.connect()
		ws.subscribe("e", onEntitlements)

		if err := b.GrantPromotional("c1", Entitlement{Feature: "audit-log"}, time.Time{}); err != nil {
			t.Fatal(err)
		}
		var keys []any
		for range 3 {
			ev := ws.wantNext("e", "entitlementsUpdatedV2")
			keys = append(keys, ev["resourceId"])
			if _, ok := limits(ev["entitlements"])["audit-log"]; !ok {
				t.Errorf("event of %v lacks the promotion: %v", ev["resourceId"], ev)
			}
		}
		if !slices.Equal(keys, []any{nil, "r1", "r2"}) {
			t.Errorf("events for %v, want the customer and both resources", keys)
		}
		b.provision("c1", "r2", "starter") // the resource's own business
		if ev := ws.wantNext("e", "entitlementsUpdatedV2"); ev["resourceId"] != "r2" {
			t.Errorf("event of %v, want r2 alone", ev["resourceId"])
		}
		ws.barrier()
	})
}

func TestResourceHasWhatTheCustomerHasAndCountsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "free")
		if ent, ok := b.Snapshot("c1", "fresh").Find("seats"); !ok || *ent.Limit != 2 || ent.Usage != 0 {
			t.Errorf("an unused resource has %+v, want the customer's seats", ent)
		}
		b.report("c1", "r1", "seats", 1)
		if a, r := b.usage("c1", "", "seats"), b.usage("c1", "r1", "seats"); a != 0 || r != 1 {
			t.Errorf("usage = %v and %v, want 0 and 1", a, r)
		}
	})
}
