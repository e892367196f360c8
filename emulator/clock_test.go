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

// TestUsageOfNowCountsNow, wherever the account's clock has been moved to: a client stamps what it reports by a clock of its own, which
// stays, and its usage must not vanish into a period that is over. What it stamped before the clock was moved belongs there.
func TestUsageOfNowCountsNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("acme", "", "growth")
		stamp := func(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }
		report := func(at time.Time) {
			b.must(reportOne, map[string]any{"input": props{"customerId": "acme", "featureId": "api-calls", "value": 1, "createdAt": stamp(at)}})
		}
		want := func(what string, calls float64) {
			t.Helper()
			if got := b.usage("acme", "", "api-calls"); got != calls {
				t.Errorf("%s: %v calls, want %v", what, got, calls)
			}
		}
		signIn := func(user string, at time.Time) {
			b.signIn("k-"+user, map[string]any{"user": user}, at)
		}
		time.Sleep(time.Hour + 400*time.Microsecond) // so that the wire cuts something off
		report(time.Now())
		want("before the clock is moved", 1)
		before := time.Now()
		time.Sleep(time.Minute)
		if err := b.AdvanceClock(40 * 24 * time.Hour); err != nil {
			t.Fatal(err)
		}
		want("a new period", 0)
		report(time.Now())
		want("of the moment at which the clock was moved", 1)
		report(before)
		want("of before it was moved", 1)
		report(time.Now().Add(-7 * 24 * time.Hour))
		want("of before the emulator was", 1)
		time.Sleep(time.Minute)
		report(time.Now().Add(30 * time.Second)) // of a machine whose clock is ahead
		report(b.Now())                          // of a test that says the account's time itself
		want("after a while", 3)
		if err := b.AdvanceClock(time.Second); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		report(time.Now())
		want("after another move", 4)

		signIn("ann", time.Now())
		signIn("bob", before)
		time.Sleep(time.Minute) // until they are counted
		if got := b.usage("acme", "", "active-users"); got != 1 {
			t.Errorf("%v active users, want ann alone", got)
		}
		b.grantCredits("acme", 10, props{"expireAt": stamp(b.Now().Add(time.Hour))})
		b.must(`mutation($in:ConsumeCreditInput!){consumeCredits(input:$in){amount}}`, map[string]any{"in": props{
			"customerId": "acme", "currencyId": "ai-credits", "amount": 2, "idempotencyKey": "k", "createdAt": stamp(time.Now()),
		}})
		series := b.must(`query($in:CreditUsageInput!){creditUsage(input:$in){series{points{timestamp value}}}}`, map[string]any{"in": props{
			"customerId": "acme", "currencyId": "ai-credits", "startDate": stamp(b.Now().Add(-time.Hour)),
		}})["creditUsage"].(map[string]any)["series"].([]any)
		if len(series) != 1 {
			t.Errorf("consumed in the last hour: %v", series)
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
