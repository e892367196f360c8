package syncer

import (
	"testing"
	"time"

	"github.com/entcache/entcache/entitlements"
)

var acme = key{CustomerID: "acme"}

// held is the belief that the rows of the tables begin with: seats at stamp 100, learned at place 10, used 5 as of 1000.
func held() *entitlements.Belief {
	return &entitlements.Belief{
		Snapshot: withSeq(set(acme, used(grant("seats", 100, 10), 5, 1000)), 10), Newest: 100, GrantSeq: 10,
		Generation: 1, ConfirmedAt: 1, Told: true,
	}
}

func withSeq(s *entitlements.Snapshot, seq uint64) *entitlements.Snapshot {
	for e := range s.All(0) {
		u, _ := s.Usage(e.Ref())
		u.Seq = seq
		s = s.WithUsage(u)
	}
	return s
}

func edit(b *entitlements.Belief, f func(*entitlements.Belief)) *entitlements.Belief { f(b); return b }

// A state from before the stream began may have been followed by others that nobody told of: it does not make a key Live.
func TestLateEventClaimsNoGeneration(t *testing.T) {
	a := arrival{seq: 20, generation: 2, since: 1_000_300, at: 1_000_400, lag: 1_000_000}
	for stamp, want := range map[instant]uint64{200: 1, 301: 2} {
		got, v := applySet(held(), set(acme, grant("seats", stamp, 20)), &a)
		if v != advanced || limitOf(got, "seats") != 20 || got.Generation != want {
			t.Errorf("stamp %d: verdict %d, limit %v, generation %d; want the news taken and generation %d", stamp, v, limitOf(got, "seats"), got.Generation, want)
		}
	}
	if got, v := applySet(held(), set(acme, used(grant("seats", 100, 10), 5, 1000)), &a); v != confirmed || got.Generation != 1 {
		t.Errorf("a late duplicate: verdict %d, generation %d; want it to claim nothing", v, got.Generation)
	}
}

// Nobody can tell when what such a stamp stamps was so.
func TestStampsThatAreNoMomentsConfirmNothing(t *testing.T) {
	a := arrival{seq: 20, generation: 2, since: 1_000_300, at: 1_000_400, lag: noLag}
	for stamp, want := range map[instant]verdict{100: confirmed, 101: advanced} {
		got, v := applySet(held(), set(acme, used(grant("seats", stamp, 10), 5, 1000)), &a)
		if v != want || got.Generation != 1 || got.ConfirmedAt != 1 {
			t.Errorf("stamp %d: verdict %d, generation %d, confirmed at %d; want %d, and 1 and 1 as before", stamp, v, got.Generation, got.ConfirmedAt, want)
		}
	}
}

// A fetch overrules what was learned before it began, so what arrives remembers its place in the order.
func TestUsageThatArrivesDuringAFetchIsNotOverruledByIt(t *testing.T) {
	b := held()
	arrived := arrival{seq: 20, generation: 2, at: 3}
	said := used(grant("seats", 101, 10), 7, 1002)
	byUsage, _ := applyUsage(b, &entitlements.Usage{Ref: entitlements.Feature("seats"), Current: 7, UpdatedAt: 1002}, arrived.seq, false)
	bySet, _ := applySet(b, set(acme, said), &arrived)
	byFetch := firstBelief(set(acme, said), 0, 0, arrived)
	for by, b := range map[string]*entitlements.Belief{"a usage": byUsage, "a set": bySet, "a fetch": byFetch} {
		for began, want := range map[uint64]float64{15: 7, 25: 6} {
			answer := set(acme, used(grant("seats", 101, 10), 6, 1001))
			if got, _ := applyAnswer(b, answer, arrival{seq: began, generation: 2, at: 2}); usageOf(got, "seats") != want {
				t.Errorf("%s at 20, and a fetch that began at %d: usage %v, want %v", by, began, usageOf(got, "seats"), want)
			}
		}
	}
}

// What a first fetch brought is news for the customer's resources when the first event tells of it, and only then.
func TestFirstEventAfterAFetchReveals(t *testing.T) {
	s := set(acme, used(grant("seats", 100, 10), 5, 1000))
	b := firstBelief(s, 0, 0, arrival{seq: 10, generation: 2, at: 2})
	for n, want := range []verdict{revealed, confirmed} {
		var v verdict
		if b, v = applySet(b, s, &arrival{seq: 20 + uint64(n), generation: 2, at: 3}); v != want {
			t.Errorf("event %d: verdict %d, want %d", n, v, want)
		}
	}
	changed := set(acme, grant("seats", 200, 20))
	if b, v := applyAnswer(b, changed, arrival{seq: 30, generation: 2, at: 4}); v != advanced || !b.Told {
		t.Errorf("a fetch that finds a change: verdict %d, told %v; want that it is told at once", v, b.Told)
	} else if _, v := applySet(b, changed, &arrival{seq: 31, generation: 2, at: 5}); v != confirmed {
		t.Errorf("its event: verdict %d, want a confirmation: it has been told", v)
	}
}

func TestEventsOfSets(t *testing.T) {
	at := arrival{seq: 20, generation: 2, at: 2}
	for _, row := range []struct {
		name    string
		held    *entitlements.Belief
		event   *entitlements.Snapshot
		verdict verdict
		limit   float64 // of seats afterwards; -1 when it is gone
		usage   float64
		suspect bool
		await   bool
		newest  instant
		lag     time.Duration
	}{
		{name: "rule 2: a newer stamp replaces", event: set(acme, grant("seats", 200, 20)), verdict: advanced, limit: 20, usage: 5, newest: 200},
		{name: "rule 2: a newer stamp removes", event: set(acme, grant("other", 200, 1)), verdict: advanced, limit: -1, usage: -1, newest: 200},
		{name: "rule 2: a newer stamp brings its newer usage", event: set(acme, used(grant("seats", 200, 20), 7, 2000)), verdict: advanced, limit: 20, usage: 7, newest: 200},
		{name: "rule 5: a newer set does not bring an older usage", event: set(acme, used(grant("seats", 200, 20), 3, 500)), verdict: advanced, limit: 20, usage: 5, newest: 200},
		{name: "rule 5: a newer set with a tied usage", event: set(acme, used(grant("seats", 200, 20), 3, 1000)), verdict: advanced, limit: 20, usage: 5, newest: 200, suspect: true, await: true},
		{name: "rule 2: the same confirms", event: set(acme, used(grant("seats", 100, 10), 5, 1000)), verdict: confirmed, limit: 10, usage: 5, newest: 100},
		{name: "rule 2: a duplicate changes nothing, with a newer usage brings it", event: set(acme, used(grant("seats", 100, 10), 6, 1001)), verdict: confirmed, limit: 10, usage: 6, newest: 100},
		{name: "rule 5: the same with a tied usage", event: set(acme, used(grant("seats", 100, 10), 6, 1000)), verdict: questioned, limit: 10, usage: 5, newest: 100, suspect: true, await: true},
		{name: "rule 3: an older stamp", event: set(acme, grant("seats", 50, 5)), verdict: questioned, limit: 10, usage: 5, newest: 100, suspect: true},
		{name: "rule 3: a removal of the newest", event: set(acme, grant("other", 90, 5)), verdict: questioned, limit: 10, usage: 5, newest: 100, suspect: true},
		{name: "rule 3: the same stamp and another content", event: set(acme, grant("seats", 100, 11)), verdict: questioned, limit: 10, usage: 5, newest: 100, suspect: true},
		{name: "rule 3: the same stamp and one more", event: set(acme, grant("seats", 100, 10), grant("other", 100, 1)), verdict: questioned, limit: 10, usage: 5, newest: 100, suspect: true},
		{name: "rule 3: the same stamp and another reason", event: entitlements.NewSnapshot(acme, "Archived", []entitlements.Grant{grant("seats", 100, 10)}), verdict: questioned, limit: 10, usage: 5, newest: 100, suspect: true},
		{name: "rule 3: no stamp", event: set(acme, grant("seats", 0, 11)), verdict: questioned, limit: 10, usage: 5, newest: 100, suspect: true},
		{name: "rule 3: an empty set", event: set(acme), verdict: questioned, limit: 10, usage: 5, newest: 100, suspect: true},
		{
			name:  "rule 2: newer by its stamp, and from before the set that is held arrived",
			held:  edit(held(), func(b *entitlements.Belief) { b.LearnedAt = 1_000_200 }),
			event: set(acme, grant("seats", 200, 20)), lag: 1_000_000, verdict: questioned, limit: 10, usage: 5, newest: 100, suspect: true,
		},
		{
			name:  "rule 2: newer by its stamp, and from after the set that is held arrived",
			held:  edit(held(), func(b *entitlements.Belief) { b.LearnedAt = 1_000_199 }),
			event: set(acme, grant("seats", 200, 20)), lag: 1_000_000, verdict: advanced, limit: 20, usage: 5, newest: 200,
		},
		{
			name:  "rule 2: newer than the set and older than the newest ever held",
			held:  edit(held(), func(b *entitlements.Belief) { b.Newest = 300 }),
			event: set(acme, grant("seats", 200, 20)), verdict: questioned, limit: 10, usage: 5, newest: 300, suspect: true,
		},
		{
			name:  "rule 3: news do not answer a question that is open",
			held:  edit(held(), func(b *entitlements.Belief) { b.Suspect, b.AwaitRefresh, b.QuestionSeq = true, true, 15 }),
			event: set(acme, grant("seats", 200, 20)), verdict: advanced, limit: 20, usage: 5, newest: 200, suspect: true, await: true,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := row.held
			if b == nil {
				b = held()
			}
			before := *b
			at := at
			at.lag = row.lag
			got, v := applySet(b, row.event, &at)
			if *b != before {
				t.Error("the belief that was held has been changed in place")
			}
			if v != row.verdict || limitOf(got, "seats") != row.limit || usageOf(got, "seats") != row.usage ||
				got.Suspect != row.suspect || got.AwaitRefresh != row.await || got.Newest != row.newest {
				t.Errorf("verdict %d limit %v usage %v suspect %v await %v newest %d; want %+v", v, limitOf(got, "seats"), usageOf(got, "seats"), got.Suspect, got.AwaitRefresh, got.Newest, row)
			}
			switch v {
			case advanced, confirmed:
				confirmed := instant(2)
				if got.QuestionSeq == 20 { // a usage that cannot be ordered: not all of it is confirmed
					confirmed = 1
				}
				if got.Generation != 2 || got.ConfirmedAt != confirmed {
					t.Errorf("generation %d, confirmed at %d; want that of the arrival, 2, and %d", got.Generation, got.ConfirmedAt, confirmed)
				}
			case questioned:
				if got.QuestionSeq != 20 || got.ConfirmedAt != 1 || (!row.await && got.Generation != 1) {
					t.Errorf("question at %d, generation %d, confirmed at %d; want 20, and 1 and 1: nothing was confirmed", got.QuestionSeq, got.Generation, got.ConfirmedAt)
				}
			}
			// Once more changes nothing that a reader sees.
			twice, _ := applySet(got, row.event, &arrival{seq: 21, generation: 2, at: 3})
			if limitOf(twice, "seats") != row.limit || usageOf(twice, "seats") != row.usage || twice.Newest != row.newest {
				t.Errorf("applied twice: limit %v usage %v newest %d; want as after once", limitOf(twice, "seats"), usageOf(twice, "seats"), twice.Newest)
			}
		})
	}
}

func TestUsageHasItsOwnClock(t *testing.T) {
	seats := entitlements.Feature("seats")
	period := func(b *entitlements.Belief) {
		b.Snapshot = b.Snapshot.WithUsage(entitlements.Usage{Ref: seats, Current: 5, UpdatedAt: 1000, PeriodStart: 900, PeriodEnd: 1900, Seq: 10})
	}
	wallet := func(b *entitlements.Belief) {
		b.Snapshot = set(acme, entitlements.Grant{Kind: entitlements.KindCredit, ID: "seats", CurrentUsage: 5, UsageUpdatedAt: 1000, EntitlementUpdatedAt: 100})
	}
	for _, row := range []struct {
		name    string
		held    func(*entitlements.Belief)
		usage   entitlements.Usage
		own     bool
		verdict verdict
		want    float64
		await   bool
	}{
		{name: "strictly newer wins", usage: entitlements.Usage{Current: 6, UpdatedAt: 1001}, verdict: advanced, want: 6},
		{name: "newer and lower wins", usage: entitlements.Usage{Current: 1, UpdatedAt: 1001}, verdict: advanced, want: 1},
		{name: "older changes nothing", usage: entitlements.Usage{Current: 4, UpdatedAt: 999}, verdict: unchanged, want: 5},
		{name: "the same is idempotent", usage: entitlements.Usage{Current: 5, UpdatedAt: 1000}, verdict: confirmed, want: 5},
		{name: "a tie waits for a fetch", usage: entitlements.Usage{Current: 6, UpdatedAt: 1000}, verdict: questioned, want: 5, await: true},
		{name: "no stamp waits for a fetch", usage: entitlements.Usage{Current: 6}, verdict: questioned, want: 5, await: true},
		{name: "an own answer that is newer wins", usage: entitlements.Usage{Current: 6, UpdatedAt: 1001}, own: true, verdict: advanced, want: 6},
		{name: "an own answer that is behind waits for a fetch", usage: entitlements.Usage{Current: 4, UpdatedAt: 999}, own: true, verdict: questioned, want: 5, await: true},
		{name: "a new period wins over the same stamp", held: period, usage: entitlements.Usage{Current: 1, UpdatedAt: 1000, PeriodStart: 1900, PeriodEnd: 2900}, verdict: advanced, want: 1},
		{name: "an old period loses with the same stamp", held: period, usage: entitlements.Usage{Current: 9, UpdatedAt: 1000, PeriodStart: 100, PeriodEnd: 900}, verdict: unchanged, want: 5},
		{name: "a later period with an older stamp is a question", held: period, usage: entitlements.Usage{Current: 1, UpdatedAt: 990, PeriodStart: 1900, PeriodEnd: 2900}, verdict: questioned, want: 5, await: true},
		{name: "an earlier period with a newer stamp is a question", held: period, usage: entitlements.Usage{Current: 9, UpdatedAt: 2000, PeriodStart: 100, PeriodEnd: 900}, verdict: questioned, want: 5, await: true},
		{name: "a period that only one side knows decides nothing", held: period, usage: entitlements.Usage{Current: 6, UpdatedAt: 1001}, verdict: advanced, want: 6},
		{name: "the same period and stamp with another end is a tie", held: period, usage: entitlements.Usage{Current: 5, UpdatedAt: 1000, PeriodStart: 900, PeriodEnd: 2000}, verdict: questioned, want: 5, await: true},
		{name: "of an entitlement that is not held", held: func(b *entitlements.Belief) { b.Snapshot = set(acme, grant("other", 100, 1)) }, usage: entitlements.Usage{Current: 6, UpdatedAt: 1001}, verdict: questioned, want: -1},
		{name: "own, of an entitlement that is not held", held: func(b *entitlements.Belief) { b.Snapshot = set(acme, grant("other", 100, 1)) }, usage: entitlements.Usage{Current: 6, UpdatedAt: 1001}, own: true, verdict: questioned, want: -1, await: true},
		{name: "of a wallet: not the feature of the same name", held: wallet, usage: entitlements.Usage{Ref: entitlements.Currency("seats"), Current: 6, UpdatedAt: 1001}, verdict: advanced, want: 6},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := held()
			if row.held != nil {
				row.held(b)
			}
			u := row.usage
			if u.Ref.ID == "" {
				u.Ref = seats
			}
			got, v := applyUsage(b, &u, 20, row.own)
			current := -1.0
			if x, ok := got.Snapshot.Usage(u.Ref); ok {
				current = x.Current
			}
			if v != row.verdict || current != row.want || got.AwaitRefresh != row.await || got.Suspect != (v == questioned) {
				t.Errorf("verdict %d usage %v await %v suspect %v; want %+v", v, current, got.AwaitRefresh, got.Suspect, row)
			}
			if got.Generation != 1 || got.ConfirmedAt != 1 || got.Newest != 100 || got.GrantSeq != 10 {
				t.Errorf("a usage touched the grants' standing: %+v", got)
			}
		})
	}
}

func TestFetches(t *testing.T) {
	question := func(seq uint64) func(*entitlements.Belief) {
		return func(b *entitlements.Belief) { b.Suspect, b.AwaitRefresh, b.QuestionSeq = true, true, seq }
	}
	for _, row := range []struct {
		name    string
		held    func(*entitlements.Belief)
		began   uint64
		answer  *entitlements.Snapshot
		verdict verdict
		limit   float64
		usage   float64
		suspect bool
		newest  instant
		gen     uint64
	}{
		{name: "later than everything: newer", began: 20, answer: set(acme, grant("seats", 200, 20)), verdict: advanced, limit: 20, usage: 0, newest: 200, gen: 2},
		{name: "later than everything: an older stamp, so something was removed", began: 20, answer: set(acme, used(grant("seats", 50, 1), 2, 500)), verdict: advanced, limit: 1, usage: 2, newest: 100, gen: 2},
		{name: "later than everything: a tie", began: 20, answer: set(acme, used(grant("seats", 100, 7), 6, 1000)), verdict: advanced, limit: 7, usage: 6, newest: 100, gen: 2},
		{name: "later than everything: empty", began: 20, answer: set(acme), verdict: advanced, limit: -1, usage: -1, newest: 100, gen: 2},
		{name: "later than everything: no such customer", began: 20, answer: entitlements.NewSnapshot(acme, entitlements.CustomerNotFound, nil), verdict: advanced, limit: -1, usage: -1, newest: 100, gen: 2},
		{name: "answers a question put before it began", held: question(15), began: 20, answer: set(acme, grant("seats", 100, 10)), verdict: confirmed, limit: 10, newest: 100, gen: 2},
		{name: "does not answer a question put after it began", held: question(25), began: 20, answer: set(acme, grant("seats", 100, 10)), verdict: confirmed, limit: 10, suspect: true, newest: 100, gen: 2},
		{
			name: "keeps a usage that arrived while it was in the air", held: func(b *entitlements.Belief) {
				b.Snapshot = b.Snapshot.WithUsage(entitlements.Usage{Ref: entitlements.Feature("seats"), Current: 8, UpdatedAt: 2000, Seq: 25})
			}, began: 20, answer: set(acme, used(grant("seats", 200, 20), 6, 1500)), verdict: advanced, limit: 20, usage: 8, newest: 200, gen: 2,
		},
		{
			name: "asks again about a usage that arrived while it was in the air, as new and different", held: func(b *entitlements.Belief) {
				b.Snapshot = b.Snapshot.WithUsage(entitlements.Usage{Ref: entitlements.Feature("seats"), Current: 8, UpdatedAt: 2000, Seq: 25})
			}, began: 20, answer: set(acme, used(grant("seats", 200, 20), 9, 2000)), verdict: advanced, limit: 20, usage: 8, suspect: true, newest: 200, gen: 2,
		},
		{
			name: "overtaken: the grants are dropped, the newer usage is not", held: func(b *entitlements.Belief) { b.GrantSeq = 25 },
			began: 20, answer: set(acme, used(grant("seats", 50, 3), 7, 1500)), verdict: overtaken, limit: 10, usage: 7, newest: 100, gen: 1,
		},
		{
			name: "overtaken, with a newer stamp: dropped, and a question", held: func(b *entitlements.Belief) { b.GrantSeq = 25 },
			began: 20, answer: set(acme, grant("seats", 200, 20)), verdict: overtaken, limit: 10, usage: 0, suspect: true, newest: 100, gen: 1,
		},
		{
			name: "overtaken, with a tied usage: a question", held: func(b *entitlements.Belief) {
				b.GrantSeq = 25
				b.Snapshot = withSeq(b.Snapshot, 25)
			}, began: 20, answer: set(acme, used(grant("seats", 50, 3), 7, 1000)), verdict: overtaken, limit: 10, usage: 5, suspect: true, newest: 100, gen: 1,
		},
		{
			name: "differs from what an event confirmed since: dropped, and a question", held: func(b *entitlements.Belief) { b.ConfirmSeq = 25 },
			began: 20, answer: set(acme), verdict: overtaken, limit: 10, usage: 5, suspect: true, newest: 100, gen: 1,
		},
		{
			name: "differs from what an event confirmed before it began", held: func(b *entitlements.Belief) { b.ConfirmSeq = 15 },
			began: 20, answer: set(acme), verdict: advanced, limit: -1, usage: -1, newest: 100, gen: 2,
		},
		{
			name: "claims no more than the generation it began in", held: func(b *entitlements.Belief) { b.Generation = 3 },
			began: 20, answer: set(acme, grant("seats", 200, 20)), verdict: advanced, limit: 20, newest: 200, gen: 2,
		},
		{
			name: "the same as an event confirmed since: keeps that confirmation", held: func(b *entitlements.Belief) { b.Generation = 3 },
			began: 20, answer: set(acme, grant("seats", 100, 10)), verdict: confirmed, limit: 10, newest: 100, gen: 3,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := held()
			if row.held != nil {
				row.held(b)
			}
			got, v := applyAnswer(b, row.answer, arrival{seq: row.began, generation: 2, at: 2})
			if v != row.verdict || limitOf(got, "seats") != row.limit || usageOf(got, "seats") != row.usage || got.Suspect != row.suspect || got.Newest != row.newest || got.Generation != row.gen {
				t.Errorf("verdict %d limit %v usage %v suspect %v newest %d generation %d; want %+v", v, limitOf(got, "seats"), usageOf(got, "seats"), got.Suspect, got.Newest, got.Generation, row)
			}
			if !got.Suspect && got.AwaitRefresh {
				t.Error("awaits a refresh, and is not suspect")
			}
			if got.Suspect { // whatever the question, the next fetch answers it
				next, v := applyAnswer(got, row.answer, arrival{seq: 30, generation: 2, at: 3})
				if next.Suspect || next.AwaitRefresh || v == overtaken {
					t.Errorf("the next fetch: verdict %d suspect %v await %v; want it to decide", v, next.Suspect, next.AwaitRefresh)
				}
			}
		})
	}
}

func TestFirstBeliefRemembersTheNewestOfAnEarlierResidence(t *testing.T) {
	b := firstBelief(set(acme, grant("seats", 50, 1)), 100, 0, arrival{seq: 20, generation: 2, at: 2})
	if b.Newest != 100 || b.GrantSeq != 20 || b.Generation != 2 || b.Suspect {
		t.Fatalf("firstBelief = %+v; want newest 100, learned at 20", b)
	}
	if _, v := applySet(b, set(acme, grant("seats", 90, 9)), &arrival{seq: 21}); v != questioned {
		t.Errorf("a late event older than what was held before the eviction: verdict %d, want a question", v)
	}
}

func TestExpiryAsksSoonButNotForEver(t *testing.T) {
	at := entitlements.InstantOf(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))
	for _, row := range []struct {
		name        string
		until, want instant
	}{
		{"no moment", 0, 0},
		{"ahead", at.Add(time.Hour), at.Add(time.Hour)},
		{"now", at, at.Add(5 * time.Second)},
		{"just passed: the server is behind", at.Add(-time.Second), at.Add(5 * time.Second)},
		{"passed a minute ago: the server will not recalculate", at.Add(-time.Minute), 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := grant("seats", 1, 1)
			g.ValidUntil = row.until
			if got := expiry(set(acme, g), at); got != row.want {
				t.Errorf("expiry = %v, want %v", got, row.want)
			}
		})
	}
}
