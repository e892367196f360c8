package emulator

import (
	"slices"
	"strconv"
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

func TestMostGenerousSourceWins(t *testing.T) {
	hard, high := 10.0, 20.0
	ix, err := DemoCatalog().index()
	if err != nil {
		t.Fatal(err)
	}
	offer := func(e Entitlement) grant { e.Feature = "seats"; return grant{Entitlement: e} }
	for _, row := range []struct {
		name   string
		grants []grant
		check  func(*entitled) bool
	}{
		{"higher limit", []grant{offer(Entitlement{Limit: &high}), offer(Entitlement{Limit: &hard})}, func(e *entitled) bool { return *e.limit == 20 && !e.soft }},
		{"soft over hard", []grant{offer(Entitlement{Limit: &high}), offer(Entitlement{Limit: &hard, SoftLimit: true})}, func(e *entitled) bool { return e.soft && *e.limit == 10 }},
		{"unlimited over soft", []grant{offer(Entitlement{Limit: &high, SoftLimit: true}), offer(Entitlement{Unlimited: true})}, func(e *entitled) bool { return e.unlimited }},
	} {
		for _, grants := range [][]grant{row.grants, {row.grants[1], row.grants[0]}} {
			if got := ix.combine(ref{id: "seats"}, grants); !row.check(got) {
				t.Errorf("%s: combined to %+v", row.name, got)
			}
		}
	}
	themes := ix.combine(ref{id: "themes"}, []grant{{Entitlement: Entitlement{Values: []string{"light"}}}, {Entitlement: Entitlement{Values: []string{"dark", "light"}}}})
	if !slices.Equal(themes.values, []string{"light", "dark"}) {
		t.Errorf("values unite to %v", themes.values)
	}
	credits := ix.combine(ref{id: "ai-credits", credit: true}, []grant{{Entitlement: Entitlement{Currency: "ai-credits", Limit: &hard}}, {Entitlement: Entitlement{Currency: "ai-credits", Limit: &high}}})
	if *credits.limit != 30 {
		t.Errorf("credits add up to %v, want 30", *credits.limit)
	}
}

func TestAddonsAndBoughtQuantitiesRaiseLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "")
		b.must(subscribeTo, map[string]any{"input": map[string]any{
			"customerId": "c1", "planId": "starter",
			"addons":                   []any{map[string]any{"addonId": "extra-seats", "quantity": 3}},
			"billableFeatures":         []any{map[string]any{"featureId": "api-calls", "quantity": 7000}},
			"subscriptionEntitlements": []any{map[string]any{"featureId": "exports", "usageLimit": 99, "resetPeriod": "DAY"}},
		}})
		snap := b.Snapshot("c1", "")
		for feature, want := range map[string]float64{"seats": 20, "api-calls": 7000, "exports": 99} {
			if ent, ok := snap.Find(feature); !ok || *ent.Limit != want {
				t.Errorf("%s = %+v, want limit %v", feature, ent, want)
			}
		}
		if ent, _ := snap.Find("exports"); ent.PeriodEnd.Sub(ent.PeriodStart) != 24*time.Hour {
			t.Errorf("exports reset every %v, want a day", ent.PeriodEnd.Sub(ent.PeriodStart))
		}
	})
}

func TestTrialEndsAndFallsBackToTheDowngradePlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "")
		answer := b.must(subscribeTo, map[string]any{"input": map[string]any{"customerId": "c1", "planId": "growth"}})
		if s := answer["provisionSubscriptionV2"].(map[string]any)["subscription"].(map[string]any); s["status"] != "IN_TRIAL" {
			t.Fatalf("subscription = %v, want a trial", s)
		}
		const read = `{entitlementsState(query:{customerId:"c1"}){entitlements{validUntil} entitlementsV2{...on FeatureEntitlement{v:validUntil} ...on CreditEntitlement{w:validUntil}}}}`
		state := b.must(read, nil)["entitlementsState"].(map[string]any)
		end := time.Now().Add(14 * 24 * time.Hour).UTC().Truncate(time.Millisecond)
		if got := state["entitlementsV2"].([]any)[0].(map[string]any)["v"]; got != end.Format("2006-01-02T15:04:05.000Z") {
			t.Errorf("validUntil = %v, want the end of the trial %s", got, end)
		}
		if got := state["entitlements"].([]any)[0].(map[string]any)["validUntil"]; got != float64(end.UnixMilli()) {
			t.Errorf("older validUntil = %v, want %d", got, end.UnixMilli())
		}

		ws := b.connect()
		ws.subscribe("e", onEntitlements)
		time.Sleep(time.Until(end))
		if _, ok := b.Snapshot("c1", "").Find("sso"); ok {
			t.Error("the trial's sso outlived it")
		}
		if ev := ws.wantNext("e", "entitlementsUpdatedV2"); len(limits(ev["entitlements"])) != 4 {
			t.Errorf("event at the end of the trial = %v, want the set of free", ev)
		}
		if state := b.must(read, nil)["entitlementsState"].(map[string]any); state["entitlements"].([]any)[0].(map[string]any)["validUntil"] != nil {
			t.Error("free has a validUntil, want none")
		}
		// Once per customer: the second time it is the plan itself.
		answer = b.must(subscribeTo, map[string]any{"input": map[string]any{"customerId": "c1", "planId": "growth"}})
		if s := answer["provisionSubscriptionV2"].(map[string]any)["subscription"].(map[string]any); s["status"] != "ACTIVE" {
			t.Errorf("second subscription = %v, want no trial", s)
		}
	})
}

func TestPromotionExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{ValidUntilMillis: true})
		b.provision("c1", "", "")
		until := time.Now().Add(time.Hour).Truncate(time.Millisecond)
		if err := b.GrantPromotional("c1", Entitlement{Feature: "sso"}, until); err != nil {
			t.Fatal(err)
		}
		if snap := b.Snapshot("c1", ""); snap.AccessDeniedReason != "" || len(snap.Entitlements) != 1 {
			t.Errorf("with a promotion = %+v, want it to stand without a subscription", snap)
		}
		ent := b.must(`{entitlementV2(query:{customerId:"c1",featureId:"sso"}){...on FeatureEntitlement{validUntil}}}`, nil)["entitlementV2"].(map[string]any)
		if want := strconv.FormatInt(until.UnixMilli(), 10); ent["validUntil"] != want {
			t.Errorf("validUntil = %v, want %s: milliseconds as a string", ent["validUntil"], want)
		}
		time.Sleep(time.Hour)
		if snap := b.Snapshot("c1", ""); snap.AccessDeniedReason != "NoActiveSubscription" {
			t.Errorf("after the promotion = %+v", snap)
		}
	})
}

func TestPublishedPlanReachesAllOrNewCustomers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("old", "", "free")
		ws := b.connect()
		ws.subscribe("p", onPackage)
		plan := DemoCatalog().Plans[0]
		more := 9.0
		for i := range plan.Entitlements {
			if plan.Entitlements[i].Feature == "seats" {
				plan.Entitlements[i].Limit = &more
			}
		}
		if err := b.PublishPlan(plan, NewCustomers); err != nil {
			t.Fatal(err)
		}
		ev := ws.wantNext("p", "packagePublished")
		if ev["packageRefId"] != "free" || ev["migrationType"] != "NEW_CUSTOMERS" || ev["packageVersion"] != 2.0 {
			t.Errorf("event = %v", ev)
		}
		b.provision("new", "", "free")
		if o, n := *must(b.Snapshot("old", "").Find("seats")).Limit, *must(b.Snapshot("new", "").Find("seats")).Limit; o != 2 || n != 9 {
			t.Errorf("seats = %v and %v, want the old customer's untouched", o, n)
		}
		if err := b.PublishPlan(plan, AllCustomers); err != nil {
			t.Fatal(err)
		}
		if o := *must(b.Snapshot("old", "").Find("seats")).Limit; o != 9 {
			t.Errorf("seats after ALL_CUSTOMERS = %v, want 9", o)
		}
		plan.Entitlements = append(plan.Entitlements, Entitlement{Feature: "nothing"})
		if err := b.PublishPlan(plan, AllCustomers); err == nil {
			t.Error("a plan with a dangling feature was published")
		}
	})
}

func TestDeniedEntitlementKeepsItsReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "growth")
		if err := b.DenyEntitlement("c1", "", Entitlement{Feature: "sso"}, "Revoked"); err != nil {
			t.Fatal(err)
		}
		ent := b.must(`{entitlement(query:{customerId:"c1",featureId:"sso"}){isGranted accessDeniedReason}}`, nil)["entitlement"].(map[string]any)
		if ent["isGranted"] != false || ent["accessDeniedReason"] != "Revoked" {
			t.Errorf("sso = %v, want Revoked", ent)
		}
		if err := b.ClearEntitlement("c1", "", "sso", ""); err != nil {
			t.Fatal(err)
		}
		if got := must(b.Snapshot("c1", "").Find("sso")); got.AccessDeniedReason != "" {
			t.Errorf("sso after clearing = %+v", got)
		}
	})
}

func must[T any](v T, ok bool) T {
	if !ok {
		panic("not found")
	}
	return v
}
