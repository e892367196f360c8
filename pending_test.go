package entcache

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/entcache/entcache/emulator"
	"github.com/entcache/entcache/entitlements"
)

// TestNothingIsKeptOfStrangers: of customers who are not in memory, once their usage is counted, or nothing could be reserved.
func TestNothingIsKeptOfStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stigg, err := emulator.New(emulator.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer synctest.Wait()
		defer stigg.Close()
		pipe := stigg.Pipe()
		c, err := New(emulator.DefaultAPIKey, WithBaseURL(pipe.URL()), WithDialContext(pipe.DialContext), WithProxy(nil))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		kept := func() (n int) {
			for i := range c.pending.shards {
				n += len(c.pending.shards[i].accounts)
			}
			return n
		}
		for n := range 20 {
			id := fmt.Sprint("customer-", n)
			if err := stigg.Provision(id, "", "free"); err != nil {
				t.Fatal(err)
			}
			if err := c.Meter.Report(t.Context(), UsageReport{CustomerId: id, FeatureId: "api-calls", Value: 1}); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Reserve(t.Context(), Query{CustomerID: fmt.Sprint("nobody-", n), FeatureID: "api-calls", RequestedUsage: 1}); err == nil {
				t.Error("reserved by a client that is not started")
			}
		}
		if n := kept(); n != 20 {
			t.Errorf("%d accounts of 20 customers whose usage waits", n)
		}
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := c.Meter.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := kept(); n != 0 {
			t.Errorf("%d accounts are kept of customers who are not in memory", n)
		}
	})
}

// TestWhoReportsSecondIsNotAheadOfTheFirst: somebody else has just made the account of a customer, and it does not count yet with what is
// in memory. Whoever reports then, or reserves, does not go on to checks that leave both out.
func TestWhoReportsSecondIsNotAheadOfTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stigg, err := emulator.New(emulator.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer synctest.Wait()
		defer stigg.Close()
		if err := stigg.Provision("acme", "", "free"); err != nil {
			t.Fatal(err)
		}
		pipe := stigg.Pipe()
		c, err := New(emulator.DefaultAPIKey, WithBaseURL(pipe.URL()), WithDialContext(pipe.DialContext), WithProxy(nil))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		acme, calls := Key{CustomerID: "acme"}, entitlements.Feature("api-calls")
		pending := func() float64 {
			d, err := c.GetEntitlement(t.Context(), Query{CustomerID: "acme", FeatureID: "api-calls"})
			if err != nil {
				t.Fatal(err)
			}
			return d.Entitlement.PendingUsage()
		}
		if got := pending(); got != 0 {
			t.Fatalf("%v is pending at first", got)
		}
		c.pending.add(acme, calls, 5) // the first, who gets no further
		c.expect(acme, calls, 1)
		if got := pending(); got != 6 {
			t.Errorf("the second sees %v pending, want 6", got)
		}
		c.pending.drop(acme, calls, 5)
		c.unexpect(acme, calls, 1)
	})
}

// TestAReadThatWaitedGoesOnCounting: its customer left memory meanwhile, and the account with it; what it holds shows what it showed.
func TestAReadThatWaitedGoesOnCounting(t *testing.T) {
	p, key, ref := newPending(), Key{CustomerID: "acme"}, entitlements.Feature("api-calls")
	held := entitlements.NewSnapshot(key, "", []entitlements.Grant{{
		ID: "api-calls", FeatureType: entitlements.FeatureNumber, MeterType: entitlements.MeterIncremental, IsGranted: true, UsageLimit: 100,
	}})
	p.add(key, ref, 5)
	held = p.count(key, held, true)
	a := p.account(key)
	a.meters[0].open = 0 // answered, and forgotten
	if !p.forget(key) {
		t.Fatal("the account is not forgotten")
	}
	shown := func(s *entitlements.Snapshot) float64 { e, _ := s.Find(ref, 0); return e.PendingUsage() }
	if got := shown(p.seen(key, held)); got != 5 {
		t.Errorf("a read that holds the set from before sees %v pending, want 5", got)
	}
	if got := shown(p.count(key, held, true)); got != 0 {
		t.Errorf("a set that enters memory counts %v of an account that is gone", got)
	}
}
