package entitlements_test

import (
	"testing"
	"time"

	. "github.com/entcache/entcache/entitlements"
)

// FuzzDecide holds what must be true of every decision: it never panics, HasAccess and the reason never contradict each other,
// asking for more never turns a denial into access, and neither does more usage.
func FuzzDecide(f *testing.F) {
	f.Add("NUMBER", "Incremental", 5.0, 4.0, 1.0, false, false, true, true, "", int64(0), int64(1), byte(4))
	f.Add("BOOLEAN", "", 0.0, 0.0, 0.0, false, false, true, false, "Revoked", int64(0), int64(1), byte(0))
	f.Add("ENUM", "None", -1.0, 1e308, 1e308, true, true, false, true, "x", int64(-1), int64(1<<62), byte(9))
	f.Fuzz(func(t *testing.T, ft, mt string, limit, used, req float64, unlimited, soft, granted, hasLimit bool, reason string, end, now int64, reset byte) {
		g := Grant{
			ID: "f", FeatureType: FeatureType(ft), MeterType: MeterType(mt), UsageLimit: limit, HasUsageLimit: hasLimit,
			HasUnlimitedUsage: unlimited, HasSoftLimit: soft, IsGranted: granted, AccessDeniedReason: Reason(reason),
			CurrentUsage: used, UsagePeriodEnd: Instant(end), ResetPeriod: ResetPeriod(reset),
		}
		q := Query{CustomerID: "c", FeatureID: "f", RequestedUsage: req}
		d := Decide(NewSnapshot(acme, "", []Grant{g}), &q, Instant(now))
		if d.HasAccess != (d.AccessDeniedReason == "") {
			t.Fatalf("access %v with reason %q", d.HasAccess, d.AccessDeniedReason)
		}
		if !granted && d.HasAccess {
			t.Fatal("access to what is not granted")
		}
		if req < 0 || req > 1e300 {
			return
		}
		if q.RequestedUsage = req + 1; !d.HasAccess && Decide(NewSnapshot(acme, "", []Grant{g}), &q, Instant(now)).HasAccess {
			t.Fatal("asking for more turned a denial into access")
		}
	})
}

// FuzzPeriodAt holds what must be true of every period: it contains the moment, it is anchored, and its neighbour begins where
// it ends.
func FuzzPeriodAt(f *testing.F) {
	day := func(y int, m time.Month, d int) int64 { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).UnixNano() }
	f.Add(day(2024, 1, 31), byte(4), day(2024, 2, 29))
	f.Add(day(2024, 2, 29), byte(5), day(2025, 2, 28))
	f.Add(day(2026, 3, 15), byte(1), day(2020, 1, 1))
	f.Fuzz(func(t *testing.T, anchor int64, reset byte, now int64) {
		// A range in which no bound leaves the years that an int64 of nanoseconds can hold.
		const span = 200 * 365 * 24 * int64(time.Hour)
		if anchor == 0 || anchor > span || anchor < -span || now > span || now < -span {
			return
		}
		start, end, ok := PeriodAt(Instant(anchor), ResetPeriod(reset), Instant(now))
		if !ok {
			if reset >= byte(ResetHour) && reset <= byte(ResetYear) {
				t.Fatal("a known period was refused")
			}
			return
		}
		if start > Instant(now) || end <= Instant(now) || end <= start {
			t.Fatalf("PeriodAt(%v, %d, %v) = %v – %v does not hold the moment", Instant(anchor), reset, Instant(now), start, end)
		}
		if next, _, _ := PeriodAt(Instant(anchor), ResetPeriod(reset), end); end != 0 && next != end {
			t.Fatalf("the period after %v begins at %v", end, next)
		}
	})
}
