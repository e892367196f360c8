package entitlements_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"math"
	"strings"
	"testing"

	. "github.com/entcache/entcache/entitlements"
)

// TestADecisionCanBeLoggedAndShown: what was answered, why, and by which limit and usage.
func TestADecisionCanBeLoggedAndShown(t *testing.T) {
	s := NewSnapshot(acme, "", []Grant{
		with(metered("seats", 10, 10), func(g *Grant) { g.DisplayName, g.EntitlementUpdatedAt = "Seats", noon }), boolean("sso"), wallet("tokens", 5, 1),
	})
	tests := []struct {
		name, log, json string
		d               Decision
	}{
		{
			"denied", "d.has_access=false d.origin=live d.reason=RequestedUsageExceedingLimit d.as_of=2026-11-22T12:00:00.000Z d.entitlement.id=seats d.entitlement.type=metered d.entitlement.limit=10 d.entitlement.usage=10",
			`{"hasAccess":false,"origin":"live","accessDeniedReason":"RequestedUsageExceedingLimit","asOf":"2026-11-22T12:00:00Z","entitlement":{"featureId":"seats","type":"metered","featureType":"NUMBER","meterType":"Incremental","displayName":"Seats","isGranted":true,"usageLimit":10,"currentUsage":10,"entitlementUpdatedAt":"2026-11-22T12:00:00Z"}}`,
			Decide(s, &Query{FeatureID: "seats", RequestedUsage: 1}, noon),
		},
		{
			"of a boolean", "d.has_access=true d.origin=live d.as_of=2026-11-22T12:00:00.000Z d.entitlement.id=sso d.entitlement.type=boolean",
			`{"hasAccess":true,"origin":"live","asOf":"2026-11-22T12:00:00Z","entitlement":{"featureId":"sso","type":"boolean","featureType":"BOOLEAN","isGranted":true}}`,
			Decide(s, &Query{FeatureID: "sso"}, noon),
		},
		{
			"of a wallet", "d.has_access=true d.origin=live d.as_of=2026-11-22T12:00:00.000Z d.entitlement.id=tokens d.entitlement.type=credit d.entitlement.limit=5 d.entitlement.usage=1",
			`{"hasAccess":true,"origin":"live","asOf":"2026-11-22T12:00:00Z","entitlement":{"currencyId":"tokens","type":"credit","isGranted":true,"usageLimit":5,"currentUsage":1}}`,
			Decide(s, &Query{CurrencyID: "tokens"}, noon),
		},
		{
			"of nothing", "d.has_access=false d.origin=live d.reason=NoFeatureEntitlementInSubscription d.as_of=2026-11-22T12:00:00.000Z",
			`{"hasAccess":false,"origin":"live","accessDeniedReason":"NoFeatureEntitlementInSubscription","asOf":"2026-11-22T12:00:00Z","entitlement":null}`,
			Decide(s, &Query{FeatureID: "none"}, noon),
		},
	}
	for _, tt := range tests {
		tt.d.Origin, tt.d.AsOf = Live, noon
		var b bytes.Buffer
		slog.New(slog.NewTextHandler(&b, nil)).Info("", "d", tt.d)
		if _, got, _ := strings.Cut(strings.TrimSpace(b.String()), `msg="" `); got != tt.log {
			t.Errorf("%s is logged as\n%s\nwant\n%s", tt.name, got, tt.log)
		}
		if got, err := json.Marshal(tt.d); err != nil || string(got) != tt.json {
			t.Errorf("%s in JSON is %v\n%s\nwant\n%s", tt.name, err, got, tt.json)
		}
	}
}

func TestAnInstantInJSON(t *testing.T) {
	for text, want := range map[string]Instant{`"2026-11-22T12:00:00Z"`: noon, `"2026-11-22T12:00:00.000000001Z"`: noon + 1, `null`: 0} {
		got, err := json.Marshal(want)
		if err != nil || string(got) != text {
			t.Errorf("%v is %s, %v; want %s", want, got, err, text)
		}
		back := Instant(5)
		if err := json.Unmarshal(got, &back); err != nil || back != want {
			t.Errorf("%s is read as %v, %v", text, back, err)
		}
	}
	if err := json.Unmarshal([]byte("12"), new(Instant)); err == nil {
		t.Error("a number is read as a moment")
	}
	if _, err := json.Marshal(Instant(math.MinInt64)); err != nil {
		t.Error(err)
	}
}
