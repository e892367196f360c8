package main

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	t0    = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	stamp = func(n int) time.Time { return t0.Add(time.Duration(n) * time.Second) }
)

// truth is a log of one key: seats 5 with usage 1, then usage 2, then seats 9, then archived, then a kill, then seats 5 again.
func truth() *judge {
	ks := []entcache.Key{{CustomerID: "acme"}}
	j := newJudge(nil, ks, questions(ks), &budgetCheck{perSecond: 10, burst: 5})
	j.watch([]*reader{{}, {}})
	state := func(index, grant, used int, limit, usage float64) emulator.State {
		return emulator.State{Index: index, At: stamp(max(grant, used)), Stamp: stamp(grant), Snapshot: emulator.Snapshot{Entitlements: []emulator.EntitlementState{{
			FeatureID: "seats", Limit: new(limit), Usage: usage, EntitlementStamp: stamp(grant), UsageStamp: stamp(used), PeriodEnd: stamp(1000),
		}}}}
	}
	l := &j.logs[0]
	l.add(state(0, 1, 1, 5, 1))
	l.add(state(1, 1, 2, 5, 2))
	l.add(state(2, 3, 2, 9, 2))
	l.add(emulator.State{Index: 3, At: stamp(4), Stamp: stamp(4), Snapshot: emulator.Snapshot{AccessDeniedReason: "CustomerIsArchived"}})
	l.killed(stamp(5))
	l.add(state(0, 6, 6, 5, 0))
	return j
}

// saw is what a reader saw of seats.
func saw(grant, used int, limit, usage float64) seen {
	s := seen{question: seatsQuestion(), origin: entcache.Live, at: stamp(20)}
	s.sight = sight{
		exists: true, granted: true, hasLimit: true, limit: limit, stamp: stamp(grant).UnixMilli(), usage: usage, usageStamp: stamp(used).UnixMilli(),
	}
	s.access = usage+1 <= limit
	if !s.access {
		s.reason = entcache.RequestedUsageExceedingLimit
	}
	return s
}

func sawNone(reason entcache.Reason) seen {
	return seen{question: seatsQuestion(), origin: entcache.Live, at: stamp(20), sight: sight{reason: reason}}
}

func seatsQuestion() int {
	for i, s := range subjects {
		if s.id == "seats" {
			return i
		}
	}
	return -1
}

// TestJudgeBites shows the judge what readers saw, and wants each violation found and nothing else.
func TestJudgeBites(t *testing.T) {
	rollover := saw(3, 2, 9, 0)
	rollover.at = stamp(2000)
	wrongVerdict := saw(1, 1, 5, 1)
	wrongVerdict.access = false
	otherLimit := saw(1, 1, 6, 1)
	for _, row := range []struct {
		name string
		saw  []seen
		want string // the kind; empty: none
		says string
	}{
		{"every state in order", []seen{saw(1, 1, 5, 1), saw(1, 2, 5, 2), saw(3, 2, 9, 2), sawNone(entcache.CustomerIsArchived), sawNone(entcache.CustomerNotFound), saw(6, 6, 5, 0)}, "", ""},
		{"some states only", []seen{saw(1, 1, 5, 1), saw(6, 6, 5, 0)}, "", ""},
		{"usage ahead of the grant", []seen{saw(1, 2, 5, 2), saw(1, 2, 5, 2)}, "", ""},
		{"usage of a period that is over", []seen{saw(3, 2, 9, 2), rollover}, "", ""},
		{"an older grant", []seen{saw(3, 2, 9, 2), saw(1, 2, 5, 2)}, regressedGrant, "set 0"},
		{"an older usage", []seen{saw(3, 2, 9, 2), saw(3, 1, 9, 1)}, regressedUsage, "usage 0"},
		{"a grant after it was archived", []seen{sawNone(entcache.CustomerIsArchived), saw(3, 2, 9, 2)}, regressedGrant, "set 1"},
		{"archived after the kill", []seen{saw(6, 6, 5, 0), sawNone(entcache.CustomerIsArchived)}, regressedGrant, "set 2"},
		{"the old life after the new one", []seen{saw(6, 6, 5, 0), saw(3, 2, 9, 2)}, regressedGrant, "set 1"},
		{"a grant that never was", []seen{saw(2, 2, 5, 2)}, wrongValue, "never was a set of this stamp"},
		{"another limit", []seen{otherLimit}, wrongValue, "another limit"},
		{"a usage that never was", []seen{saw(1, 3, 5, 2)}, wrongValue, "never was a usage"},
		{"another usage", []seen{saw(1, 1, 5, 4)}, wrongValue, "was another"},
		{"a usage that is over too early", []seen{saw(3, 2, 9, 0)}, wrongValue, "was another"},
		{"another verdict", []seen{wrongVerdict}, wrongValue, "verdict"},
		{"a reason that never was", []seen{sawNone(entcache.NoActiveSubscription)}, wrongValue, "never was such a set"},
		{"missing from a set that has it", []seen{sawNone(entcache.NoFeatureEntitlementInSubscription)}, wrongValue, "never was such a set"},
	} {
		t.Run(row.name, func(t *testing.T) {
			j := truth()
			for _, s := range row.saw {
				j.judge(0, s)
			}
			j.judge(1, saw(1, 1, 5, 1)) // another reader is as far as it is
			found := 0
			for _, n := range j.counts {
				found += n
			}
			if row.want == "" && found > 0 || row.want != "" && j.counts[row.want] == 0 || !strings.Contains(j.first, row.says) {
				t.Errorf("violations = %v, want %q saying %q\n%s", j.counts, row.want, row.says, j.first)
			}
		})
	}
}

// TestCensusBites: what was replaced longer ago than the bound must not be served any more.
func TestCensusBites(t *testing.T) {
	for _, row := range []struct {
		name        string
		saw         seen
		origin      entcache.Origin
		quiet, live int // seconds
		at          int
		late        bool
	}{
		{"the newest", saw(6, 6, 5, 0), entcache.Live, 7, 7, 100, false},
		{"replaced, and within the bound", saw(3, 2, 9, 2), entcache.Live, 7, 7, 9, false},
		{"replaced, and late", saw(3, 2, 9, 2), entcache.Live, 7, 7, 11, true},
		{"replaced, as stale, before it was live", saw(3, 2, 9, 2), entcache.Stale, 7, 9, 11, false},
		{"replaced, as stale, and late", saw(3, 2, 9, 2), entcache.Stale, 7, 9, 13, true},
		{"usage replaced, and late", saw(6, 2, 5, 2), entcache.Live, 7, 7, 11, true},
		{"gone once, and late", sawNone(entcache.CustomerNotFound), entcache.Live, 7, 7, 11, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			j := truth()
			row.saw.origin, row.saw.at = row.origin, stamp(row.at)
			j.census([]seen{row.saw}, stamp(row.quiet), stamp(row.live), 3*time.Second)
			if got := j.counts[overdue] > 0; got != row.late || len(j.counts) > j.counts[overdue] {
				t.Errorf("violations = %v, want overdue %v\n%s", j.counts, row.late, j.first)
			}
		})
	}
}

func TestBudgetCheckBites(t *testing.T) {
	b := &budgetCheck{perSecond: 10, burst: 5, slack: 100 * time.Millisecond}
	for i := range 16 {
		if problem := b.arrived(t0.Add(time.Duration(i) * time.Millisecond)); problem != "" {
			t.Fatalf("fetch %d: %s, and 5 + 10 + 1 are allowed", i+1, problem)
		}
	}
	if b.arrived(t0.Add(20*time.Millisecond)) == "" {
		t.Error("the 17th fetch of a second went unnoticed")
	}
	b = &budgetCheck{perSecond: 10, burst: 5}
	n := 0
	for at := t0; at.Before(t0.Add(time.Minute)); at = at.Add(98 * time.Millisecond) { // within every second, not within the minute
		n++
		if problem := b.arrived(at); problem != "" {
			if !strings.Contains(problem, "1m0s") {
				t.Errorf("fetch %d: %s, want the minute to be what is exceeded", n, problem)
			}
			return
		}
	}
	t.Errorf("%d fetches in a minute went unnoticed", n)
}
