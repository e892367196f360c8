package emulator

import (
	"testing"
	"testing/synctest"
	"time"
)

// stampsOf returns the newest stamp of a set, that of one entitlement, and whether it is there.
func (b *bench) stampsOf(id, feature string) (set, one time.Time, ok bool) {
	for _, e := range b.Snapshot(id, "").Entitlements {
		if e.EntitlementStamp.After(set) {
			set = e.EntitlementStamp
		}
	}
	e, ok := b.Snapshot(id, "").Find(feature)
	return set, e.EntitlementStamp, ok
}

func TestStampsOfEachEntitlementLeaveOlderOnesAtARemoval(t *testing.T) {
	for _, each := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, Config{Stamps: Stamps{Each: each}})
			b.provision("acme", "", "free")
			first, seats, _ := b.stampsOf("acme", "seats")
			time.Sleep(time.Second)
			if err := b.GrantPromotional("acme", Entitlement{Feature: "sso"}, time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			second, kept, _ := b.stampsOf("acme", "seats")
			if !second.After(first) || kept.Equal(seats) != each {
				t.Errorf("each %v: after a grant the set is of %v and the seats of %v, were of %v", each, second, kept, seats)
			}
			time.Sleep(2 * time.Minute)
			third, _, ok := b.stampsOf("acme", "sso")
			if ok || third.Before(second) != each || third.After(second) == each {
				t.Errorf("each %v: after the removal the set is of %v, was of %v", each, third, second)
			}
		})
	}
}

func TestStampsEverySoOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{History: 10, Stamps: Stamps{Every: time.Second, Ahead: -3 * time.Second}})
		b.provision("acme", "", "free")
		for range 3 {
			time.Sleep(300 * time.Millisecond)
			b.report("acme", "", "seats", 1)
		}
		past := b.HistoryOf("acme", "", 0)
		if len(past) != 4 {
			t.Fatalf("%d states, want 4: the same stamp is not the same state", len(past))
		}
		for _, s := range past {
			e, _ := s.Find("seats")
			if want := past[0].At.Add(-3 * time.Second); !e.UsageStamp.Equal(want) {
				t.Errorf("usage %v is of %v, want %v", e.Usage, e.UsageStamp, want)
			}
		}
	})
}

func TestUnexplainedDenialSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("acme", "", "growth")
		if err := b.DenyEntitlement("acme", "", Entitlement{Feature: "sso"}, Unexplained); err != nil {
			t.Fatal(err)
		}
		state := b.must(`query($q:FetchEntitlementsQuery!){entitlementsState(query:$q){entitlementsV2{... on FeatureEntitlement{isGranted accessDeniedReason feature{refId}}}}}`,
			map[string]any{"q": map[string]any{"customerId": "acme"}})["entitlementsState"].(map[string]any)
		for _, e := range state["entitlementsV2"].([]any) {
			e := e.(map[string]any)
			if f, _ := e["feature"].(map[string]any); f["refId"] == "sso" && (e["isGranted"] != false || e["accessDeniedReason"] != nil) {
				t.Errorf("sso = %v, want not granted and no reason", e)
			}
		}
	})
}

func TestReplayedEventsAreTheOldOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "free")
		ws := b.connect()
		ws.subscribe("u", onUsage)
		b.Faults().DropEvents(1)
		for range 5 {
			b.report("c1", "", "api-calls", 1)
		}
		b.Faults().ReplayEvents(2, 3)
		b.Faults().ReplayEvents(1, 400)
		for _, want := range []float64{2, 3, 4, 5, 1, 2} {
			if got := ws.wantNext("u", "usageUpdatedV2")["usage"].(map[string]any)["currentUsage"]; got != want {
				t.Errorf("heard %v, want %v", got, want)
			}
		}
		ws.barrier() // and nothing else
	})
}
