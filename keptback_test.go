package entcache

import (
	"slices"
	"testing"

	"github.com/entcache/entcache/entitlements"
)

// TestWhatIsKeptBackAndCannotBeOrderedIsFetched: several reports are counted at one millisecond, and an event of one of the first comes
// again while another is on its way. Which is the newer is not to be told; so nobody sees the usage go back, and a fetch decides.
func TestWhatIsKeptBackAndCannotBeOrderedIsFetched(t *testing.T) {
	acme, calls := Key{CustomerID: "acme"}, entitlements.Feature("api-calls")
	for name, row := range map[string]struct {
		events  []float64            // the usage of each, all of stamp 3
		answer  entitlements.Instant // the stamp of what the report led to
		unclear bool
	}{
		"one":                      {[]float64{145}, 2, false},
		"one that comes twice":     {[]float64{145, 145}, 2, false},
		"an old one comes again":   {[]float64{142, 145, 142}, 2, true},
		"one as new as the answer": {[]float64{145}, 3, true},
	} {
		c := unstarted(t)
		d := c.directly([]line{directLine("acme", nil, "api-calls", 1, nil, "key")})
		held := &entitlements.Belief{Snapshot: c.pending.count(acme, callsOf(acme, 140), true)}
		shown := callsShown(held.Snapshot)
		see := func(s *Snapshot) {
			t.Helper()
			if got := callsShown(s); got < shown {
				t.Errorf("%s: %v is shown after %v", name, got, shown)
			}
			shown = callsShown(s)
		}
		for i, used := range row.events {
			next := held.With(held.Snapshot.WithUsage(entitlements.Usage{Ref: calls, Current: used, UpdatedAt: 3, Seq: uint64(i + 1)}))
			held = c.pending.guard(acme, held, next)
			see(held.Snapshot)
		}
		answer := entitlements.Usage{Ref: calls, Current: 141, UpdatedAt: row.answer}
		l := c.pending.answer(d.flight, acme, d.lines, []entitlements.Usage{answer}, told)
		see(l.along(held.Snapshot.WithUsage(answer), true))
		if shown != 145 {
			t.Errorf("%s: %v is shown in the end, want 145", name, shown)
		}
		l.done(true)
		kept, unclear, _ := c.pending.landed(&d.flight)
		if len(kept) != 1 || kept[0].usage.Current != 145 {
			t.Errorf("%s: %v was kept back, want the event of 145", name, kept)
		}
		if got := slices.Contains(unclear, acme); got != row.unclear {
			t.Errorf("%s: a fetch has to decide: %v, want %v", name, got, row.unclear)
		}
	}
}

// TestAnEventAsNewAsAFetchIsFetchedAgain: a fetch shows what was unshown, and an event came while it was on its way.
func TestAnEventAsNewAsAFetchIsFetchedAgain(t *testing.T) {
	acme, calls := Key{CustomerID: "acme"}, entitlements.Feature("api-calls")
	for name, row := range map[string]struct {
		stamp entitlements.Instant
		used  float64
		want  float64
		again bool
	}{
		"older":               {1, 150, 141, false},
		"the same":            {2, 141, 141, false},
		"as new, and another": {2, 150, 141, true},
		"newer":               {3, 150, 150, false},
	} {
		c := unstarted(t)
		c.pending.add(acme, calls, 1)
		m := c.pending.account(acme).meter(calls)
		m.settled, m.unshown = 1, 1
		m.keep(entitlements.Usage{Ref: calls, Current: row.used, UpdatedAt: row.stamp, Seq: 9})
		held := &entitlements.Belief{Snapshot: c.pending.count(acme, callsOf(acme, 140), true), AwaitRefresh: true, Suspect: true}
		fetched := &entitlements.Belief{Snapshot: held.Snapshot.WithUsage(entitlements.Usage{Ref: calls, Current: 141, UpdatedAt: 2, Seq: 8})}
		next := c.pending.guard(acme, held, fetched)
		if got := callsShown(next.Snapshot); got != row.want {
			t.Errorf("%s: %v is shown, want %v", name, got, row.want)
		}
		if next.AwaitRefresh != row.again || next.Suspect != row.again {
			t.Errorf("%s: the next read waits for a fetch: %v, want %v", name, next.AwaitRefresh, row.again)
		}
	}
}

// TestOfSeveralAnswersTheLatestCounts: those of one call are in the order in which Stigg counted them; those of several are ordered by
// their stamps, or not at all.
func TestOfSeveralAnswersTheLatestCounts(t *testing.T) {
	calls, seats := entitlements.Feature("api-calls"), entitlements.Feature("seats")
	used := func(ref Ref, n float64, at entitlements.Instant) entitlements.Usage {
		return entitlements.Usage{Ref: ref, Current: n, UpdatedAt: at}
	}
	var call []entitlements.Usage
	for _, next := range []entitlements.Usage{used(calls, 1, 5), used(seats, 7, 5), used(calls, 2, 5), used(calls, 3, 6), used(seats, 8, 5)} {
		call = follow(call, []entitlements.Usage{next})
	}
	if want := []entitlements.Usage{used(calls, 3, 6), used(seats, 8, 5)}; !slices.Equal(call, want) {
		t.Errorf("one call says %v, want %v", call, want)
	}
	several := []entitlements.Usage{used(calls, 3, 6), used(calls, 2, 5), used(seats, 8, 5), used(seats, 9, 5), used(calls, 4, 0)}
	want := []entitlements.Usage{used(calls, 3, 6), used(seats, 8, 5), used(seats, 9, 5), used(calls, 4, 0)}
	if got := latest(several); !slices.Equal(got, want) {
		t.Errorf("several calls say %v, want %v: two that are equally new, and one without a stamp, are a question", got, want)
	}
}
