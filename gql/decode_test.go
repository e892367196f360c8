package gql

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/gql/internal/scan"
)

// element is the i-th entitlement of a made-up catalogue, as Stigg sends it.
func element(i int) string {
	switch i % 4 {
	case 0:
		return fmt.Sprintf(`{"__typename":"FeatureEntitlement","isGranted":true,"accessDeniedReason":null,"feature":{"refId":"feature-flag-%d","featureType":"BOOLEAN","meterType":null,"displayName":"Flag %d","description":"A switch that the plan turns on","featureUnits":null,"featureUnitsPlural":null},"usageLimit":null,"hasUnlimitedUsage":false,"hasSoftLimit":null,"currentUsage":null,"enumValues":null,"resetPeriod":null,"usagePeriodAnchor":null,"usagePeriodStart":null,"usagePeriodEnd":null,"entitlementUpdatedAt":"2026-11-22T19:10:00.000Z","usageUpdatedAt":null,"validUntil":null,"creditRate":null}`, i, i)
	case 1:
		return fmt.Sprintf(`{"__typename":"CreditEntitlement","isGranted":true,"accessDeniedReason":null,"currency":{"currencyId":"cred-type-%d","displayName":"Tokens","description":null,"unitSingular":"token","unitPlural":"tokens"},"usageLimit":1000,"hasSoftLimit":false,"currentUsage":12.5,"usagePeriodEnd":"2026-12-01T00:00:00.000Z","entitlementUpdatedAt":"2026-11-22T19:10:00.000Z","usageUpdatedAt":"2026-11-22T19:11:00.000Z","validUntil":null}`, i)
	default:
		return fmt.Sprintf(`{"__typename":"FeatureEntitlement","isGranted":true,"accessDeniedReason":null,"feature":{"refId":"feature-meter-%d","featureType":"NUMBER","meterType":"Incremental","displayName":"Meter %d","description":"Something that is counted","featureUnits":"call","featureUnitsPlural":"calls"},"usageLimit":1000,"hasUnlimitedUsage":false,"hasSoftLimit":false,"currentUsage":17,"enumValues":null,"resetPeriod":"MONTH","usagePeriodAnchor":"2026-01-15T08:00:00.000Z","usagePeriodStart":"2026-11-15T08:00:00.000Z","usagePeriodEnd":"2026-12-15T08:00:00.000Z","entitlementUpdatedAt":"2026-11-22T19:10:00.000Z","usageUpdatedAt":"2026-11-22T19:11:00.000Z","validUntil":"1797000000000","creditRate":{"amount":0.5,"currencyId":"cred-type-1"}}`, i, i)
	}
}

func elements(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = element(i)
	}
	return "[" + strings.Join(list, ",") + "]"
}

func stateReply(n int) string {
	return `{"data":{"entitlementsState":{"accessDeniedReason":null,"entitlementsV2":` + elements(n) + `}}}`
}

func entitlementsEvent(customer string, n int) string {
	return fmt.Sprintf(`{"data":{"entitlementsUpdatedV2":{"customerId":%q,"resourceId":null,"accessDeniedReason":null,"entitlements":%s}}}`, customer, elements(n))
}

func at(text string) entitlements.Instant {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return entitlements.InstantOf(t)
}

func decodeOne(t *testing.T, text string) (entitlements.Grant, bool, error) {
	t.Helper()
	d := decoder{Scanner: scan.New([]byte(text)), names: newInterner()}
	var g entitlements.Grant
	ok := d.grant(&g)
	d.End()
	return g, ok, d.Err()
}

func TestEveryFieldOfAFeature(t *testing.T) {
	const text = `{"__typename":"FeatureEntitlement","isGranted":true,"accessDeniedReason":"BudgetExceeded","hasUnlimitedUsage":true,
		"feature":{"refId":"f","featureType":"ENUM","meterType":"Fluctuating","displayName":"F","description":"D","featureUnits":"u","featureUnitsPlural":"us"},
		"usageLimit":2.5,"hasSoftLimit":true,"currentUsage":1e1,"enumValues":["a","\u00e9\n"],"resetPeriod":"WEEK",
		"usagePeriodAnchor":"2026-01-31T00:00:00Z","usagePeriodStart":"2026-02-01T00:00:00+01:00","usagePeriodEnd":"2026-02-08T00:00:00.5Z",
		"entitlementUpdatedAt":"2026-03-01T00:00:00","usageUpdatedAt":1772323200000,"validUntil":"1772323200000","creditRate":{"amount":3,"currencyId":"c"}}`
	want := entitlements.Grant{
		Kind: entitlements.KindFeature, ID: "f", FeatureType: entitlements.FeatureEnum, MeterType: entitlements.MeterFluctuating,
		DisplayName: "F", Description: "D", Units: "u", UnitsPlural: "us", IsGranted: true, AccessDeniedReason: entitlements.BudgetExceeded,
		UsageLimit: 2.5, HasUsageLimit: true, HasUnlimitedUsage: true, HasSoftLimit: true, EnumValues: []string{"a", "é\n"},
		ResetPeriod: entitlements.ResetWeek, UsagePeriodAnchor: at("2026-01-31T00:00:00Z"), UsagePeriodStart: at("2026-01-31T23:00:00Z"),
		UsagePeriodEnd: at("2026-02-08T00:00:00Z").Add(500 * time.Millisecond), CurrentUsage: 10,
		EntitlementUpdatedAt: at("2026-03-01T00:00:00Z"), UsageUpdatedAt: at("2026-03-01T00:00:00Z"), ValidUntil: at("2026-03-01T00:00:00Z"),
		CreditRate: 3, CreditCurrencyID: "c",
	}
	got, ok, err := decodeOne(t, text)
	if err != nil || !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v, %v\nwant %+v", got, ok, err, want)
	}
	for i, v := 0, reflect.ValueOf(want); i < v.NumField(); i++ {
		if v.Field(i).IsZero() && v.Type().Field(i).Name != "Kind" {
			t.Errorf("%s is not covered", v.Type().Field(i).Name)
		}
	}
}

func TestEveryFieldOfACredit(t *testing.T) {
	want := entitlements.Grant{
		Kind: entitlements.KindCredit, ID: "cred-type-1", DisplayName: "Tokens", Units: "token", UnitsPlural: "tokens", IsGranted: true,
		UsageLimit: 1000, HasUsageLimit: true, CurrentUsage: 12.5, UsagePeriodEnd: at("2026-12-01T00:00:00Z"),
		EntitlementUpdatedAt: at("2026-11-22T19:10:00Z"), UsageUpdatedAt: at("2026-11-22T19:11:00Z"),
	}
	if got, ok, err := decodeOne(t, element(1)); err != nil || !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v, %v\nwant %+v", got, ok, err, want)
	}
}

func TestTolerance(t *testing.T) {
	const minimal = `"isGranted":false,"hasUnlimitedUsage":false,"feature":{"refId":"f","featureType":"BOOLEAN"}`
	for name, tt := range map[string]struct {
		text string
		ok   bool
		want func(entitlements.Grant) bool
	}{
		"missing optional fields": {`{"__typename":"FeatureEntitlement",` + minimal + `}`, true, func(g entitlements.Grant) bool { return !g.HasUsageLimit && !g.IsGranted }},
		"typename last":           {`{` + minimal + `,"__typename":"FeatureEntitlement"}`, true, func(g entitlements.Grant) bool { return g.ID == "f" }},
		"escaped names":           {`{"__typ\u0065name":"Feature\u0045ntitlement",` + minimal + `,"us\u0061geLimit":4}`, true, func(g entitlements.Grant) bool { return g.UsageLimit == 4 }},
		"unknown enum values": {`{"__typename":"FeatureEntitlement",` + strings.Replace(minimal, "BOOLEAN", "QUANTUM", 1) + `,"resetPeriod":"DECADE","accessDeniedReason":"Mood"}`, true,
			func(g entitlements.Grant) bool {
				return g.FeatureType == "QUANTUM" && g.ResetPeriod == entitlements.ResetNever && g.AccessDeniedReason == "Mood"
			}},
		"unknown fields":    {`{"__typename":"FeatureEntitlement","new":{"a":[1,{"b":null}]},` + minimal + `}`, true, func(g entitlements.Grant) bool { return g.ID == "f" }},
		"empty moment":      {`{"__typename":"FeatureEntitlement",` + minimal + `,"validUntil":""}`, true, func(g entitlements.Grant) bool { return g.ValidUntil == 0 }},
		"never":             {`{"__typename":"FeatureEntitlement",` + minimal + `,"validUntil":"9999-12-31T23:59:59Z"}`, true, func(g entitlements.Grant) bool { return g.ValidUntil > at("2200-01-01T00:00:00Z") }},
		"invalid UTF-8":     {"{\"__typename\":\"FeatureEntitlement\"," + minimal + ",\"enumValues\":[\"\xff\"]}", true, func(g entitlements.Grant) bool { return g.EnumValues[0] == "\ufffd" }},
		"unknown kind":      {`{"__typename":"HologramEntitlement","isGranted":"perhaps","usageLimit":{}}`, false, nil},
		"without feature":   {`{"__typename":"FeatureEntitlement","isGranted":true,"hasUnlimitedUsage":true,"feature":null}`, false, nil},
		"null soft limit":   {`{"__typename":"FeatureEntitlement",` + minimal + `,"hasSoftLimit":null}`, true, func(g entitlements.Grant) bool { return !g.HasSoftLimit }},
		"unknown kind last": {`{"isGranted":3,"__typename":"HologramEntitlement"}`, false, nil},
	} {
		g, ok, err := decodeOne(t, tt.text)
		if err != nil || ok != tt.ok || ok && !tt.want(g) {
			t.Errorf("%s: %+v, %v, %v", name, g, ok, err)
		}
	}
}

func TestUnknownEntitlementsAreCounted(t *testing.T) {
	f, cfg := newFake(t)
	f.post = reply(200, `{"data":{"entitlementsState":{"entitlementsV2":[{"__typename":"New"},`+element(0)+`,{"__typename":"New","feature":3}]}}}`)
	c := mustNew(t, cfg)
	snap, err := c.Fetch(t.Context(), aKey)
	if err != nil || snap.Len() != 1 || c.UnknownEntitlements() != 2 {
		t.Errorf("Fetch = %v, %v; %d unknown; want one known and two unknown", snap, err, c.UnknownEntitlements())
	}
}

func TestDeepReplyIsRefused(t *testing.T) {
	body := `{"data":{"entitlementsState":{"x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `,"entitlementsV2":[]}}}`
	if _, _, err := decodeState([]byte(body), aKey, nil); !errors.Is(err, scan.ErrDepth) || !errors.Is(err, ErrMalformed) {
		t.Errorf("decodeState = %v, want ErrDepth", err)
	}
}

func TestSnapshotKeepsNothingOfTheReply(t *testing.T) {
	body := []byte(stateReply(8))
	snap, _, err := decodeState(body, aKey, newInterner())
	if err != nil {
		t.Fatal(err)
	}
	before := snap.String()
	clear(body)
	if _, _, err := decodeState([]byte(stateReply(5)), aKey, newInterner()); err != nil {
		t.Fatal(err)
	}
	if after := snap.String(); after != before {
		t.Errorf("snapshot changed from %s to %s", before, after)
	}
}

// TestDecodingWhatIsKnownAllocatesLittle: the texts of a plan, descriptions included, are in memory once, however often they arrive.
func TestDecodingWhatIsKnownAllocatesLittle(t *testing.T) {
	names := newInterner()
	n := testing.AllocsPerRun(100, func() {
		if snap, _, err := decodeState(customer20, aKey, names); err != nil || snap.Len() != 20 {
			t.Fatal(snap, err)
		}
	})
	if n > 12 { // three: the snapshot, its records, its stamps; the race detector empties pools
		t.Errorf("decoding a customer of 20 allocates %v times", n)
	}
}

// TestMomentsAreReadEachOnItsOwn, though most are the same as the one before.
func TestMomentsAreReadEachOnItsOwn(t *testing.T) {
	var d decoder
	for _, text := range []string{
		`"2026-11-20T07:21:10.497Z"`, `"2026-11-20T07:21:10.497Z"`, `"2026-11-20T07:21:10.498Z"`, `null`, `"2026-11-20T07:21:10.498Z"`,
		`"2026-11-20T07:21:10Z"`, `"2026-11-20T07:21:10.497\u005a"`, `"2026-11-31T07:21:10.497Z"`, `"2026-11-20T07:21:10.497Z"`,
	} {
		d.Scanner = scan.New([]byte(text))
		got, err := d.instant(anchorField), d.Err()
		fresh := decoder{Scanner: scan.New([]byte(text))}
		if want := fresh.instant(anchorField); got != want || (err == nil) != (fresh.Err() == nil) {
			t.Errorf("%s is read as %v (%v), want %v (%v)", text, got, err, want, fresh.Err())
		}
	}
}

func TestSnapshotOf(t *testing.T) {
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(elements(4)), &list); err != nil {
		t.Fatal(err)
	}
	if snap, err := SnapshotOf(aKey, append(list, json.RawMessage(`{"__typename":"New"}`))); err != nil || snap.Len() != 4 {
		t.Errorf("SnapshotOf = %v, %v; want 4 entitlements", snap, err)
	}
	if snap, err := SnapshotOf(aKey, nil); err != nil || snap != nil {
		t.Errorf("SnapshotOf(nil) = %v, %v; want nothing", snap, err)
	}
	if snap, err := SnapshotOf(aKey, []json.RawMessage{}); err != nil || snap.Len() != 0 {
		t.Errorf("SnapshotOf([]) = %v, %v; want an empty set", snap, err)
	}
	if _, err := SnapshotOf(aKey, []json.RawMessage{[]byte(`{}`)}); !errors.Is(err, ErrMalformed) {
		t.Errorf("SnapshotOf({}) = %v, want ErrMalformed", err)
	}
}

const aFeature = `"__typename":"FeatureEntitlement","isGranted":true,"hasUnlimitedUsage":false,"feature":{"refId":"f","featureType":"NUMBER"}`

var stateSeeds = []string{
	stateReply(4), `{}`, `{"data":null,"errors":[{"message":"m","extensions":{"code":"X"}}]}`,
	`{"data":{"entitlementsState":{"accessDeniedReason":"CustomerNotFound","entitlementsV2":null}}}`,
	`{"data":{"entitlementsState":{"entitlementsV2":[{"isGranted":1,"__typename":"New"}]}},"errors":[]}`,
	`{"data":{"entitlementsState":{"entitlementsV2":[{` + aFeature + `,"usageLimit":1e400}]}}}`,
	`{"data":{"entitlementsState":{"entitlementsV2":[{` + aFeature + `,"currentUsage":-0.0,"usagePeriodEnd":1797000000000,"validUntil":"2026-12-01"}]}}}`,
	`{"data":{"entitlementsState":{"entitlementsV2":[{` + aFeature + `,"enumValues":["a\u0000","\ud83d"],"hasSoftLimit":null,"creditRate":{}}]}}} `,
	`{"data":{"entitlementsState":{"entitlementsV2":[{"__typename":"CreditEntitlement","isGranted":false,"currency":{"currencyId":"c"}}]}}}x`,
	`{"data":{"entitlementsState":{"entitlementsV2":[{"__typename":"FeatureEntitlement","feature":null,"isGranted":3}]}}}`,
	`{"errors":{},"data":{"entitlementsState":{"entitlementsV2":[]}}}`, `[]`, `{"data":{"entitlementsState":{"entitlementsV2":[null]}}}`,
}

// FuzzEntitlementsState holds the decoder of entitlement documents against a slow one that is built on encoding/json.
func FuzzEntitlementsState(f *testing.F) {
	for _, s := range stateSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) { checkState(t, body) })
}

// floorState is what reading the same reply costs with encoding/json, into eight fields of each entitlement.
type floorState struct {
	Data struct {
		EntitlementsState struct {
			AccessDeniedReason *string `json:"accessDeniedReason"`
			EntitlementsV2     []struct {
				Typename  string `json:"__typename"`
				IsGranted bool   `json:"isGranted"`
				Feature   *struct {
					RefID       string `json:"refId"`
					FeatureType string `json:"featureType"`
				} `json:"feature"`
				UsageLimit           *float64 `json:"usageLimit"`
				HasUnlimitedUsage    bool     `json:"hasUnlimitedUsage"`
				CurrentUsage         *float64 `json:"currentUsage"`
				EntitlementUpdatedAt *string  `json:"entitlementUpdatedAt"`
			} `json:"entitlementsV2"`
		} `json:"entitlementsState"`
	} `json:"data"`
}

func BenchmarkDecodeEntitlementsState20(b *testing.B) {
	body := []byte(stateReply(20))
	names := newInterner()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if snap, _, err := decodeState(body, aKey, names); err != nil || snap.Len() != 20 {
			b.Fatal(snap, err)
		}
	}
}

func BenchmarkDecodeEntitlementsState20Floor(b *testing.B) {
	body := []byte(stateReply(20))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var state floorState
		if err := json.Unmarshal(body, &state); err != nil || len(state.Data.EntitlementsState.EntitlementsV2) != 20 {
			b.Fatal(err)
		}
	}
}
