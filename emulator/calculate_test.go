package emulator

import (
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

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

func TestOverridesAndPromotionsLeavePeriodsWhereTheyAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "free")
		b.report("c1", "", "api-calls", 7)
		sold := must(b.Snapshot("c1", "").Find("api-calls"))
		time.Sleep(50 * time.Hour)
		many := 1e6
		same := func(when string) {
			t.Helper()
			got := must(b.Snapshot("c1", "").Find("api-calls"))
			if !got.PeriodStart.Equal(sold.PeriodStart) || !got.UsageStamp.Equal(sold.UsageStamp) || got.Usage != 7 {
				t.Errorf("%s: %+v, want period, usage and stamp of %+v", when, got, sold)
			}
		}
		if err := b.SetEntitlement("c1", "", Entitlement{Feature: "api-calls", Limit: &many, Reset: Month}); err != nil {
			t.Fatal(err)
		}
		same("override")
		if err := b.ClearEntitlement("c1", "", "api-calls", ""); err != nil {
			t.Fatal(err)
		}
		if err := b.GrantPromotional("c1", Entitlement{Feature: "api-calls", Limit: &many, Reset: Month}, time.Time{}); err != nil {
			t.Fatal(err)
		}
		same("promotion")
		if err := b.SetEntitlement("c1", "", Entitlement{Feature: "api-calls", Limit: &many, Reset: Week}); err != nil {
			t.Fatal(err)
		}
		if got := must(b.Snapshot("c1", "").Find("api-calls")); !got.UsageStamp.After(sold.UsageStamp) {
			t.Errorf("another period under the old stamp: %+v", got)
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

func TestEndedSubscriptionsAreForgottenButNotTrials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "")
		b.must(subscribeTo, map[string]any{"input": map[string]any{"customerId": "c1", "planId": "growth"}})
		for range 2 * endedSubscriptions {
			time.Sleep(time.Second)
			b.provision("c1", "", "free")
		}
		if n := len(b.state.customers["c1"].subs); n > endedSubscriptions+1 {
			t.Errorf("%d subscriptions remembered, want about %d", n, endedSubscriptions)
		}
		if !b.state.customers["c1"].trialed("growth") {
			t.Error("the trial was forgotten")
		}
	})
}
