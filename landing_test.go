package entcache

import (
	"slices"
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

// callsOf is the set of a customer who has used that many API calls.
func callsOf(key Key, used float64) *Snapshot {
	return entitlements.NewSnapshot(key, "", []Grant{{
		ID: "api-calls", FeatureType: entitlements.FeatureNumber, MeterType: entitlements.MeterIncremental, IsGranted: true,
		CurrentUsage: used, UsageUpdatedAt: 1, EntitlementUpdatedAt: 1,
	}})
}

// callsShown is how many API calls a read of the set shows as used.
func callsShown(s *Snapshot) float64 {
	e, _ := s.Find(entitlements.Feature("api-calls"), 0)
	return e.CurrentUsage()
}

// TestACustomerWhoEntersMemoryWhileACallReportsIsSeenOnce: a customer enters memory by a fetch that shows a report, whose call is about
// to have its answer applied; and no reader sees it twice.
func TestACustomerWhoEntersMemoryWhileACallReportsIsSeenOnce(t *testing.T) {
	c := unstarted(t)
	acme, calls := Key{CustomerID: "acme"}, entitlements.Feature("api-calls")
	answers := answersOf([]ReportedUsage{{CustomerId: "acme", FeatureId: "api-calls", CurrentUsage: new(141.0)}})
	d := c.directly([]line{directLine("acme", nil, "api-calls", 1, nil, "key")})
	see := func(when string, held *Snapshot) {
		t.Helper()
		if got := callsShown(held); got != 141 {
			t.Errorf("%s, %v is shown, want 141", when, got)
		}
	}
	held := c.pending.count(acme, callsOf(acme, 141), true)
	see("counted by Stigg, and not answered", held)
	l := c.pending.answer(d.flight, acme, d.lines, answers[0].usages, told)
	see("answered", held)
	see("answered, and fetched meanwhile", c.pending.count(acme, callsOf(acme, 141), true))
	held = l.along(held, true)
	see("applied", held)
	see("applied, and fetched meanwhile", c.pending.count(acme, callsOf(acme, 141), true))
	l.done(true)
	see("settled", held)
	see("settled, and fetched later", c.pending.count(acme, callsOf(acme, 141), true))
	if m := c.pending.account(acme).meter(calls); m.open != 0 || m.direct != 0 {
		t.Errorf("settled, %d are open and %v is on its way", m.open, m.direct)
	}
	d.lines[0].Accepted = 0 // as answered does
	d.land()
}

// TestACallThatIsCountedIsSeenWhateverTheAnswerSays: when a call returns it has been counted, and the next read shows that, even if the
// answer did not say what it led to, or others have to be answered first.
func TestACallThatIsCountedIsSeenWhateverTheAnswerSays(t *testing.T) {
	acme := Key{CustomerID: "acme"}
	for name, row := range map[string]struct {
		others int
		how    outcome
	}{
		"untold":             {0, untold},
		"others first":       {1, told},
		"untold, and others": {1, untold},
	} {
		c := unstarted(t)
		held := c.pending.count(acme, callsOf(acme, 140), true)
		var others []*direct
		for range row.others {
			others = append(others, c.directly([]line{directLine("acme", nil, "api-calls", 1, nil, "another")}))
		}
		d := c.directly([]line{directLine("acme", nil, "api-calls", 1, nil, "key")})
		held = c.pending.count(acme, held, true)
		if got := callsShown(held); got != 140 {
			t.Errorf("%s: on the way, %v is shown, want 140", name, got)
		}
		var usages []entitlements.Usage
		if row.how == told {
			usages = []entitlements.Usage{{Ref: entitlements.Feature("api-calls"), Current: 141, UpdatedAt: 2}}
		}
		l := c.pending.answer(d.flight, acme, d.lines, usages, row.how)
		shown := row.how == told // by the syncer
		held = l.along(held, shown)
		l.done(shown)
		if got := callsShown(held); got != 141 {
			t.Errorf("%s: counted, %v is shown, want 141", name, got)
		}
		d.lines[0].Accepted = 0
		d.land()
		for _, o := range others {
			o.land()
		}
	}
}

// TestAnAnswerDoesNotTakeBackWhatOthersUsed: while a report is on its way, others use two more, and readers are shown that; the answer to
// the report, which is from before, comes together with it.
func TestAnAnswerDoesNotTakeBackWhatOthersUsed(t *testing.T) {
	c := unstarted(t)
	acme, calls := Key{CustomerID: "acme"}, entitlements.Feature("api-calls")
	d := c.directly([]line{directLine("acme", nil, "api-calls", 1, nil, "key")})
	held := c.pending.count(acme, callsOf(acme, 140), true)
	event := held.WithUsage(entitlements.Usage{Ref: calls, Current: 143, UpdatedAt: 3}) // the report, and two of others
	held = c.pending.guard(acme, &entitlements.Belief{Snapshot: held}, &entitlements.Belief{Snapshot: event}).Snapshot
	if got := callsShown(held); got != 142 {
		t.Errorf("on the way, %v is shown, want 142: what is there for certain, less what is on its way", got)
	}
	answer := entitlements.Usage{Ref: calls, Current: 141, UpdatedAt: 2}
	l := c.pending.answer(d.flight, acme, d.lines, []entitlements.Usage{answer}, told)
	if got := callsShown(l.along(held.WithUsage(answer), true)); got != 143 {
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

// TestAnAnswerTellsWhichWalletPaid: the customer was not in memory when a report departed, so nobody knew what it draws on. The answer says
// so, and what is on its way to the same wallet is waited for.
func TestAnAnswerTellsWhichWalletPaid(t *testing.T) {
	c := unstarted(t)
	acme, credits := Key{CustomerID: "acme"}, entitlements.Currency("ai-credits")
	consume := c.directly([]line{creditLine(&ConsumeCreditInput{CustomerId: "acme", CurrencyId: "ai-credits", Amount: 5, IdempotencyKey: "c"})})
	d := c.directly([]line{directLine("acme", nil, "ai-answers", 1, nil, "key")})
	d.answered([]answer{{key: acme, told: true, usages: []entitlements.Usage{
		{Ref: entitlements.Feature("ai-answers"), Current: 1, UpdatedAt: 2}, {Ref: credits, Current: 2, UpdatedAt: 2},
	}}})
	d.land()
	if m := c.pending.account(acme).meter(entitlements.Feature("ai-answers")); m.wallet != credits || m.open != 1 {
		t.Errorf("the report drew on %v, and %d of 1 wait for the consumption", m.wallet, m.open)
	}
	consume.answered([]answer{{key: acme, told: true, usages: []entitlements.Usage{{Ref: credits, Current: 7, UpdatedAt: 3}}}})
	consume.land()
	if n := c.accounts(); n != 0 {
		t.Error("everything is answered, and something is pending")
	}
}

// TestAnAnswerToAStrangerDoesNotShowWhatIsUnshown: a report departed when nobody knew its wallet, so another that draws on the same one
// did not wait for it, and could not be shown; the answer to the first may be older than that one.
func TestAnAnswerToAStrangerDoesNotShowWhatIsUnshown(t *testing.T) {
	c := unstarted(t)
	acme, credits, images := Key{CustomerID: "acme"}, entitlements.Currency("ai-credits"), entitlements.Feature("ai-images")
	stranger := c.directly([]line{directLine("acme", nil, "ai-answers", 1, nil, "first")})
	d := c.directly([]line{directLine("acme", nil, "ai-images", 2, nil, "second")})
	c.expect(acme, images, 1) // waits in the queue
	answer := func(d *direct, used float64) *landing {
		d.lines[0].pays = credits
		l := c.pending.answer(d.flight, acme, d.lines, []entitlements.Usage{{Ref: d.lines[0].ref, Current: 1, UpdatedAt: 2}, {Ref: credits, Current: used, UpdatedAt: 2}}, told)
		d.lines[0].Accepted = 0
		return l
	}
	answer(d, 8).done(false) // it has the stamp of what is held
	d.land()
	m := c.pending.account(acme).meter(images)
	if m.unshown != 2 {
		t.Fatalf("%v is unshown, want 2", m.unshown)
	}
	if l := answer(stranger, 2); len(l.usages) != 0 {
		t.Errorf("%v is applied, and may not show the 6 credits that are unshown", l.usages)
	} else {
		l.done(false)
	}
	stranger.land()
	if m.unshown != 2 {
		t.Errorf("%v is unshown, want 2 until a fetch shows it", m.unshown)
	}
	if m := c.pending.account(acme).meter(entitlements.Feature("ai-answers")); m.stranger {
		t.Error("it has landed, and is a stranger still")
	}
}

// TestWhatAFetchIsAheadOfIsNotPendingAgain: a report is answered while its customer is being fetched, and the fetch brings something that
// the answer cannot be applied to. Where that shows the report, it is not seen twice; where nobody can tell, it is pending until another
// fetch has decided: denied rather than granted.
func TestWhatAFetchIsAheadOfIsNotPendingAgain(t *testing.T) {
	acme, calls, wallet := Key{CustomerID: "acme"}, entitlements.Feature("api-calls"), entitlements.Currency("ai-credits")
	said := entitlements.Usage{Ref: calls, Current: 145, UpdatedAt: 10}
	seats, ahead := entitlements.Usage{Ref: entitlements.Feature("seats"), Current: 1, UpdatedAt: 10}, entitlements.Usage{Current: 149, UpdatedAt: 11}
	paid := entitlements.Usage{Ref: wallet, Current: 1, UpdatedAt: 10}
	for name, row := range map[string]struct {
		by      float64 // what was reported; zero for 5
		said    []entitlements.Usage
		fetched entitlements.Usage // of api-calls
		paid    bool               // the wallet is known, and newer
		counts  bool               // what is held was in memory
		pending bool
	}{
		"newer, and as far":                       {fetched: entitlements.Usage{Current: 145, UpdatedAt: 11}},
		"newer, and farther":                      {fetched: ahead},
		"newer, and in memory before":             {fetched: ahead, counts: true},
		"newer by another clock, and not as far":  {fetched: entitlements.Usage{Current: 144, UpdatedAt: 11}, pending: true},
		"as new, and as far":                      {fetched: entitlements.Usage{Current: 147, UpdatedAt: 10}},
		"as new, and not as far":                  {fetched: entitlements.Usage{Current: 141, UpdatedAt: 10}, pending: true},
		"as new, but raised, as it was in memory": {fetched: entitlements.Usage{Current: 147, UpdatedAt: 10}, counts: true, pending: true},
		"older":                                    {fetched: entitlements.Usage{Current: 147, UpdatedAt: 9}, pending: true},
		"of another period":                        {said: []entitlements.Usage{{Ref: calls, Current: 145, UpdatedAt: 10, PeriodStart: 4}}, fetched: entitlements.Usage{Current: 147, UpdatedAt: 11, PeriodStart: 5}, pending: true},
		"of a period that one alone says":          {fetched: entitlements.Usage{Current: 147, UpdatedAt: 11, PeriodStart: 5}},
		"of less, and as far":                      {by: -5, fetched: entitlements.Usage{Current: 145, UpdatedAt: 11}},
		"of less, and not as far":                  {by: -5, fetched: entitlements.Usage{Current: 146, UpdatedAt: 11}, pending: true},
		"the answer has no stamp":                  {said: []entitlements.Usage{{Ref: calls, Current: 145}}, fetched: ahead, pending: true},
		"the answer does not say":                  {said: []entitlements.Usage{}, fetched: ahead, pending: true},
		"the answer is of something else":          {said: []entitlements.Usage{seats}, fetched: ahead, pending: true},
		"the answer is of something else, too":     {said: []entitlements.Usage{said, seats}, fetched: ahead},
		"the answer is of the wallet alone":        {said: []entitlements.Usage{paid}, paid: true, fetched: ahead, pending: true},
		"the wallet that paid for it is not known": {said: []entitlements.Usage{said, paid}, fetched: ahead, pending: true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, late := range []bool{false, true} {
				c, by := unstarted(t), row.by
				if by == 0 {
					by = 5
				}
				if row.said == nil {
					row.said = []entitlements.Usage{said}
				}
				d := c.directly([]line{directLine("acme", nil, "api-calls", by, nil, "key")})
				lines := slices.Clone(d.lines)
				lines[0].pays = wallet
				l := c.pending.answer(d.flight, acme, lines, slices.Clone(row.said), told)
				fetched := callsOf(acme, 0)
				if row.paid {
					fetched = entitlements.NewSnapshot(acme, "", []Grant{
						{ID: "api-calls", FeatureType: entitlements.FeatureNumber, MeterType: entitlements.MeterIncremental, IsGranted: true, UsageUpdatedAt: 1},
						{Kind: entitlements.KindCredit, ID: "ai-credits", IsGranted: true, CurrentUsage: 2, UsageUpdatedAt: 11},
					})
				}
				if row.counts {
					fetched = c.pending.count(acme, fetched, true)
				}
				row.fetched.Ref = calls
				fetched = fetched.WithUsage(row.fetched)
				if late { // the fetch lands when all of it is done
					l.done(true)
				}
				l.along(fetched, false)
				if !late {
					l.done(false)
				}
				got := 0.0
				if a := c.pending.account(acme); a != nil {
					got = a.meter(calls).unshown
				}
				if want := map[bool]float64{true: by}[row.pending]; got != want {
					t.Errorf("late %v: %v is pending, want %v", late, got, want)
				}
			}
		})
	}
}

// TestWhatOneAnswerSaysIsAppliedWhateverWaits: of a call that reports two features, one waits for another call; and a call that waited is
// settled together with that, which failed.
func TestWhatOneAnswerSaysIsAppliedWhateverWaits(t *testing.T) {
	c, acme := unstarted(t), Key{CustomerID: "acme"}
	said := func(id string) entitlements.Usage {
		return entitlements.Usage{Ref: entitlements.Feature(id), Current: 1, UpdatedAt: 2}
	}
	other := c.directly([]line{directLine("acme", nil, "seats", 1, nil, "other")})
	d := c.directly([]line{directLine("acme", nil, "seats", 1, nil, "one"), directLine("acme", nil, "api-calls", 1, nil, "two")})
	l := c.pending.answer(d.flight, acme, d.lines, []entitlements.Usage{said("seats"), said("api-calls")}, told)
	if len(l.usages) != 1 || l.usages[0] != said("api-calls") {
		t.Errorf("%v is applied, want that of the API calls", l.usages)
	}
	l.done(true)
	c.pending.landed(&d.flight)
	_, _, waited := c.pending.landed(&other.flight)
	if l = c.pending.answer(other.flight, acme, waited[acme], nil, told); len(l.usages) != 1 || l.usages[0] != said("seats") {
		t.Errorf("%v is applied, want that of the seats", l.usages)
	}
}

// TestAFailedCallTakesNothingFromWhoWaitedForIt: two features draw on one wallet. The report of one failed, and nothing was said of its
// usage; that of the other was answered, and is applied.
func TestAFailedCallTakesNothingFromWhoWaitedForIt(t *testing.T) {
	c, acme, wallet := unstarted(t), Key{CustomerID: "acme"}, entitlements.Currency("ai-credits")
	calls, images := c.paid(acme, "api-calls"), c.paid(acme, "ai-images")
	said := []entitlements.Usage{{Ref: entitlements.Feature("ai-images"), Current: 1, UpdatedAt: 2}, {Ref: wallet, Current: 1, UpdatedAt: 2}}
	c.pending.answer(images, acme, images.lines, said, told).done(true)
	c.pending.landed(&images)
	_, _, waited := c.pending.landed(&calls)
	if l := c.pending.answer(calls, acme, waited[acme], nil, told); len(l.usages) != 2 {
		t.Errorf("%v is applied, want the images and the wallet", l.usages)
	}
}
