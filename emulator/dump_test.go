package emulator

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestALoadedEmulatorIsTheOneThatWasDumped: the text is the same again, every answer is, and both go on alike, under every kind of
// stamps.
func TestALoadedEmulatorIsTheOneThatWasDumped(t *testing.T) {
	for name, stamps := range map[string]Stamps{"whole sets": {}, "each": {Each: true}, "coarse": {Every: time.Hour, Ahead: -time.Minute}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := Config{Catalog: soldCatalog(t), History: 5, EventDelay: time.Minute, Stamps: stamps}
				a := newBench(t, config)
				a.live()
				text := a.dump()
				if again := a.dump(); again != text {
					t.Fatalf("a second dump differs: %s", firstDifference(text, again))
				}
				time.Sleep(time.Second)
				text = a.dump()
				config.Catalog = nil // the dump brings its own
				b := newBench(t, config)
				b.load(text)
				for _, part := range []string{`"featureWas"`, `"currencyWas"`, `"catalog": 1`, `"metadata": null`, `"couponOff"`, `"addons": []`} {
					if !strings.Contains(text, part) {
						t.Errorf("the dump has no %s: the state is not rich enough", part)
					}
				}
				if again := b.dump(); again != text {
					t.Fatalf("Dump(Load(text)) is not text: %s", firstDifference(text, again))
				}
				wantAlike(t, "at once", a, b, true)

				for i, later := range []time.Duration{14 * 24 * time.Hour, 20 * 24 * time.Hour, 250 * 24 * time.Hour} {
					for _, x := range []*bench{a, b} {
						x.signInOf("globex", "site", fmt.Sprint("more", i), props{"user": fmt.Sprint(i)})
						// again
						x.drive("reportUsage", props{"customerId": "acme", "featureId": "api-calls", "value": 3, "idempotencyKey": "k1"})
						x.drive("reportUsage", props{"customerId": "acme", "featureId": "exports", "value": 0.7})
						x.drive("grantPromotionalEntitlements", props{"customerId": "hooli", "promotionalEntitlements": []props{{"featureId": "sso", "period": "LIFETIME"}}})
					}
					time.Sleep(2 * time.Minute) // events are counted
					for _, x := range []*bench{a, b} {
						x.check(x.AdvanceClock(later))
					}
					// On the way the state is enough for the others: how it is answered does not depend on stamps.
					wantAlike(t, fmt.Sprintf("after step %d", i), a, b, name == "whole sets")
				}
				for _, x := range []*bench{a, b} {
					if _, err := x.CompleteCheckouts("hooli"); err != nil {
						t.Error(err)
					}
				}
				wantAlike(t, "after the checkout", a, b, true)
			})
		})
	}
}

// TestIdempotencyKeysCountOnceAcrossALoad: reports, consumptions and events that were counted, or wait, are not counted again.
func TestIdempotencyKeysCountOnceAcrossALoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBench(t, Config{EventDelay: time.Minute})
		a.provision("acme", "", "growth")
		b := newBench(t, Config{EventDelay: time.Minute})
		report := props{"customerId": "acme", "featureId": "ai-answers", "value": 3, "idempotencyKey": "k"}
		consume := props{"customerId": "acme", "currencyId": "ai-credits", "amount": 5, "idempotencyKey": "k"}
		for _, x := range []*bench{a, b} {
			first := x.call("mutation", "reportUsage", report)
			if x == b && !strings.Contains(first, `"consumed":0`) {
				t.Errorf("the repetition answered %s, want the first answer with nothing consumed", first)
			}
			credit := x.call("mutation", "consumeCredits", consume)
			if !strings.Contains(credit, `"currentUsage":11`) {
				t.Errorf("consumption answered %s, want the first answer", credit)
			}
			x.signInOf("acme", "", "k", props{"user": "ann"})
			if x == a {
				b.load(a.dump())
			}
		}
		time.Sleep(2 * time.Minute)
		for _, x := range []*bench{a, b} {
			wallet := x.Snapshot("acme", "").Entitlements
			if got, users := x.usage("acme", "", "ai-answers"), x.usage("acme", "", "active-users"); got != 3 || users != 1 || wallet[len(wallet)-1].Usage != 11 {
				t.Errorf("used %v answers, %v users, %+v; want 3, 1, 11", got, users, wallet[len(wallet)-1])
			}
		}
	})
}

// TestEventsThatWaitedAreCountedWhenDue: the two that came before the dump, each at its time, by the account's clock.
func TestEventsThatWaitedAreCountedWhenDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBench(t, Config{EventDelay: time.Hour})
		a.provision("acme", "", "growth")
		a.signInOf("acme", "", "1", props{"user": "ann"})
		time.Sleep(30 * time.Minute)
		a.signInOf("acme", "", "2", props{"user": "ben"})
		text := a.dump()
		time.Sleep(45 * time.Minute) // the first falls due while nobody runs
		b := newBench(t, Config{})
		b.load(text)
		synctest.Wait()
		for _, want := range []float64{1, 1, 2, 2} {
			if got := b.usage("acme", "", "active-users"); got != want {
				t.Errorf("%v users at %v, want %v", got, b.Now(), want)
			}
			time.Sleep(10 * time.Minute)
			synctest.Wait()
		}
	})
}

// TestTheClockAfterALoad: it goes on as if it had never stopped, and back never.
func TestTheClockAfterALoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBench(t, Config{})
		a.check(a.AdvanceClock(100 * time.Hour))
		dumped, text := a.Now(), a.dump()
		time.Sleep(time.Hour)
		b := newBench(t, Config{})
		b.load(text)
		if got := b.Now().Sub(dumped); got != time.Hour {
			t.Errorf("an hour after the dump it is %v later", got)
		}
		c := newBench(t, Config{})
		c.check(c.AdvanceClock(1000 * time.Hour))
		ahead := c.Now()
		c.load(text)
		if got := c.Now(); !got.Equal(ahead) {
			t.Errorf("the clock went from %v to %v", ahead, got)
		}
		// A machine whose clock is behind that of the dump.
		d := newBench(t, Config{})
		d.load(strings.Replace(text, `"now": "`+dumped.Format(time.RFC3339Nano), `"now": "2031-05-06T07:08:09.123456789Z`, 1))
		if got := d.Now().Format(time.RFC3339Nano); got != "2031-05-06T07:08:09.123456789Z" {
			t.Errorf("it is %s, want the moment of the dump", got)
		}
		if err := d.Load(strings.NewReader(strings.Replace(text, `"now": "2000`, `"now": "9000`, 1))); err == nil || !strings.Contains(err.Error(), "292 years") {
			t.Errorf("seven thousand years ahead: %v", err)
		}
	})
}

// TestWhatBecameDueMeanwhileHappensWhenSomebodyLooks: a trial that ended while the state lay in a file.
func TestWhatBecameDueMeanwhileHappensWhenSomebodyLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBench(t, Config{})
		a.provision("c1", "", "")
		a.must(subscribeTo, props{"input": props{"customerId": "c1", "planId": "growth"}})
		text := a.dump()
		time.Sleep(15 * 24 * time.Hour)
		b := newBench(t, Config{})
		b.load(text)
		if _, ok := b.Snapshot("c1", "").Find("sso"); ok {
			t.Error("the trial has not ended")
		}
	})
}

// TestStampsAndIDsGoOn: whoever loads, whatever the dump says, neither comes twice nor goes back.
func TestStampsAndIDsGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBench(t, Config{})
		a.provision("acme", "", "starter")
		for range 50 { // the stamps run ahead of the clock
			a.report("acme", "", "seats", 0)
		}
		old := a.dump()
		last := a.state.lastStamp
		stamp := func(b *bench) time.Time {
			ent, _ := b.Snapshot("acme", "").Find("seats")
			return ent.UsageStamp
		}
		id := func(b *bench) string {
			return b.must(reportOne, props{"input": props{"customerId": "acme", "featureId": "seats", "value": 0}})["reportUsage"].(props)["id"].(string)
		}

		b := newBench(t, Config{})
		b.load(old)
		if got := stamp(b); !got.Equal(stamp(a)) {
			t.Errorf("a new emulator stamped %v, want what was dumped, %v", got, stamp(a))
		}
		if one, other := id(a), id(b); one != other {
			t.Errorf("ids %s and %s, want the same", one, other)
		}
		if got := stamp(b); !got.After(last) {
			t.Errorf("the next stamp is %v, want one after %v", got, last)
		}

		// And in an emulator that has told its clients more than the dump knows.
		for range 100 {
			a.report("acme", "", "seats", 0)
		}
		told, ids := stamp(a), a.state.lastID
		a.load(old)
		if got, _ := a.Snapshot("acme", "").Find("seats"); !got.UsageStamp.After(told) || !got.EntitlementStamp.After(told) {
			t.Errorf("loaded: stamps %v and %v, want ones after %v", got.EntitlementStamp, got.UsageStamp, told)
		}
		if a.state.lastID < ids {
			t.Errorf("ids went from %d back to %d", ids, a.state.lastID)
		}
		told = stamp(a)
		a.check(a.Reset())
		a.provision("acme", "", "starter")
		if got := stamp(a); !got.After(told) || a.state.lastID <= ids {
			t.Errorf("after Reset: stamp %v, id %d; want ones after %v, %d", got, a.state.lastID, told, ids)
		}

		// Stamps that repeat are told of, too.
		c := newBench(t, Config{Stamps: Stamps{Every: time.Minute}})
		c.provision("acme", "", "starter")
		time.Sleep(time.Hour)
		told = c.Now().Truncate(time.Minute)
		c.load(old)
		if got := stamp(c); !got.Equal(told) {
			t.Errorf("coarse stamps: %v, want that of the load, %v", got, told)
		}
	})
}

// TestLoadAndResetCutSockets, after which clients fetch anew.
func TestLoadAndResetCutSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		empty := b.dump()
		for name, do := range map[string]func() error{
			"Load": func() error { return b.Load(strings.NewReader(empty)) }, "Reset": b.Reset,
		} {
			b.provision("acme", "", "starter")
			ws := b.connect()
			ws.subscribe("1", onUsage)
			b.Faults().ReorderEvents(1)
			b.report("acme", "", "seats", 1) // held back
			if err := do(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if n := b.Sockets(); n != 0 {
				t.Fatalf("%s: %d sockets are open, want them cut", name, n)
			}
			ws = b.connect()
			ws.subscribe("1", onUsage)
			b.Faults().ReplayEvents(10, 0) // nothing of before
			synctest.Wait()
			ws.barrier()
			b.provision("acme", "", "starter")
			b.report("acme", "", "seats", 1)
			ws.wantNext("1", "usageUpdatedV2")
			synctest.Wait()
			ws.barrier() // nor the one that was held back
		}
	})
}

func TestResetGoesBackToTheBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fresh := newBench(t, Config{Catalog: soldCatalog(t), EventDelay: time.Hour})
		keys := []string{DefaultAPIKey}
		b := newBench(t, Config{Catalog: soldCatalog(t), APIKeys: keys, EventDelay: time.Hour})
		keys[0] = "the caller's own"
		b.live()
		b.RevokeAPIKey(DefaultAPIKey)
		now := b.Now()
		b.check(b.Reset())
		if !b.Now().Equal(now) {
			t.Errorf("it is %v, want %v still", b.Now(), now)
		}
		counters := func(text string) string {
			var s savedState
			b.check(json.Unmarshal([]byte(text), &s))
			s.Now, s.ClockAhead, s.LastStamp, s.LastID = time.Time{}, "", time.Time{}, 0
			plain, _ := json.MarshalIndent(s, "", " ")
			return string(plain)
		}
		if got, want := counters(b.dump()), counters(fresh.dump()); got != want {
			t.Errorf("after Reset: %s", firstDifference(want, got))
		}
		b.drive("provisionCustomer", props{"customerId": "acme"}) // with the key that had been revoked
	})
}

// TestDumpIsOfOneMoment, and works after Close; Load and Reset do not.
func TestAfterClose(t *testing.T) {
	b := newBench(t, Config{})
	b.provision("acme", "", "starter")
	text := b.dump()
	b.Close()
	if after := b.dump(); !strings.Contains(after, `"acme"`) {
		t.Errorf("Dump after Close = %s", after)
	}
	if err := b.Load(strings.NewReader(text)); err == nil {
		t.Error("Load after Close: no error")
	}
	if err := b.Reset(); err == nil {
		t.Error("Reset after Close: no error")
	}
	if err := b.Dump(failingWriter{}); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("Dump to a full disk: %v", err)
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, fmt.Errorf("disk full") }

// TestDumpAndLoadWhileClientsWrite is for the race detector.
func TestDumpAndLoadWhileClientsWrite(t *testing.T) {
	b := newBench(t, Config{EventDelay: time.Millisecond})
	b.provision("acme", "", "growth")
	text := b.dump()
	done := make(chan bool)
	go func() { // joined below
		defer close(done)
		for i := range 50 {
			b.Provision("acme", "", "growth")
			b.Report("acme", "", "seats", 1)
			b.SetEntitlement("acme", "", Entitlement{Feature: "sso"})
			if i%10 == 0 {
				b.Load(strings.NewReader(text))
			}
		}
	}()
	for range 20 {
		if err := b.Dump(io.Discard); err != nil {
			t.Error(err)
		}
	}
	<-done
}
