package entcache

import (
	"sync"
	"testing"

	"github.com/entcache/entcache/entitlements"
)

// unstarted is a client of no Stigg, whose accounts are forgotten as soon as nothing is open.
func unstarted(t *testing.T) *Client {
	t.Helper()
	c, err := New("a key of no Stigg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// accounts is how many keys have something pending.
func (c *Client) accounts() (n int) {
	for i := range c.pending.shards {
		n += len(c.pending.shards[i].accounts)
	}
	return n
}

// TestReportsThatLandTogether: of those that wait for one another, the last settles all, and nothing stays pending.
func TestReportsThatLandTogether(t *testing.T) {
	c := unstarted(t)
	for range 20_000 {
		var ready, wg sync.WaitGroup
		ready.Add(2)
		for range 2 {
			wg.Go(func() {
				d := c.directly([]line{directLine("acme", nil, "api-calls", 1, nil, "key")})
				ready.Done()
				ready.Wait()
				five := 5.0
				d.answered(answersOf([]ReportedUsage{{CustomerId: "acme", FeatureId: "api-calls", CurrentUsage: &five}}))
				d.land()
			})
		}
		wg.Wait()
		if n := c.accounts(); n != 0 {
			t.Fatal("everything is answered, and something is pending")
		}
	}
}

// TestWhoWaitsIsSettledWhereverTheCustomerIs: a consumption of credits that waits for a report of a feature, which draws on the same
// wallet, is settled when that lands, whether or not the customer has left memory, or changed the plan, when more of the feature is
// reported.
func TestWhoWaitsIsSettledWhereverTheCustomerIs(t *testing.T) {
	wallet := entitlements.Currency("ai-credits")
	acme := Key{CustomerID: "acme"}
	for name, later := range map[string]struct {
		pays  Ref
		known bool
	}{"as before": {wallet, true}, "not in memory": {Ref{}, false}, "paid by no wallet any more": {Ref{}, true}} {
		c := unstarted(t)
		p := c.pending
		report := func(id string) line { return directLine("acme", nil, id, 1, nil, id) }
		consume := creditLine(&ConsumeCreditInput{CustomerId: "acme", CurrencyId: "ai-credits", Amount: 5, IdempotencyKey: "c"})
		leave := func(ln line, pays Ref, known bool) flight {
			p.add(acme, ln.ref, ln.Deltas)
			return p.depart([]line{ln}, func(Key, Ref) (Ref, bool) { return pays, known })
		}
		d := delivery{c}
		land := func(f flight) {
			d.settle(f, acme, f.lines, nil, told)
			d.landed(f)
		}
		first := leave(report("ai-answers"), wallet, true)
		credits := leave(consume, Ref{}, true)
		land(credits)                                              // and waits
		land(leave(report("ai-answers"), later.pays, later.known)) // and waits, too
		land(first)
		if n := c.accounts(); n != 0 {
			t.Errorf("%s: everything has landed, and something is pending", name)
		}

		first, credits = leave(report("ai-answers"), wallet, true), leave(consume, Ref{}, true)
		land(first) // and waits
		land(leave(report("ai-answers"), later.pays, later.known))
		if m := p.account(acme).meter(entitlements.Feature("ai-answers")); m.open != 2 {
			t.Errorf("%s: %d of 2 reports wait for the credits, whose answer may show them", name, m.open)
		}
		land(credits)
		if n := c.accounts(); n != 0 {
			t.Errorf("%s: everything has landed, and something is pending", name)
		}
	}
}

// TestAnAnswerDoesNotTakeBackWhatOthersUsed: while a report is on its way, others use two more, and readers are shown that; the answer to
// the report, which is from before, comes together with it.
func TestAnAnswerDoesNotTakeBackWhatOthersUsed(t *testing.T) {
	c := unstarted(t)
	acme, calls := Key{CustomerID: "acme"}, entitlements.Feature("api-calls")
	set := entitlements.NewSnapshot(acme, "", []Grant{{
		ID: "api-calls", FeatureType: entitlements.FeatureNumber, MeterType: entitlements.MeterIncremental, IsGranted: true,
		CurrentUsage: 140, UsageUpdatedAt: 1, EntitlementUpdatedAt: 1,
	}})
	shows := func(s *entitlements.Snapshot) float64 {
		e, _ := s.Find(calls, 0)
		return e.CurrentUsage()
	}
	d := c.directly([]line{directLine("acme", nil, "api-calls", 1, nil, "key")})
	held := c.pending.count(acme, set, true)
	event := held.WithUsage(entitlements.Usage{Ref: calls, Current: 143, UpdatedAt: 3}) // the report, and two of others
	held = c.pending.guard(acme, &entitlements.Belief{Snapshot: held}, &entitlements.Belief{Snapshot: event}).Snapshot
	if got := shows(held); got != 142 {
		t.Errorf("on the way, %v is shown, want 142: what is there for certain, less what is on its way", got)
	}
	c.pending.correct(acme, calls, 1) // it is answered
	if got := shows(held); got != 143 {
		t.Errorf("answered, and not applied yet, %v is shown, want 143", got)
	}
	d.carry(-1)
	answer := entitlements.Usage{Ref: calls, Current: 141, UpdatedAt: 2}
	l := c.pending.answer(d.flight, acme, d.lines, []entitlements.Usage{answer}, told)
	if got := shows(l.along(held.WithUsage(answer), true)); got != 143 {
		t.Errorf("applied, %v is shown, want 143 as before", got)
	}
	l.done(true)
	c.pending.landed(&d.flight)
}

// TestANewPeriodIsNotKeptWaitingForWhatIsUnshown: an event of the next period tells all there is to know of it, but for what may be of it.
func TestANewPeriodIsNotKeptWaitingForWhatIsUnshown(t *testing.T) {
	c := unstarted(t)
	acme, calls := Key{CustomerID: "acme"}, entitlements.Feature("api-calls")
	set := entitlements.NewSnapshot(acme, "", []Grant{{
		ID: "api-calls", FeatureType: entitlements.FeatureNumber, MeterType: entitlements.MeterIncremental, IsGranted: true,
		CurrentUsage: 3, UsageUpdatedAt: 1, UsagePeriodStart: 1, EntitlementUpdatedAt: 1,
	}})
	c.pending.add(acme, calls, 36)
	m := c.pending.account(acme).meter(calls)
	m.settled, m.unshown = 36, 36 // counted, and not shown
	held := &entitlements.Belief{Snapshot: c.pending.count(acme, set, true), AwaitRefresh: true}
	for _, row := range []struct {
		told        entitlements.Usage
		want        float64
		description string
	}{
		{entitlements.Usage{Ref: calls, Current: 39, UpdatedAt: 2, PeriodStart: 1}, 39, "the report, which may be shown"},
		{entitlements.Usage{Ref: calls, Current: 50, UpdatedAt: 3, PeriodStart: 2}, 86, "the next period"},
	} {
		next := *held
		next.Snapshot = held.Snapshot.WithUsage(row.told)
		e, _ := c.pending.guard(acme, held, &next).Snapshot.Find(calls, 0)
		if got := e.CurrentUsage(); got != row.want {
			t.Errorf("%s: %v is shown, want %v", row.description, got, row.want)
		}
	}
}
