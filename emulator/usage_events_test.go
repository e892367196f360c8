package emulator

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// metering is a catalog whose features count events of one name in every way.
const metering = `
features:
  - {id: signins, type: number, meter: incremental, events: {name: signed-in}}
  - {id: users, type: number, meter: incremental, events: {name: signed-in, aggregate: unique, field: user}}
  - {id: bytes, type: number, meter: incremental, events: {name: signed-in, aggregate: sum, field: bytes}}
  - {id: largest, type: number, meter: incremental, events: {name: signed-in, aggregate: max, field: bytes}}
  - id: far
    type: number
    meter: incremental
    events: {name: signed-in, where: [{field: country, op: notEquals, value: DE}, {field: bytes, op: greaterThan, value: "1.5"}]}
  - {id: calls, type: number, meter: incremental}
products: [{id: p}]
plans:
  - id: all
    product: p
    entitlements:
      - {feature: signins, limit: 100, reset: month}
      - {feature: users, limit: 100, reset: month}
      - {feature: bytes, limit: 100, reset: month}
      - {feature: largest, limit: 100, reset: month}
      - {feature: far, limit: 100, reset: month}
      - {feature: calls, limit: 100, reset: month}
`

func newMetering(t *testing.T) *bench {
	t.Helper()
	c, err := ParseCatalog([]byte(metering))
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, Config{Catalog: c})
	b.provision("acme", "", "all")
	return b
}

const reportEvents = `mutation($events:UsageEventsReportInput!){reportEvent(events:$events)}`

// signIn reports one event.
func (b *bench) signIn(key string, dimensions map[string]any, at ...time.Time) {
	b.t.Helper()
	ev := map[string]any{"customerId": "acme", "eventName": "signed-in", "idempotencyKey": key, "dimensions": dimensions}
	if len(at) > 0 {
		ev["timestamp"] = at[0].Format(time.RFC3339Nano)
	}
	b.must(reportEvents, map[string]any{"events": map[string]any{"usageEvents": []any{ev}}})
}

func (b *bench) wantUsage(want map[string]float64) {
	b.t.Helper()
	for f, v := range want {
		if got := b.usage("acme", "", f); got != v {
			b.t.Errorf("%s: %v, want %v", f, got, v)
		}
	}
}

func TestEventsAreFilteredAndAggregated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMetering(t)
		ws := b.connect()
		ws.subscribe("u", onUsage)
		b.signIn("1", map[string]any{"user": "ann", "bytes": 0.1, "country": "DE"})
		b.wantUsage(map[string]float64{"signins": 0}) // answered, and not counted yet
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		b.wantUsage(map[string]float64{"signins": 1, "users": 1, "bytes": 0.1, "largest": 0.1, "far": 0})
		heard := map[string]float64{}
		for range 4 {
			ev := ws.wantNext("u", "usageUpdatedV2")
			heard[ev["entitlementReference"].(map[string]any)["id"].(string)] = ev["usage"].(map[string]any)["currentUsage"].(float64)
		}
		if fmt.Sprint(heard) != "map[bytes:0.1 largest:0.1 signins:1 users:1]" {
			t.Errorf("subscribers heard %v", heard)
		}
		b.signIn("2", map[string]any{"user": "ann", "bytes": 0.2, "country": "FR"})
		b.signIn("3", map[string]any{"user": "ben", "bytes": 2, "country": "FR"})
		b.signIn("4", map[string]any{"user": 7, "bytes": "1.6"}) // no country is not DE, and digits are a number
		b.signIn("5", map[string]any{"bytes": "much"})           // no user, and no number
		time.Sleep(time.Second)
		b.wantUsage(map[string]float64{"signins": 5, "users": 3, "bytes": 3.9, "largest": 2, "far": 2}) // 0.1+0.2+2+1.6, exactly

		time.Sleep(31 * 24 * time.Hour) // all of it starts again
		b.wantUsage(map[string]float64{"signins": 0, "users": 0, "bytes": 0, "largest": 0, "far": 0})
		b.signIn("6", map[string]any{"user": "ann", "bytes": 1})
		time.Sleep(time.Second)
		b.wantUsage(map[string]float64{"signins": 1, "users": 1, "bytes": 1, "largest": 1, "far": 0})
	})
}

func TestAnEventCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMetering(t)
		at := b.Now()
		for range 3 {
			b.signIn("same", nil, at)
			b.signIn("same", nil, at.Add(time.Millisecond)) // another moment is another event
		}
		time.Sleep(time.Second)
		b.wantUsage(map[string]float64{"signins": 2})
		for range 3 {
			b.signIn("same", nil) // of the moment at which it comes, and so another each time
			time.Sleep(time.Second)
		}
		b.wantUsage(map[string]float64{"signins": 5})
	})
}

func TestAnEventOfAnEarlierPeriodChangesItsHistoryAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMetering(t)
		began := b.Now()
		time.Sleep(32 * 24 * time.Hour)
		b.signIn("now", nil)
		b.signIn("late", nil, began.Add(time.Hour))
		time.Sleep(time.Second)
		b.wantUsage(map[string]float64{"signins": 1})
		const read = `query($in:UsageHistoryV2Input!){usageHistoryV2(input:$in){markers{type timestamp} series{tags{key value} points{timestamp value isResetPoint}}}}`
		h := b.must(read, map[string]any{"in": map[string]any{"customerId": "acme", "featureId": "signins", "startDate": began.Format(time.RFC3339)}})
		got := fmt.Sprint(h["usageHistoryV2"])
		want := "map[markers:[map[timestamp:2000-02-01T00:00:00.000Z type:PERIODIC_RESET]] series:[map[points:[" +
			"map[isResetPoint:false timestamp:2000-01-01T01:00:00.000Z value:1] map[isResetPoint:true timestamp:2000-02-01T00:00:00.000Z value:0] " +
			"map[isResetPoint:false timestamp:2000-02-02T00:00:00.000Z value:1]] tags:[]]]]"
		if got != want {
			t.Errorf("history = %s\nwant %s", got, want)
		}
	})
}

func TestTheClockCountsEventsThatAreDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMetering(t)
		b.signIn("1", nil)
		if err := b.AdvanceClock(50 * time.Millisecond); err != nil {
			t.Fatal(err)
		}
		b.wantUsage(map[string]float64{"signins": 1})
		time.Sleep(time.Second) // the timer finds nothing left
		b.wantUsage(map[string]float64{"signins": 1})
	})
}

func TestEventsThatConcernNobodyAreTakenAndForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMetering(t)
		b.must(reportEvents, map[string]any{"events": map[string]any{"usageEvents": []any{
			map[string]any{"customerId": "nobody", "eventName": "signed-in", "idempotencyKey": "1"},
			map[string]any{"customerId": "acme", "eventName": "signed-out", "idempotencyKey": "2"},
		}}})
		time.Sleep(time.Second)
		b.wantUsage(map[string]float64{"signins": 0, "users": 0})
	})
}

func TestEventsAreChecked(t *testing.T) {
	b := newMetering(t)
	event := func(change map[string]any) map[string]any {
		ev := map[string]any{"customerId": "acme", "eventName": "signed-in", "idempotencyKey": "1"}
		for k, v := range change {
			ev[k] = v
		}
		return ev
	}
	for says, events := range map[string][]any{
		"1001 events":                     make([]any, 1001),
		"usageEvents[1].customerId":       {event(nil), event(map[string]any{"customerId": ""})},
		"usageEvents[0].eventName":        {event(map[string]any{"eventName": ""})},
		"usageEvents[0].idempotencyKey":   {event(map[string]any{"idempotencyKey": ""})},
		"usageEvents[0].dimensions is no": {event(map[string]any{"dimensions": []any{1}})},
	} {
		for i := range events {
			if events[i] == nil {
				events[i] = event(nil)
			}
		}
		a := b.ask(reportEvents, map[string]any{"events": map[string]any{"usageEvents": events}})
		if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != codeBadUserInput || !strings.Contains(a.Errors[0].Message, says) {
			t.Errorf("%+v, want %s: %s", a.Errors, codeBadUserInput, says)
		}
	}
	a := b.ask(reportOne, map[string]any{"input": map[string]any{"customerId": "acme", "featureId": "signins", "value": 1}})
	if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "CannotReportUsageForEntitlementWithMeterError" {
		t.Errorf("usage of a feature that counts events: %+v", a.Errors)
	}
}

func TestEventMetersAreChecked(t *testing.T) {
	for meter, says := range map[string]string{
		"{}":                         "events.name: is required",
		"{name: e, aggregate: mean}": "not count, sum, max or unique",
		"{name: e, aggregate: sum}":  "events.field: is required",
		"{name: e, field: f}":        "is for sum, max and unique",
		"{name: e, where: [{op: equals, value: x}]}":             "where[0].field: is required",
		"{name: e, where: [{field: f, op: like}]}":               "is not one of equals",
		"{name: e, where: [{field: f, op: in, value: x}]}":       "where[0].values",
		"{name: e, where: [{field: f, value: x, values: [y]}]}":  "where[0].values",
		"{name: e, where: [{field: f, op: lessThan, value: x}]}": `"x" is not a number`,
	} {
		if _, err := ParseCatalog([]byte("features: [{id: f, type: number, meter: incremental, events: " + meter + "}]")); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", meter, err, says)
		}
	}
	if _, err := ParseCatalog([]byte("features: [{id: f, type: number, events: {name: e}}]")); err == nil || !strings.Contains(err.Error(), "only a metered feature") {
		t.Errorf("of a feature without a meter: %v", err)
	}
}

func TestConditions(t *testing.T) {
	for _, row := range []struct {
		c     Condition
		v     any
		meets bool
	}{
		{Condition{Op: "equals", Value: "1"}, 1.0, true},
		{Condition{Op: "equals", Value: "true"}, true, true},
		{Condition{Op: "equals", Value: "x"}, nil, false},
		{Condition{Op: "notEquals", Value: "x"}, "x", false},
		{Condition{Op: "contains", Value: "b"}, "abc", true},
		{Condition{Op: "startsWith", Value: "b"}, "abc", false},
		{Condition{Op: "endsWith", Value: "c"}, "abc", true},
		{Condition{Op: "in", Values: []string{"a", "b"}}, "b", true},
		{Condition{Op: "in", Values: []string{"a", "b"}}, "c", false},
		{Condition{Op: "isNull"}, nil, true},
		{Condition{Op: "isNotNull"}, nil, false},
		{Condition{Op: "greaterOrEqual", Value: "0.3"}, 0.3, true},
		{Condition{Op: "lessThan", Value: "10"}, "9", true}, // as numbers, not as text
		{Condition{Op: "lessOrEqual", Value: "10"}, "nine", false},
	} {
		if got := row.c.meets(row.v); got != row.meets {
			t.Errorf("%+v of %v: %v", row.c, row.v, got)
		}
	}
}

func TestUsageHistoryByDimension(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMetering(t)
		began := b.Now()
		for i, region := range []string{"eu", "us", "eu"} {
			time.Sleep(time.Hour)
			b.must(reportOne, map[string]any{"input": map[string]any{
				"customerId": "acme", "featureId": "calls", "value": i + 1, "dimensions": map[string]any{"region": region},
			}})
		}
		time.Sleep(time.Hour)
		b.must(reportOne, map[string]any{"input": map[string]any{"customerId": "acme", "featureId": "calls", "value": 5, "updateBehavior": "SET"}})
		const v1 = `query($in:UsageHistoryInput!){usageHistory(usageHistoryInput:$in){startDate endDate usageMeasurements{value} groups{groupInfo{key value} usageMeasurements{value}}}}`
		h := b.must(v1, map[string]any{"in": map[string]any{"customerRefId": "acme", "featureRefId": "calls", "startDate": began.Add(2 * time.Hour).Format(time.RFC3339), "groupBy": []string{"region"}}})["usageHistory"].(map[string]any)
		// From the second hour on; what was before counts in the totals.
		if got := fmt.Sprint(h["usageMeasurements"]); got != "[map[value:3] map[value:6] map[value:5]]" {
			t.Errorf("total %s", got)
		}
		if got := fmt.Sprint(h["groups"]); got != "[map[groupInfo:[map[key:region value:]] usageMeasurements:[map[value:5]]] "+
			"map[groupInfo:[map[key:region value:eu]] usageMeasurements:[map[value:4]]] map[groupInfo:[map[key:region value:us]] usageMeasurements:[map[value:2]]]]" {
			t.Errorf("groups %s", got)
		}
		for code, in := range map[string]map[string]any{
			"CustomerNotFound": {"customerId": "nobody", "featureId": "calls", "startDate": "2000-01-01"},
			"FeatureNotFound":  {"customerId": "acme", "featureId": "none", "startDate": "2000-01-01"},
			codeBadUserInput:   {"customerId": "acme", "featureId": "calls", "startDate": "2000-01-02", "endDate": "2000-01-01"},
		} {
			a := b.ask(`query($in:UsageHistoryV2Input!){usageHistoryV2(input:$in){series{tags{key}}}}`, map[string]any{"in": in})
			if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != code {
				t.Errorf("%v: %+v, want %s", in, a.Errors, code)
			}
		}
	})
}

func TestUsageHistoryIsBounded(t *testing.T) {
	m := &meter{}
	at := time.Unix(0, 0)
	for i := range 5 * loggedMeasurements {
		m.log(measurement{at: at.Add(time.Duration(i))})
	}
	if n := len(m.measured); n > 2*loggedMeasurements || !m.measured[n-1].at.Equal(at.Add(5*loggedMeasurements-1)) {
		t.Errorf("%d measurements are kept, want at most %d, the latest", n, 2*loggedMeasurements)
	}
}

// TestAReportOfLongAgoDoesNotHang: one of 300 years ago, of a feature that starts again by the hour, had the next history walk for ever,
// and everybody else wait for it. What was used is worked out without a step for each hour of those years, too.
func TestAReportOfLongAgoDoesNotHang(t *testing.T) {
	now := at("2026-01-01T00:00:00Z")
	for _, long := range []string{"1700-01-01T00:30:00Z", "0001-01-01T00:30:00Z"} {
		for _, p := range []Period{Hour, Day, Week, Month, Year} {
			m := &meter{reset: p, anchor: now}
			m.log(measurement{at: at(long), value: decimal.NewFromInt(5)})
			m.log(measurement{at: now.Add(-30 * time.Minute), value: decimal.NewFromInt(2)})
			began := time.Now()
			shown := m.history(nil, now.Add(-time.Hour), now.Add(time.Nanosecond))[0].points
			old := m.history(nil, at(long), at(long).Add(time.Minute))[0].points
			used := m.usedSince(now.Add(-time.Hour))
			if took := time.Since(began); took > time.Second {
				t.Errorf("%s, %s: took %v", long, p, took)
			}
			if len(old) != 1 || !old[0].value.Equal(decimal.NewFromInt(5)) {
				t.Errorf("%s, %s: then: %v", long, p, old)
			}
			// 2 of a period of its own; and where a period began an hour ago, or begins now, that.
			want := "23:30 2 false, 00:00 0 true, "
			if p == Hour {
				want = "23:00 0 true, " + want
			}
			got := ""
			for _, x := range shown {
				got += fmt.Sprint(x.at.Format("15:04 "), x.value, " ", x.reset, ", ")
			}
			if got != want || !used.Equal(decimal.NewFromInt(2)) {
				t.Errorf("%s, %s: %swant %s; used %v, want 2", long, p, got, want, used)
			}
		}
	}
}

// TestGroupsOfAHistoryAreToldApart, whatever the values of their dimensions hold; and so are those of what credits are used for.
func TestGroupsOfAHistoryAreToldApart(t *testing.T) {
	now := at("2026-01-01T00:00:00Z")
	m, w := &meter{}, &wallet{}
	pairs := [][2]string{{"x\x00", "y"}, {"x", "\x00y"}, {"x", "y"}, {"", "x\x00\x01y"}, {"\x00", ""}, {"", "\x00"}}
	for _, p := range pairs {
		of := map[string]string{"a": p[0], "b": p[1]}
		m.log(measurement{at: now, value: decimal.NewFromInt(1), dimensions: of})
		w.ledger = append(w.ledger, ledgerEntry{at: now, kind: wire.CreditLedgerEventTypeCreditsConsumed, amount: decimal.NewFromInt(-1), dimensions: of})
	}
	if got := m.history([]string{"a", "b"}, now, now); len(got) != len(pairs) {
		t.Errorf("%d groups of usage, want %d: %v", len(got), len(pairs), got)
	}
	if got := w.usage([]string{"a", "b"}, now, now.Add(1), Hour); len(got) != len(pairs) {
		t.Errorf("%d groups of credits, want %d: %v", len(got), len(pairs), got)
	}
}

// A key is one thing for a raw event and another for a report, even when the feature has the event's name.
func TestKeysOfEventsAndReportsAreTwoThings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMetering(t)
		const report = `mutation($in:ReportUsageInput!){reportUsage(input:$in){currentUsage}}`
		ev := map[string]any{"customerId": "acme", "eventName": "calls", "idempotencyKey": "k"}
		b.must(reportEvents, map[string]any{"events": map[string]any{"usageEvents": []any{ev}}})
		for i, key := range []string{"k", fmt.Sprintf("event k %d", b.Now().UnixMilli()), "event k 0"} {
			data := b.must(report, map[string]any{"in": map[string]any{"customerId": "acme", "featureId": "calls", "value": 1, "idempotencyKey": key}})
			if got := data["reportUsage"].(map[string]any)["currentUsage"]; got != float64(i+1) {
				t.Errorf("after a report with the key %q there are %v calls, want %d", key, got, i+1)
			}
		}
	})
}
