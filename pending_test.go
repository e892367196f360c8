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
			f := d.depart([]line{{Line: usage.Line{Record: report, Accepted: 1, Deltas: 5}, ref: calls}})
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
	p.add(key, ref, 3)
	p.add(key, ref, 1)
	p.account(key).meters[0].settled = 1 // answered, which the set from before does not show
	if got := shown(p.seen(key, held)); got != 9 {
		t.Errorf("a read that holds the set from before sees %v pending once more is reported, want 9", got)
	}
}

// TestWhatMemoryHasNoRoomForCountsAsOfItsArrival: whoever waited for it reads it once, when a report has been answered meanwhile.
func TestWhatMemoryHasNoRoomForCountsAsOfItsArrival(t *testing.T) {
	inMemory(t, func(c *Client, acme Key, calls Ref, _ func() float64) {
		e := c.running.Load()
		e.cache.Close() // there is room for nothing
		globex := Key{CustomerID: "globex"}
		c.expect(globex, calls, 5)
		c.expect(globex, calls, 7)
		m := c.pending.account(globex).meter(calls)
		m.settled, m.open = 7, 1 // one is answered, and is shown by what is fetched
		b, resident := e.store.Insert(globex, &entitlements.Belief{Snapshot: callsOf(globex, 140)})
		if resident {
			t.Fatal("it is resident")
		}
		m.settled, m.open = 12, 0
		if got := callsShown(c.pending.seen(globex, b.Snapshot)); got != 145 {
			t.Errorf("%v is shown, want 145: the set is from before the report was counted", got)
		}
	})
}

// TestWhatTheFetchUnderWayDoesNotShowIsPendingAgain: a report is answered while its customer is being fetched, and that fetch turns out
// not to show it. Until another does it is pending, whether or not the account has been forgotten meanwhile.
func TestWhatTheFetchUnderWayDoesNotShowIsPendingAgain(t *testing.T) {
	acme, calls := Key{CustomerID: "acme"}, entitlements.Feature("api-calls")
	for name, row := range map[string]struct {
		direct, forgotten, late bool
	}{
		"at once":                         {},
		"of a call":                       {direct: true},
		"later":                           {late: true},
		"later, of a call":                {late: true, direct: true},
		"later, and forgotten":            {late: true, forgotten: true},
		"later, of a call, and forgotten": {late: true, forgotten: true, direct: true},
	} {
		c := unstarted(t)
		lines := []line{directLine("acme", nil, "api-calls", 5, nil, "key")}
		var f flight
		if row.direct {
			f = c.directly(lines).flight
		} else {
			c.expect(acme, calls, 5)
			f = delivery{c}.depart(lines)
		}
		if !row.forgotten {
			c.expect(acme, calls, 1) // another report, which waits in the queue
		}
		l := c.pending.answer(f, acme, f.lines, []entitlements.Usage{{Ref: calls, Current: 145, UpdatedAt: 2}}, told)
		fetched := callsOf(acme, 140)
		if !row.late {
			fetched = l.along(fetched, false)
		}
		l.done(true)
		c.pending.landed(&f)
		if row.forgotten && !c.pending.forget(acme) {
			t.Fatalf("%s: the account is not forgotten", name)
		}
		if row.late {
			fetched = l.along(fetched, false)
			fetched = l.along(fetched, false) // which may happen more often than once
		}
		if c.pending.forget(acme) {
			t.Errorf("%s: the account is forgotten before the customer has entered memory", name)
		}
		c.pending.enter(acme, &entitlements.Belief{Snapshot: fetched, AwaitRefresh: true})
		want := 145.0
		if !row.forgotten {
			want = 146
		}
		if got := callsShown(c.pending.count(acme, fetched, true)); got != want {
			t.Errorf("%s: %v is shown, want %v", name, got, want)
		}
		c.pending.enter(acme, &entitlements.Belief{Snapshot: callsOf(acme, 145)}) // of a fetch that decides
		if got := callsShown(c.pending.count(acme, callsOf(acme, 145), true)); got != want {
			t.Errorf("%s: when a fetch has shown it, %v is shown, want %v", name, got, want)
		}
	}
}

// TestWhatEntersMemoryBetweenAnAnswerAndItsEndIsFetched: nobody knows whether it shows what is about to become unshown.
func TestWhatEntersMemoryBetweenAnAnswerAndItsEndIsFetched(t *testing.T) {
	c, acme := unstarted(t), Key{CustomerID: "acme"}
	d := c.directly([]line{directLine("acme", nil, "api-calls", 1, nil, "key")})
	c.expect(acme, entitlements.Feature("api-calls"), 1) // waits in the queue
	l := c.pending.answer(d.flight, acme, d.lines, nil, untold)
	c.pending.enter(acme, &entitlements.Belief{Snapshot: callsOf(acme, 141)})
	l.done(false)
	if _, unclear, _ := c.pending.landed(&d.flight); len(unclear) != 1 || unclear[0] != acme {
		t.Errorf("a fetch has to decide for %v, want %v", unclear, acme)
	}
}

// TestALaterAnswerShowsWhatWasUnshown: two reports are answered during one fetch, the first without a word of what it led to. The set that
// the second leads to shows both.
func TestALaterAnswerShowsWhatWasUnshown(t *testing.T) {
	c, acme, calls := unstarted(t), Key{CustomerID: "acme"}, entitlements.Feature("api-calls")
	report := func(key string, n float64, usages []entitlements.Usage, how outcome) *landing {
		d := c.directly([]line{directLine("acme", nil, "api-calls", n, nil, key)})
		l := c.pending.answer(d.flight, acme, d.lines, usages, how)
		l.done(true)
		c.pending.landed(&d.flight)
		return l
	}
	said := entitlements.Usage{Ref: calls, Current: 148, UpdatedAt: 3}
	first, second := report("first", 5, nil, untold), report("second", 3, []entitlements.Usage{said}, told)
	set := first.along(callsOf(acme, 140), false)
	if got := callsShown(c.pending.count(acme, set, true)); got != 145 {
		t.Errorf("the first alone: %v is shown, want 145", got)
	}
	set = second.along(set.WithUsage(said), true)
	c.pending.enter(acme, &entitlements.Belief{Snapshot: set, AwaitRefresh: true})
	if got := callsShown(c.pending.count(acme, set, true)); got != 148 {
		t.Errorf("both: %v is shown, want 148", got)
	}
	if c.pending.account(acme).applied != nil {
		t.Error("the account holds on to a set that has entered memory")
	}
}

// TestALaterAnswerKnowsNothingOfANewAccount: the same when the account has been forgotten meanwhile, and perhaps more was reported since.
func TestALaterAnswerKnowsNothingOfANewAccount(t *testing.T) {
	for more, want := range map[float64]float64{
		0: 148,
		3: 156, // the 5 of the first are seen twice: denied rather than granted
	} {
		c, acme := unstarted(t), Key{CustomerID: "acme"}
		report := func(key string, n float64, usages []entitlements.Usage, how outcome, shown bool) *landing {
			d := c.directly([]line{directLine("acme", nil, "api-calls", n, nil, key)})
			l := c.pending.answer(d.flight, acme, d.lines, usages, how)
			l.done(shown)
			c.pending.landed(&d.flight)
			return l
		}
		said := entitlements.Usage{Ref: callsRef, Current: 148, UpdatedAt: 3}
		first, second := report("first", 5, nil, untold, true), report("second", 3, []entitlements.Usage{said}, told, true)
		if !c.pending.forget(acme) {
			t.Fatal("the account is not forgotten")
		}
		if more > 0 {
			report("third", more, nil, untold, false)
		}
		set := first.along(callsOf(acme, 140), false)
		set = second.along(set.WithUsage(said), true)
		if got := callsShown(c.pending.count(acme, set, true)); got != want {
			t.Errorf("with %v more: %v is shown, want %v", more, got, want)
		}
	}
}

// TestWhoEntersWhileOneOfTheWalletIsOnItsWay: what the fetch shows of a report that waits for that one, nobody knows.
func TestWhoEntersWhileOneOfTheWalletIsOnItsWay(t *testing.T) {
	c, acme := unstarted(t), Key{CustomerID: "acme"}
	calls, images := c.paid(acme, "api-calls"), c.paid(acme, "ai-images")
	c.pending.answer(images, acme, images.lines, nil, untold).done(true) // waits
	c.pending.landed(&images)
	l := c.pending.answer(calls, acme, calls.lines, nil, refused)
	c.pending.enter(acme, &entitlements.Belief{Snapshot: callsOf(acme, 141)})
	l.done(false)
	if _, unclear, _ := c.pending.landed(&calls); len(unclear) == 0 {
		t.Error("no fetch is to decide")
	}
}

// TestFewMetersAreIdle: whoever asks for features that do not exist, of a customer in memory, leaves nothing behind for each of them.
func TestFewMetersAreIdle(t *testing.T) {
	inMemory(t, func(c *Client, acme Key, calls Ref, pending func() float64) {
		c.expect(acme, calls, 5)
		for i := range 1000 {
			c.unexpect(acme, entitlements.Feature(strconv.Itoa(i)), 0)
			c.expect(acme, entitlements.Feature(strconv.Itoa(i)), 1)
			c.unexpect(acme, entitlements.Feature(strconv.Itoa(i)), 1)
		}
		if n := len(c.pending.account(acme).meters); n > manyMeters {
			t.Errorf("%d meters, want %d at most", n, manyMeters)
		}
		if got := pending(); got != 5 || c.pending.account(acme).meter(calls) == nil {
			t.Errorf("%v is pending, want 5, and the meter of it", got)
		}
	})
}
