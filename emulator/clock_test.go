package emulator

import (
	"testing"
	"testing/synctest"
	"time"
)

// Nobody looks, and the clock passes the end of a trial: it takes effect at once, and subscribers hear of it.
func TestTheClockMakesWhatIsDueHappen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "")
		b.must(subscribeTo, map[string]any{"input": map[string]any{"customerId": "c1", "planId": "growth"}})
		ws := b.connect()
		ws.subscribe("e", onEntitlements)
		began, elsewhere := b.Now(), time.Now()
		if err := b.AdvanceClock(14*24*time.Hour - time.Second); err != nil {
			t.Fatal(err)
		}
		ws.barrier() // nothing came before it
		if err := b.SetClock(began.Add(14 * 24 * time.Hour)); err != nil {
			t.Fatal(err)
		}
		if ev := ws.wantNext("e", "entitlementsUpdatedV2"); len(limits(ev["entitlements"])) != 4 {
			t.Errorf("event at the end of the trial = %v, want the set of free", ev)
		}
		if !time.Now().Equal(elsewhere) {
			t.Error("moving the account's clock took time")
		}
		if got, want := b.Now().Sub(began), 14*24*time.Hour; got != want {
			t.Errorf("the account is %v later, want %v", got, want)
		}
	})
}

func TestTheClockNeverGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		began := b.Now()
		for name, err := range map[string]error{
			"by less than nothing": b.AdvanceClock(-time.Nanosecond),
			"to a moment before":   b.SetClock(began.Add(-time.Hour)),
		} {
			if codeOf(err) != codeBadUserInput {
				t.Errorf("%s: %v, want %s", name, err, codeBadUserInput)
			}
		}
		if !b.Now().Equal(began) {
			t.Errorf("it is %v, want %v still", b.Now(), began)
		}
		const century = 100 * 365 * 24 * time.Hour
		if err := b.AdvanceClock(2 * century); err != nil {
			t.Fatal(err)
		}
		if err := b.AdvanceClock(century); codeOf(err) != codeBadUserInput {
			t.Errorf("three centuries ahead: %v, want %s", err, codeBadUserInput)
		}
	})
}
