package emulator

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestPromotionsLastTheirPeriod: each is in force until its last millisecond, and is not when it is over.
func TestPromotionsLastTheirPeriod(t *testing.T) {
	began := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // where bubbles begin
	for period, want := range map[string]time.Time{
		`ONE_WEEK`:  began.AddDate(0, 0, 7),
		`ONE_MONTH`: time.Date(2000, 2, 1, 0, 0, 0, 0, time.UTC),
		`SIX_MONTH`: time.Date(2000, 7, 1, 0, 0, 0, 0, time.UTC),
		`ONE_YEAR`:  time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC),
		`CUSTOM,customEndDate:"2000-03-04T05:06:07Z"`: time.Date(2000, 3, 4, 5, 6, 7, 0, time.UTC),
		`LIFETIME`: {},
	} {
		t.Run(period, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, Config{})
				b.provision("c1", "", "free")
				got := b.must(fmt.Sprintf(`mutation{grantPromotionalEntitlements(input:{customerId:"c1",promotionalEntitlements:[{featureId:"sso",period:%s}]}){endDate}}`, period), nil)
				end := any(nil)
				if !want.IsZero() {
					end = want.Format("2006-01-02T15:04:05.000Z")
				}
				if e := got["grantPromotionalEntitlements"].([]any)[0].(map[string]any)["endDate"]; e != end {
					t.Errorf("it ends %v, want %v", e, end)
				}
				has := func() bool {
					_, ok := b.Snapshot("c1", "").Find("sso")
					return ok
				}
				last := want.Add(-time.Millisecond)
				if want.IsZero() {
					last = began.AddDate(100, 0, 0)
				}
				b.check(b.SetClock(last))
				if !has() {
					t.Errorf("at %v the feature is gone", last)
				}
				if !want.IsZero() {
					b.check(b.AdvanceClock(time.Millisecond))
					if has() {
						t.Errorf("at %v the feature is still there", want)
					}
				}
			})
		})
	}
}
