package entcache

import (
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/entcache/entcache/emulator"
	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/usage"
)

// beside runs a story of a client that is not started yet, and the emulator that it will talk to.
func beside(t *testing.T, story func(t *testing.T, stigg *emulator.Emulator, c *Client)) {
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
		story(t, stigg, c)
	})
}

// TestNothingIsKeptOfStrangers: of customers who are not in memory, once their usage is counted, or nothing could be reserved.
func TestNothingIsKeptOfStrangers(t *testing.T) {
	beside(t, func(t *testing.T, stigg *emulator.Emulator, c *Client) {
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

// inMemory is a client that follows the emulator and has acme in memory, and what it counts as pending of acme's calls.
func inMemory(t *testing.T, story func(c *Client, acme Key, calls Ref, pending func() float64)) {
	beside(t, func(t *testing.T, stigg *emulator.Emulator, c *Client) {
		if err := stigg.Provision("acme", "", "free"); err != nil {
			t.Fatal(err)
		}
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
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
		story(c, Key{CustomerID: "acme"}, entitlements.Feature("api-calls"), pending)
	})
}

// TestWhoReportsSecondIsNotAheadOfTheFirst: somebody else has just made the account of a customer, and it does not count yet with what is
// in memory. Whoever reports then, or reserves, does not go on to checks that leave both out.
func TestWhoReportsSecondIsNotAheadOfTheFirst(t *testing.T) {
	inMemory(t, func(c *Client, acme Key, calls Ref, pending func() float64) {
		c.pending.add(acme, calls, 5) // the first, who gets no further
		c.expect(acme, calls, 1)
		if got := pending(); got != 6 {
			t.Errorf("the second sees %v pending, want 6", got)
		}
	})
}

// TestWhoReportsSecondFindsWhatTheFirstCouldNot: the first reports when the customer's set is without the feature.
func TestWhoReportsSecondFindsWhatTheFirstCouldNot(t *testing.T) {
	inMemory(t, func(c *Client, acme Key, calls Ref, pending func() float64) {
		e := c.running.Load()
		held, _ := e.cache.Peek(acme)
		swap := func(next func(held *entitlements.Belief) *entitlements.Belief) { e.store.Cache.Update(acme, next) }
		swap(func(b *entitlements.Belief) *entitlements.Belief {
			return b.With(entitlements.NewSnapshot(acme, NoActiveSubscription, nil))
		})
		first := true
		swap(func(b *entitlements.Belief) *entitlements.Belief {
			next := c.pending.guard(acme, b, b.With(held.Belief.Snapshot)) // before there is an account
			if first {
				first = false
				c.expect(acme, calls, 5)
			}
			return next
		})
		c.expect(acme, calls, 1)
		if got := pending(); got != 6 {
			t.Errorf("a set that came meanwhile: %v pending, want 6", got)
		}
	})
}

// TestAReportIsSeenByItsReporterWhileTheCustomerEntersMemory: the first report of a customer, and the set that enters, do so one after
// the other. Side by side the set might enter without the report, and be read by who has just reported.
func TestAReportIsSeenByItsReporterWhileTheCustomerEntersMemory(t *testing.T) {
	inMemory(t, func(c *Client, acme Key, calls Ref, _ func() float64) {
		e := c.running.Load()
		like, _ := e.cache.Peek(acme)
		globex := Key{CustomerID: "globex"}
		entry := &c.pending.shard(globex).entry
		for _, row := range []struct {
			what string
			do   func()
		}{
			{"is reported", func() { c.expect(globex, calls, 5) }},
			{"enters", func() { e.store.Insert(globex, like.Belief) }},
		} {
			entry.Lock() // what the other holds
			done := make(chan struct{})
			go func() {
				defer close(done)
				row.do()
			}()
			for range 10_000 {
				runtime.Gosched()
			}
			select {
			case <-done:
				t.Errorf("the customer %s while the other is under way", row.what)
			default:
			}
			entry.Unlock()
			<-done
		}
		held, _ := e.cache.Peek(globex)
		if ent, _ := held.Belief.Snapshot.Find(calls, 1); ent.PendingUsage() != 5 {
			t.Errorf("%v pending, want 5", ent.PendingUsage())
		}
	})
}

// TestWhatIsAnsweredWhileTheCustomerEntersMemoryIsPendingNoMore, at whatever step of the entry the answer is settled.
func TestWhatIsAnsweredWhileTheCustomerEntersMemoryIsPendingNoMore(t *testing.T) {
	inMemory(t, func(c *Client, acme Key, calls Ref, _ func() float64) {
		e, d := c.running.Load(), delivery{c}
		like, _ := e.cache.Peek(acme)
		const customers = 1000
		customer := func(i int) Key { return Key{CustomerID: strconv.Itoa(i)} }
		var turn, entered atomic.Int64
		go func() {
			for i := range customers {
				for turn.Load() <= int64(i) {
					runtime.Gosched()
				}
				e.store.Insert(customer(i), like.Belief)
				entered.Add(1)
			}
		}()
		for i := range customers {
			key := customer(i)
			c.expect(key, calls, 5)
			report := usage.Record{Kind: usage.Delta, CustomerID: key.CustomerID, FeatureID: calls.ID, Value: 5, Key: key.CustomerID}
			f := d.depart([]line{{usage.Line{Record: report, Accepted: 1, Deltas: 5}, calls}})
			l := c.pending.answer(f, key, f.lines, nil, told)
			turn.Add(1)
			for range i % 400 { // so that it is met at every step
				turn.Load()
			}
			l.done(true) // as delivery.settle
			e.store.count(key, true)
			for entered.Load() <= int64(i) {
				runtime.Gosched()
			}
			d.landed(f)
			held, _ := e.cache.Peek(key)
			if ent, _ := held.Belief.Snapshot.Find(calls, 1); ent.PendingUsage() != 0 {
				t.Errorf("customer %d: %v pending, want none", i, ent.PendingUsage())
			}
		}
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
