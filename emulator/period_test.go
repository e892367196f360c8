package emulator

import (
	"testing"
	"testing/synctest"
	"time"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestPeriodsCountFromTheAnchor(t *testing.T) {
	for _, row := range []struct {
		name             string
		period           Period
		anchor, now      string
		wantStart, wantE string
	}{
		{"first month", Month, "2026-01-15T10:00:00Z", "2026-01-15T10:00:00Z", "2026-01-15T10:00:00Z", "2026-02-15T10:00:00Z"},
		{"month end is clamped in February", Month, "2026-01-31T10:00:00Z", "2026-02-10T00:00:00Z", "2026-01-31T10:00:00Z", "2026-02-28T10:00:00Z"},
		{"and comes back in March", Month, "2026-01-31T10:00:00Z", "2026-03-01T00:00:00Z", "2026-02-28T10:00:00Z", "2026-03-31T10:00:00Z"},
		{"30th of April", Month, "2026-01-31T10:00:00Z", "2026-04-30T10:00:00Z", "2026-04-30T10:00:00Z", "2026-05-31T10:00:00Z"},
		{"leap February", Month, "2027-12-30T00:00:00Z", "2028-03-01T00:00:00Z", "2028-02-29T00:00:00Z", "2028-03-30T00:00:00Z"},
		{"an instant before the boundary", Month, "2026-01-31T10:00:00Z", "2026-02-28T09:59:59Z", "2026-01-31T10:00:00Z", "2026-02-28T10:00:00Z"},
		{"leap day by year", Year, "2024-02-29T00:00:00Z", "2025-06-01T00:00:00Z", "2025-02-28T00:00:00Z", "2026-02-28T00:00:00Z"},
		{"leap day comes back", Year, "2024-02-29T00:00:00Z", "2028-03-01T00:00:00Z", "2028-02-29T00:00:00Z", "2029-02-28T00:00:00Z"},
		{"week over a change to summer time", Week, "2026-03-27T00:00:00+01:00", "2026-04-01T00:00:00Z", "2026-03-26T23:00:00Z", "2026-04-02T23:00:00Z"},
		{"day over the same", Day, "2026-03-28T12:00:00Z", "2026-03-29T13:00:00Z", "2026-03-29T12:00:00Z", "2026-03-30T12:00:00Z"},
		{"hour", Hour, "2026-03-28T12:30:00Z", "2026-03-28T15:29:59Z", "2026-03-28T14:30:00Z", "2026-03-28T15:30:00Z"},
		{"hour, 300 years before the anchor", Hour, "2026-01-01T00:00:00Z", "1700-01-01T00:30:00Z", "1700-01-01T00:00:00Z", "1700-01-01T01:00:00Z"},
		{"hour, 7,900 years after the anchor", Hour, "2026-01-01T00:00:00Z", "9999-12-31T22:30:00Z", "9999-12-31T22:00:00Z", "9999-12-31T23:00:00Z"},
		{"day, 2,000 years before the anchor", Day, "2026-01-01T10:00:00Z", "0001-01-01T10:00:00Z", "0001-01-01T10:00:00Z", "0001-01-02T10:00:00Z"},
		{"week, 300 years before the anchor", Week, "2026-01-01T00:00:00Z", "1700-01-01T00:00:00Z", "1699-12-31T00:00:00Z", "1700-01-07T00:00:00Z"},
		{"before the anchor", Month, "2026-03-31T00:00:00Z", "2026-02-15T00:00:00Z", "2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z"},
	} {
		t.Run(row.name, func(t *testing.T) {
			start, end := row.period.around(at(row.anchor), at(row.now))
			if !start.Equal(at(row.wantStart)) || !end.Equal(at(row.wantE)) {
				t.Errorf("period of %s from %s = %s to %s, want %s to %s", row.now, row.anchor, start, end, row.wantStart, row.wantE)
			}
		})
	}
}

// TestEveryPeriodHoldsItsTime walks ten years in uneven steps: each time lies in its period and periods meet.
func TestEveryPeriodHoldsItsTime(t *testing.T) {
	anchor := at("2024-01-31T23:59:59Z")
	for _, p := range []Period{Hour, Day, Week, Month, Year} {
		for now := at("2023-11-05T07:00:00Z"); now.Year() < 2034; now = now.Add(37*time.Hour + 11*time.Minute) {
			start, end := p.around(anchor, now)
			if start.After(now) || !end.After(now) {
				t.Fatalf("%s: %s is not in %s to %s", p, now, start, end)
			}
			if next, _ := p.around(anchor, end); !next.Equal(end) {
				t.Fatalf("%s: the period after %s starts at %s", p, end, next)
			}
		}
	}
}

func TestResetOnMovesTheAnchor(t *testing.T) {
	start := at("2026-07-16T15:04:05Z") // a Thursday
	for on, want := range map[ResetOn]string{
		"":         "2026-07-16T15:04:05Z",
		Calendar:   "2026-07-01T00:00:00Z",
		"thursday": "2026-07-16T00:00:00Z",
		"friday":   "2026-07-10T00:00:00Z",
		"sunday":   "2026-07-12T00:00:00Z",
	} {
		if got := on.anchor(start); !got.Equal(at(want)) {
			t.Errorf("anchor on %q = %s, want %s", on, got, want)
		}
	}
}

func TestUsageRollsOverAfterThePeriodEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "free")
		b.report("c1", "", "api-calls", 7)
		b.report("c1", "", "seats", 2)
		first, _ := b.Snapshot("c1", "").Find("api-calls")

		time.Sleep(time.Until(first.PeriodEnd))
		if got := b.usage("c1", "", "api-calls"); got != 7 {
			t.Errorf("usage at the very end of the period = %v, want 7 still", got)
		}
		time.Sleep(time.Millisecond)
		second, _ := b.Snapshot("c1", "").Find("api-calls")
		if second.Usage != 0 || !second.PeriodStart.Equal(first.PeriodEnd) || !second.UsageStamp.After(first.UsageStamp) {
			t.Errorf("after the end = %+v, want nothing used, a period that starts at %s, and a newer stamp", second, first.PeriodEnd)
		}
		if got := b.usage("c1", "", "seats"); got != 2 {
			t.Errorf("seats after the end = %v, want 2: a fluctuating meter does not reset", got)
		}
		time.Sleep(100 * 24 * time.Hour) // several periods nobody looked at
		if third, _ := b.Snapshot("c1", "").Find("api-calls"); third.PeriodStart.After(time.Now()) || !third.PeriodEnd.After(time.Now()) {
			t.Errorf("long after = %s to %s, want the period of %s", third.PeriodStart, third.PeriodEnd, time.Now())
		}
	})
}

// TestPlanChangesDoNotMovePeriods: periods count from the oldest source, whichever source changed its plan last.
func TestPlanChangesDoNotMovePeriods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		began := time.Now()
		b.provision("acme", "", "starter")
		time.Sleep(time.Hour)
		b.provision("acme", "site", "starter")
		for _, plan := range []string{"growth", "free", "enterprise"} {
			time.Sleep(time.Hour)
			b.provision("acme", "", plan)
			ent, ok := b.Snapshot("acme", "site").Find("api-calls")
			if !ok || !ent.PeriodStart.Equal(began) {
				t.Errorf("after the customer went to %s, the resource's period begins %v, want %v", plan, ent.PeriodStart, began)
			}
		}
	})
}
