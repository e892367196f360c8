package entcache

import (
	"strconv"
	"testing"

	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/usage"
)

var (
	acmeKey  = Key{CustomerID: "acme"}
	callsRef = entitlements.Feature("api-calls")
)

// callsUsed is what Stigg says of the API calls: the usage, its stamp, and the place at which it was learned.
func callsUsed(n float64, at entitlements.Instant, seq uint64) entitlements.Usage {
	return entitlements.Usage{Ref: callsRef, Current: n, UpdatedAt: at, Seq: seq}
}

// callsAt is a set that says so.
func callsAt(n float64, at entitlements.Instant, seq uint64) *Snapshot {
	return callsOf(acmeKey, 0).WithUsage(callsUsed(n, at, seq))
}

// reports accepts a report of API calls, which departs.
func (c *Client) reports(v float64, key string) flight {
	c.expect(acmeKey, callsRef, v)
	ln := directLine("acme", nil, "api-calls", v, nil, key)
	return c.pending.depart(linesOf([]usage.Line{ln.Line}), func(Key, Ref) (Ref, bool) { return Ref{}, true })
}

// paid accepts a report of five of a feature that a wallet pays for, which departs.
func (c *Client) paid(key Key, feature string) flight {
	c.expect(key, entitlements.Feature(feature), 5)
	ln := directLine(key.CustomerID, nil, feature, 5, nil, feature)
	return c.pending.depart(linesOf([]usage.Line{ln.Line}), func(Key, Ref) (Ref, bool) { return entitlements.Currency("ai-credits"), true })
}

// TestAheadIsWhatHasComeAsFarAsWhatWaited: an answer waited for a call that came to nothing. What is held is newer by the clock of another
// server, and does not show it.
func TestAheadIsWhatHasComeAsFarAsWhatWaited(t *testing.T) {
	c := unstarted(t)
	a, b := c.reports(5, "a"), c.reports(1, "b")
	held := c.pending.count(acmeKey, callsAt(140, 11, 1), true)
	c.pending.answer(a, acmeKey, a.lines, []entitlements.Usage{callsUsed(145, 10, 0)}, told).done(true)
	c.pending.landed(&a)
	_, _, waited := c.pending.landed(&b)
	l := c.pending.answer(b, acmeKey, waited[acmeKey], nil, told)
	held = l.along(held, false) // 145@10 is older than 140@11: questioned
	l.done(false)
	c.pending.landed(&b)
	if got := callsShown(held); got != 146 {
		t.Errorf("%v is shown, want 146 as before", got)
	}
}

// TestAheadIsWhatHasComeAsFarAsWhatIsUnshown: the same when something was unshown, and less is reported now.
func TestAheadIsWhatHasComeAsFarAsWhatIsUnshown(t *testing.T) {
	c := unstarted(t)
	a := c.reports(10, "a")
	held := c.pending.count(acmeKey, callsAt(140, 11, 1), true)
	l := c.pending.answer(a, acmeKey, a.lines, nil, untold)
	held = l.along(held, false)
	l.done(false)
	c.pending.landed(&a)
	b := c.reports(-3, "b")
	l = c.pending.answer(b, acmeKey, b.lines, []entitlements.Usage{callsUsed(147, 10, 0)}, told)
	held = l.along(held, false)
	l.done(false)
	c.pending.landed(&b)
	if got := callsShown(held); got != 147 {
		t.Errorf("%v is shown, want 147", got)
	}
}

// TestWhatWasRaisedIsNotAhead: it has come as far because others used something, and has the stamp of before.
func TestWhatWasRaisedIsNotAhead(t *testing.T) {
	c := unstarted(t)
	a := c.reports(5, "a")
	held := &entitlements.Belief{Snapshot: c.pending.count(acmeKey, callsAt(140, 11, 1), true)}
	held = c.told(acmeKey, held, 155, 20, 2) // 10 of others, and the report
	before := callsShown(held.Snapshot)
	l := c.pending.answer(a, acmeKey, a.lines, []entitlements.Usage{callsUsed(145, 10, 0)}, told)
	c.reports(0.5, "b") // departs in between: what was kept back stays so until this lands
	s := l.along(held.Snapshot, false)
	l.done(false)
	c.pending.landed(&a)
	if got := callsShown(s) - .5; got < before {
		t.Errorf("%v is shown after %v", got, before)
	}
}

// TestWhatAFetchOverruledAtEntryIsGone: as TestWhatAFetchOverruledIsGone, when its customer has left memory, and enters by that fetch.
func TestWhatAFetchOverruledAtEntryIsGone(t *testing.T) {
	inMemory(t, func(c *Client, _ Key, calls Ref, _ func() float64) {
		globex := Key{CustomerID: "globex"}
		c.expect(globex, calls, 1)
		m := c.pending.account(globex).meter(calls)
		m.settled, m.unshown, m.open = 1, 1, 0
		held := &entitlements.Belief{Snapshot: c.pending.count(globex, callsOf(globex, 140), true), AwaitRefresh: true}
		c.told(globex, held, 150, 9, 5)
		// evicted; its account lingers. A fetch that began after the event
		fetched := callsOf(globex, 0).WithUsage(callsUsed(120, 7, 8))
		b, _ := c.running.Load().store.Insert(globex, &entitlements.Belief{Snapshot: fetched})
		if got := callsShown(b.Snapshot); got != 120 {
			t.Errorf("%v is is shown, want the 120 fetched", got)
		}
		d := c.directly([]line{directLine("globex", nil, "api-calls", 1, nil, "key")})
		u := callsUsed(121, 8, 0)
		l := c.pending.answer(d.flight, globex, d.lines, []entitlements.Usage{u}, told)
		if got := callsShown(l.along(b.Snapshot.WithUsage(u), true)); got != 121 {
			t.Errorf("%v is is shown, want 121", got)
		}
		l.done(true)
		d.lines[0].Accepted = 0
		if kept, _, _ := c.pending.landed(&d.flight); len(kept) != 0 {
			t.Errorf("%v is applied again", kept)
		}
	})
}

// TestWhatALaterFetchOverruledIsGone: the same when the first fetch has shown it.
func TestWhatALaterFetchOverruledIsGone(t *testing.T) {
	c := unstarted(t)
	c.expect(acmeKey, callsRef, 1)
	m := c.pending.account(acmeKey).meter(callsRef)
	m.settled, m.unshown, m.open = 1, 1, 0
	held := &entitlements.Belief{Snapshot: c.pending.count(acmeKey, callsOf(acmeKey, 140), true), AwaitRefresh: true}
	held = c.told(acmeKey, held, 150, 9, 9)
	f1 := *held.With(held.Snapshot.WithUsage(callsUsed(141, 7, 8)))
	f1.AwaitRefresh = false
	held = c.pending.guard(acmeKey, held, &f1)
	held = c.pending.guard(acmeKey, held, held.With(held.Snapshot.WithUsage(callsUsed(120, 7, 20)))) // an ordinary fetch
	d := c.directly([]line{directLine("acme", nil, "api-calls", 1, nil, "key")})
	u := callsUsed(121, 8, 0)
	l := c.pending.answer(d.flight, acmeKey, d.lines, []entitlements.Usage{u}, told)
	if got := callsShown(l.along(held.Snapshot.WithUsage(u), true)); got != 121 {
		t.Errorf("%v is is shown, want 121", got)
	}
}

// TestAnAnswerInPlaceOfAnEventOutlivesAnEviction: as TestWhatWasKeptBackOutlivesAnEviction, when a waiting answer has taken its place.
func TestAnAnswerInPlaceOfAnEventOutlivesAnEviction(t *testing.T) {
	inMemory(t, func(c *Client, _ Key, calls Ref, _ func() float64) {
		globex := Key{CustomerID: "globex"}
		report := func(k string) flight {
			c.expect(globex, calls, 1)
			ln := directLine("globex", nil, "api-calls", 1, nil, k)
			return delivery{c}.depart(linesOf([]usage.Line{ln.Line}))
		}
		a := report("a")
		report("b")
		held := &entitlements.Belief{Snapshot: c.pending.count(globex, callsOf(globex, 140), true)}
		held = c.told(globex, held, 160, 5, 9)
		before := callsShown(held.Snapshot)
		c.pending.answer(a, globex, a.lines, []entitlements.Usage{callsUsed(161, 6, 0)}, told).done(true) // waits for b
		c.pending.landed(&a)
		fetched := callsOf(globex, 0).WithUsage(callsUsed(141, 2, 8))
		b, _ := c.running.Load().store.Insert(globex, &entitlements.Belief{Snapshot: fetched})
		if got := callsShown(b.Snapshot); got < before {
			t.Errorf("%v is shown after %v", got, before)
		}
	})
}

// TestWhatWasToldBeforeAnotherDepartedStays: it cannot show that one, and readers have seen it.
func TestWhatWasToldBeforeAnotherDepartedStays(t *testing.T) {
	c := unstarted(t)
	first := c.reports(1, "first")
	held := &entitlements.Belief{Snapshot: c.pending.count(acmeKey, callsOf(acmeKey, 140), true)}
	held = c.told(acmeKey, held, 144, 3, 1) // the first, and three of others
	u := callsUsed(141, 2, 0)
	l := c.pending.answer(first, acmeKey, first.lines, []entitlements.Usage{u}, told)
	c.reports(50, "second")
	before := callsShown(held.Snapshot)
	if got := callsShown(l.along(held.Snapshot.WithUsage(u), true)); got < before {
		t.Errorf("%v is shown after %v", got, before)
	}
}

// TestWhatWasToldBeforeACallDepartedStays: the same when that reports, and waits for the answer.
func TestWhatWasToldBeforeACallDepartedStays(t *testing.T) {
	c := unstarted(t)
	first := c.reports(1, "first")
	held := &entitlements.Belief{Snapshot: c.pending.count(acmeKey, callsOf(acmeKey, 140), true)}
	held = c.told(acmeKey, held, 200, 3, 1) // the first, and 59 of others
	u := callsUsed(141, 2, 0)
	l := c.pending.answer(first, acmeKey, first.lines, []entitlements.Usage{u}, told)
	before := callsShown(held.Snapshot)
	c.directly([]line{directLine("acme", nil, "api-calls", 50, nil, "key")})
	if got := callsShown(l.along(held.Snapshot.WithUsage(u), true)); got < before {
		t.Errorf("%v is shown after %v", got, before)
	}
}

// TestALaterAnswerDoesNotShowWhatCameAfter: a third report came when the fetch remembered no more, and is unshown.
func TestALaterAnswerDoesNotShowWhatCameAfter(t *testing.T) {
	c := unstarted(t)
	c.expect(acmeKey, callsRef, 0) // something open, so that the account stays
	a := c.reports(5, "a")
	l2 := c.pending.answer(a, acmeKey, a.lines, []entitlements.Usage{callsUsed(145, 5, 0)}, told)
	l2.done(true)
	c.pending.landed(&a)
	b := c.reports(3, "b")
	l3 := c.pending.answer(b, acmeKey, b.lines, []entitlements.Usage{callsUsed(148, 6, 0)}, told)
	l3.done(false) // questioned: the flight's memory is full
	c.pending.landed(&b)
	s := l2.along(callsAt(140, 1, 1).WithUsage(callsUsed(145, 5, 9)), true)
	s = c.pending.count(acmeKey, s, true)
	if got := callsShown(s); got != 148 {
		t.Errorf("%v is shown, want 148", got)
	}
}

// TestWhatIsBeingSettledIsNotStruckOff: its customer enters memory, and another of many features is reported, before it has been counted
// anew; of a feature that waited for another of its wallet, too.
func TestWhatIsBeingSettledIsNotStruckOff(t *testing.T) {
	for _, waited := range []bool{false, true} {
		inMemory(t, func(c *Client, _ Key, calls Ref, _ func() float64) {
			globex, e := Key{CustomerID: "globex"}, c.running.Load()
			f, said := c.paid(globex, "api-calls"), callsUsed(145, 5, 0)
			other := flight{}
			if waited {
				other = c.paid(globex, "ai-images")
			}
			for i := range manyMeters {
				c.expect(globex, entitlements.Feature(strconv.Itoa(i)), 1)
			}
			l := c.pending.answer(f, globex, f.lines, []entitlements.Usage{said}, told)
			if waited {
				l.done(true)
				c.pending.landed(&f)
				f, said = other, entitlements.Usage{Ref: entitlements.Feature("ai-images"), Current: 1, UpdatedAt: 6}
				l = c.pending.answer(f, globex, f.lines, []entitlements.Usage{said}, told)
			}
			// Reported: not resident, not in the air. It becomes resident.
			e.store.Insert(globex, &entitlements.Belief{Snapshot: callsOf(globex, 145)})
			l.done(true)
			c.expect(globex, entitlements.Feature("another"), 1) // another goroutine
			e.store.count(globex, true)                          // as settle does
			delivery{c}.landed(f)
			held, _ := e.cache.Peek(globex)
			if ent, _ := held.Belief.Snapshot.Find(calls, 0); ent.PendingUsage() != 0 {
				t.Errorf("waited %v: %v is pending for ever, %v shown", waited, ent.PendingUsage(), ent.CurrentUsage())
			}
		})
	}
}

// TestALossOnItsWayIsNotTakenForAGain: a call reports less while the meter reports more, and Stigg has counted the gain.
func TestALossOnItsWayIsNotTakenForAGain(t *testing.T) {
	c := unstarted(t)
	c.reports(5, "a")
	c.directly([]line{directLine("acme", nil, "api-calls", -5, nil, "key")})
	held := &entitlements.Belief{Snapshot: c.pending.count(acmeKey, callsOf(acmeKey, 140), true)}
	held = c.told(acmeKey, held, 145, 3, 1)
	if got := callsShown(held.Snapshot); got > 145 {
		t.Errorf("%v is shown, and 145 is all there ever was", got)
	}
}

// TestWhoIsRefusedTakesNothingFromWhoWaited: of what is refused no answer has to speak.
func TestWhoIsRefusedTakesNothingFromWhoWaited(t *testing.T) {
	c, wallet := unstarted(t), entitlements.Currency("ai-credits")
	a, b := c.paid(acmeKey, "ai-images"), c.paid(acmeKey, "api-calls")
	said := []entitlements.Usage{{Ref: entitlements.Feature("ai-images"), Current: 5, UpdatedAt: 6}, {Ref: wallet, Current: 5, UpdatedAt: 6}}
	c.pending.answer(a, acmeKey, a.lines, said, told).done(true)
	c.pending.landed(&a)
	l := c.pending.answer(b, acmeKey, b.lines, nil, refused)
	if len(l.usages) != 2 {
		t.Errorf("%v applied: the answer to ai-images is lost", l.usages)
	}
}

// TestWhatIsSettledIsIdle: nothing of it is left to do, and it may be struck off.
func TestWhatIsSettledIsIdle(t *testing.T) {
	c := unstarted(t)
	c.expect(acmeKey, entitlements.Feature("seats"), 1) // so that the account stays
	d := c.directly([]line{directLine("acme", nil, "api-calls", 1, nil, "key")})
	d.answered(answersOf([]ReportedUsage{{CustomerId: "acme", FeatureId: "api-calls", CurrentUsage: new(141.0)}}))
	d.land()
	if m := c.pending.account(acmeKey).meter(callsRef); !m.idle() {
		t.Error("it is not idle")
	}
}
