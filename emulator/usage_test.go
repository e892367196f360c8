package emulator

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestIdempotentReportCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "free")
		in := map[string]any{"input": map[string]any{"customerId": "c1", "featureId": "api-calls", "value": 3, "idempotencyKey": "k"}}
		first := b.must(reportOne, in)["reportUsage"].(map[string]any)
		b.report("c1", "", "api-calls", 5)
		again := b.must(reportOne, in)["reportUsage"].(map[string]any)
		if first["id"] != again["id"] || first["timestamp"] != again["timestamp"] || again["currentUsage"] != 3.0 {
			t.Errorf("repeated report = %v, want the first answer %v", again, first)
		}
		if got := b.usage("c1", "", "api-calls"); got != 8 {
			t.Errorf("usage = %v, want 8", got)
		}
		// The same key for something else is another report.
		in["input"].(map[string]any)["featureId"] = "seats"
		if got := b.must(reportOne, in)["reportUsage"].(map[string]any)["currentUsage"]; got != 3.0 {
			t.Errorf("seats = %v, want 3", got)
		}
	})
}

func TestReportsAddSetAndNeverFallBelowZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "free")
		for _, step := range []struct {
			value float64
			how   string
			want  float64
		}{
			{0.1, "DELTA", 0.1}, {0.2, "DELTA", 0.3}, {5, "SET", 5}, {-2, "DELTA", 3}, {-9, "DELTA", 0}, {500, "DELTA", 500}, {-1, "SET", 0},
		} {
			got := b.must(reportOne, map[string]any{"input": map[string]any{
				"customerId": "c1", "featureId": "seats", "value": step.value, "updateBehavior": step.how,
			}})["reportUsage"].(map[string]any)
			if got["currentUsage"] != step.want {
				t.Errorf("%s %v = %v, want %v", step.how, step.value, got["currentUsage"], step.want)
			}
		}
	})
}

func TestReportAnswersWhatTheEventTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "r1", "free")
		ws := b.connect()
		ws.subscribe("u", onUsage)
		ws.subscribe("v1", `subscription{usageUpdated{usage{customerId resourceId featureId currentUsage nextResetDate} entitlement{currentUsage feature{refId}}}}`)
		got := b.must(reportOne, map[string]any{"input": map[string]any{
			"customerId": "c1", "resourceId": "r1", "featureId": "api-calls", "value": 2,
		}})["reportUsage"].(map[string]any)
		ev := ws.wantNext("u", "usageUpdatedV2")
		usage := ev["usage"].(map[string]any)
		if ev["resourceId"] != "r1" || ev["entitlementReference"].(map[string]any)["type"] != "FEATURE" ||
			usage["currentUsage"] != got["currentUsage"] || usage["usageUpdatedAt"] != got["timestamp"] ||
			usage["usagePeriodStart"] != got["usagePeriodStart"] || usage["usagePeriodEnd"] != got["usagePeriodEnd"] {
			t.Errorf("event %v does not tell what the answer did: %v", ev, got)
		}
		old := ws.wantNext("v1", "usageUpdated")
		end, _ := time.Parse(time.RFC3339, got["usagePeriodEnd"].(string))
		if u := old["usage"].(map[string]any); u["currentUsage"] != 2.0 || u["nextResetDate"] != float64(end.UnixMilli()) {
			t.Errorf("older event = %v, want usage 2 and the reset in milliseconds", old)
		}
	})
}

func TestBackdatedReportLeavesTheNewPeriodAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "free")
		time.Sleep(40 * 24 * time.Hour)
		in := map[string]any{"customerId": "c1", "featureId": "api-calls", "value": 5, "createdAt": time.Now().AddDate(0, 0, -20).UTC().Format(time.RFC3339)}
		if got := b.must(reportOne, map[string]any{"input": in})["reportUsage"].(map[string]any)["currentUsage"]; got != 0.0 {
			t.Errorf("usage after a report of the last period = %v, want 0", got)
		}
		in["createdAt"] = time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
		if got := b.must(reportOne, map[string]any{"input": in})["reportUsage"].(map[string]any)["currentUsage"]; got != 5.0 {
			t.Errorf("usage after a report of this period = %v, want 5", got)
		}
	})
}

func TestReportsThatCannotBeCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "free")
		b.provision("gone", "", "free")
		if err := b.ArchiveCustomer("gone"); err != nil {
			t.Fatal(err)
		}
		for _, row := range []struct{ customer, feature, code string }{
			{"nobody", "api-calls", "CustomerNotFound"},
			{"gone", "api-calls", "EntityIsArchivedError"},
			{"c1", "teleport", "FeatureNotFound"},
			{"c1", "sso", "MeteringNotAvailableForFeatureType"},
			{"c1", "exports", "NoFeatureEntitlementError"},
		} {
			a := b.ask(reportOne, map[string]any{"input": map[string]any{"customerId": row.customer, "featureId": row.feature, "value": 1}})
			if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != row.code {
				t.Errorf("report of %s by %s: %+v, want %s", row.feature, row.customer, a.Errors, row.code)
			}
		}
	})
}

func TestUsageDrawsOnTheWalletUntilItIsDry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "growth") // 500 credits, two an answer
		ws := b.connect()
		ws.subscribe("u", onUsage)
		in := map[string]any{"input": map[string]any{"customerId": "c1", "featureId": "ai-answers", "value": 100, "idempotencyKey": "k"}}
		got := b.must(reportOne, in)["reportUsage"].(map[string]any)
		credit := got["credit"].(map[string]any)
		if got["currentUsage"] != 100.0 || credit["consumed"] != 200.0 || credit["currentUsage"] != 200.0 {
			t.Errorf("answer = %v, want 200 credits consumed", got)
		}
		if ev := ws.wantNext("u", "usageUpdatedV2"); ev["entitlementReference"].(map[string]any)["type"] != "CREDIT" || ev["usage"].(map[string]any)["usageUpdatedAt"] != credit["timestamp"] {
			t.Errorf("first event = %v, want the wallet's", ev)
		}
		if ev := ws.wantNext("u", "usageUpdatedV2"); ev["entitlementReference"].(map[string]any)["id"] != "ai-answers" {
			t.Errorf("second event = %v, want the feature's", ev)
		}
		if again := b.must(reportOne, in)["reportUsage"].(map[string]any)["credit"].(map[string]any); again["consumed"] != 0.0 || again["currentUsage"] != 200.0 {
			t.Errorf("repeated report = %v, want nothing consumed", again)
		}

		ws.subscribe("e", onEntitlements)
		b.report("c1", "", "ai-answers", 150) // 500 of 500
		if ev := ws.wantNext("e", "entitlementsUpdatedV2"); ev["customerId"] != "c1" {
			t.Errorf("event = %v, want a new set: the wallet ran dry", ev)
		}
		const read = `{entitlementV2(query:{customerId:"c1",featureId:"ai-answers"}){...on FeatureEntitlement{isGranted accessDeniedReason creditRate{amount currencyId}}}}`
		if ent := b.must(read, nil)["entitlementV2"].(map[string]any); ent["isGranted"] != false || ent["accessDeniedReason"] != "InsufficientCredits" {
			t.Errorf("ai-answers = %v, want InsufficientCredits", ent)
		}
		time.Sleep(32 * 24 * time.Hour) // the wallet is refilled
		if ent := b.must(read, nil)["entitlementV2"].(map[string]any); ent["isGranted"] != true || ent["accessDeniedReason"] != nil {
			t.Errorf("ai-answers a month later = %v, want it granted again", ent)
		}
	})
}

func TestConsumeCreditsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "growth")
		const consume = `mutation{consumeCredits(input:{customerId:"c1",currencyId:"ai-credits",amount:30,idempotencyKey:"k"}){amount credit{currentUsage usageLimit}}}`
		for range 2 {
			got := b.must(consume, nil)["consumeCredits"].(map[string]any)["credit"].(map[string]any)
			if got["currentUsage"] != 30.0 || got["usageLimit"] != 500.0 {
				t.Errorf("wallet = %v, want 30 of 500", got)
			}
		}
	})
}

func TestServerDecidesAsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "starter")
		b.provision("bare", "", "")
		b.report("c1", "", "seats", 5)
		b.report("c1", "", "exports", 50)
		for _, row := range []struct{ query, reason string }{
			{`{customerId:"c1",featureId:"seats"}`, ""},
			{`{customerId:"c1",featureId:"seats",options:{requestedUsage:1}}`, "RequestedUsageExceedingLimit"},
			{`{customerId:"c1",featureId:"exports",options:{requestedUsage:1}}`, ""}, // soft
			{`{customerId:"c1",featureId:"themes",options:{requestedValues:["dark"]}}`, ""},
			{`{customerId:"c1",featureId:"themes",options:{requestedValues:["dark","high-contrast"]}}`, "RequestedValuesMismatch"},
			{`{customerId:"c1",featureId:"sso"}`, "NoFeatureEntitlementInSubscription"},
			{`{customerId:"c1",featureId:"teleport"}`, "FeatureNotFound"},
			{`{customerId:"nobody",featureId:"sso"}`, "CustomerNotFound"},
			{`{customerId:"bare",featureId:"sso"}`, "NoActiveSubscription"},
			{`{customerId:"c1",currencyId:"ai-credits"}`, "EntitlementNotFound"},
			{`{customerId:"c1",currencyId:"gold"}`, "EntitlementNotFound"},
		} {
			ent := b.must(`{entitlementV2(query:`+row.query+`){...on FeatureEntitlement{isGranted accessDeniedReason} ...on CreditEntitlement{isGranted accessDeniedReason currency{currencyId}}}}`, nil)["entitlementV2"].(map[string]any)
			var want any
			if row.reason != "" {
				want = row.reason
			}
			if ent["accessDeniedReason"] != want || ent["isGranted"] != (want == nil) {
				t.Errorf("%s = %v, want %v", row.query, ent, want)
			}
		}
		for _, query := range []string{`{customerId:"c1"}`, `{customerId:"c1",featureId:"a",currencyId:"b"}`} {
			if a := b.ask(`{entitlementV2(query:`+query+`){__typename}}`, nil); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "BadUserInput" {
				t.Errorf("%s: %+v, want BadUserInput", query, a.Errors)
			}
		}
	})
}

func TestAsynchronousConsumptionShowsInTheBalance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "growth")
		ws := b.connect()
		ws.subscribe("b", `subscription{creditBalanceUpdated{customerId currencyId currentBalance totalConsumed currency{symbol}}}`)
		b.must(`mutation{consumeCreditsAsync(input:{consumptions:[
			{customerId:"c1",currencyId:"ai-credits",amount:20,idempotencyKey:"1"},
			{customerId:"nobody",currencyId:"ai-credits",amount:20,idempotencyKey:"2"},
			{customerId:"c1",currencyId:"ai-credits",amount:20,idempotencyKey:"1"}]})}`, nil)
		if ev := ws.wantNext("b", "creditBalanceUpdated"); ev["currentBalance"] != 480.0 || ev["totalConsumed"] != 20.0 {
			t.Errorf("event = %v, want 480 left", ev)
		}
		ws.barrier() // once only
		got := b.must(`{creditBalanceSummary(input:{customerId:"c1"}){balances{currentBalance totalGranted}}}`, nil)["creditBalanceSummary"].(map[string]any)
		if list := got["balances"].([]any); len(list) != 1 || list[0].(map[string]any)["currentBalance"] != 480.0 {
			t.Errorf("balances = %v, want one of 480", list)
		}
	})
}
