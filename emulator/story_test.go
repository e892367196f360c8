package emulator

import (
	"testing"
	"testing/synctest"
)

func TestUpgradePushesReplacementSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "free")
		ws := b.connect()
		ws.subscribe("e", onEntitlements)

		b.must(subscribeTo, map[string]any{"input": map[string]any{"customerId": "c1", "planId": "starter"}})

		ev := ws.wantNext("e", "entitlementsUpdatedV2")
		if ev["customerId"] != "c1" || ev["resourceId"] != nil {
			t.Errorf("event for %v/%v, want c1 itself", ev["customerId"], ev["resourceId"])
		}
		limits := map[string]any{}
		for _, ent := range ev["entitlements"].([]any) {
			ent := ent.(map[string]any)
			limits[ent["feature"].(map[string]any)["refId"].(string)] = ent["usageLimit"]
		}
		if len(limits) != 5 || limits["api-calls"] != 1000.0 || limits["exports"] != 10.0 {
			t.Errorf("set after upgrade = %v, want all five features of starter", limits)
		}
	})
}

func TestIdempotentReportCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "free")
		in := map[string]any{"input": map[string]any{"customerId": "c1", "featureId": "api-calls", "value": 3, "idempotencyKey": "k"}}
		first := b.must(reportOne, in)["reportUsage"].(map[string]any)
		again := b.must(reportOne, in)["reportUsage"].(map[string]any)
		if first["id"] != again["id"] || first["timestamp"] != again["timestamp"] || again["currentUsage"] != 3.0 {
			t.Errorf("repeated report = %v, want the first answer %v", again, first)
		}
		if got := b.usage("c1", "", "api-calls"); got != 3 {
			t.Errorf("usage = %v, want 3", got)
		}
	})
}
