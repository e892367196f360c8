package entitlements_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	. "github.com/entcache/entcache/entitlements"
)

// vectorRow is one answer of the official Node SDK; see the note inside the file.
type vectorRow struct {
	CustomerExists bool `json:"customerExists"`
	Entitlement    *struct {
		FeatureType        string   `json:"featureType"`
		MeterType          string   `json:"meterType"`
		HasUnlimitedUsage  bool     `json:"hasUnlimitedUsage"`
		HasSoftLimit       bool     `json:"hasSoftLimit"`
		UsageLimit         *float64 `json:"usageLimit"`
		CurrentUsage       float64  `json:"currentUsage"`
		EnumValues         []string `json:"enumValues"`
		AccessDeniedReason string   `json:"accessDeniedReason"`
	} `json:"entitlement"`
	RequestedUsage  float64  `json:"requestedUsage"`
	RequestedValues []string `json:"requestedValues"`
	Want            struct {
		HasAccess          bool   `json:"hasAccess"`
		AccessDeniedReason string `json:"accessDeniedReason"`
	} `json:"want"`
}

func readVectors(t *testing.T, file string, into any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func TestDecideAnswersAsTheNodeSDK(t *testing.T) {
	var doc struct{ Rows []vectorRow }
	readVectors(t, "testdata/decisions.json", &doc)
	if len(doc.Rows) != 700 {
		t.Fatalf("got %d rows, want the 700 of the reference", len(doc.Rows))
	}
	key := Key{CustomerID: "acme"}
	now := InstantOf(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))
	for i, row := range doc.Rows {
		var reason Reason
		var grants []Grant
		if !row.CustomerExists {
			reason = CustomerNotFound
		}
		if e := row.Entitlement; e != nil {
			g := Grant{
				ID: "f", IsGranted: true,
				FeatureType: FeatureType(e.FeatureType), MeterType: MeterType(e.MeterType),
				HasUnlimitedUsage: e.HasUnlimitedUsage, HasSoftLimit: e.HasSoftLimit,
				EnumValues: e.EnumValues, AccessDeniedReason: Reason(e.AccessDeniedReason),
				CurrentUsage: e.CurrentUsage,
			}
			if e.UsageLimit != nil {
				g.UsageLimit, g.HasUsageLimit = *e.UsageLimit, true
			}
			grants = append(grants, g)
		}
		q := Query{CustomerID: "acme", FeatureID: "f", RequestedUsage: row.RequestedUsage, RequestedValues: row.RequestedValues}
		got := Decide(NewSnapshot(key, reason, grants), &q, now)
		if got.HasAccess != row.Want.HasAccess || got.AccessDeniedReason != Reason(row.Want.AccessDeniedReason) {
			t.Errorf("row %d: Decide(%+v, usage %v, values %v) = %v %q, want %v %q", i, row.Entitlement,
				row.RequestedUsage, row.RequestedValues, got.HasAccess, got.AccessDeniedReason, row.Want.HasAccess, row.Want.AccessDeniedReason)
		}
	}
}

func TestPeriodsAreAsTheNodeSDKComputesThem(t *testing.T) {
	var doc struct {
		Rows []struct {
			Anchor, Now time.Time
			ResetPeriod string
			Want        struct{ UsagePeriodStart, UsagePeriodEnd time.Time }
		}
	}
	readVectors(t, "testdata/periods.json", &doc)
	if len(doc.Rows) != 420 {
		t.Fatalf("got %d rows, want the 420 of the reference", len(doc.Rows))
	}
	for i, row := range doc.Rows {
		start, end, ok := PeriodAt(InstantOf(row.Anchor), ParseResetPeriod(row.ResetPeriod), InstantOf(row.Now))
		if !ok || !start.Time().Equal(row.Want.UsagePeriodStart) || !end.Time().Equal(row.Want.UsagePeriodEnd) {
			t.Errorf("row %d: PeriodAt(%v, %s, %v) = %v – %v (%v), want %v – %v", i, row.Anchor, row.ResetPeriod, row.Now,
				start, end, ok, row.Want.UsagePeriodStart, row.Want.UsagePeriodEnd)
		}
	}
}
