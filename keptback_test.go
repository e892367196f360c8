package entcache

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/entcache/entcache/entitlements"
	syncer "github.com/entcache/entcache/sync"
	"github.com/entcache/entcache/usage"
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
		if len(kept) != 1 || kept[0].Usage.Current != 145 {
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
		m.keep(entitlements.Usage{Ref: calls, Current: row.used, UpdatedAt: row.stamp, Seq: 9}, 0)
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

// told is a belief of which Stigg has just said something else.
func (c *Client) told(key Key, held *entitlements.Belief, current float64, stamp entitlements.Instant, seq uint64) *entitlements.Belief {
	u := entitlements.Usage{Ref: entitlements.Feature("api-calls"), Current: current, UpdatedAt: stamp, Seq: seq}
	return c.pending.guard(key, held, held.With(held.Snapshot.WithUsage(u)))
}

// TestNothingComesBeforeWhatWasKeptBack: of a call that has landed, what was kept back is applied before anything else that arrives.
// Readers have been shown it; what is older would take it back in between.
func TestNothingComesBeforeWhatWasKeptBack(t *testing.T) {
	inMemory(t, func(c *Client, acme Key, calls Ref, _ func() float64) {
		e := c.running.Load()
		held, _ := e.cache.Peek(acme)
		usage := func(current float64, later time.Duration) entitlements.Usage {
			u, _ := held.Belief.Snapshot.Usage(calls)
			u.Current, u.UpdatedAt = current, u.UpdatedAt.Add(later)
			return u
		}
		other := make(chan struct{})
		e.sync.Overhear(func() []syncer.Overheard {
			go func() {
				defer close(other)
				e.sync.WroteUsage(acme, usage(141, 2*time.Second))
			}()
			for range 10_000 {
				runtime.Gosched()
			}
			select {
			case <-other:
				t.Error("something else came in between")
			default:
			}
			return []syncer.Overheard{{Key: acme, Usage: usage(160, 5*time.Second)}}
		})
		<-other
		if held, _ = e.cache.Peek(acme); callsShown(held.Belief.Snapshot) != 160 {
			t.Errorf("%v is shown, want 160", callsShown(held.Belief.Snapshot))
		}
	})
}

// TestNothingIsLeftOfWhatWasKeptBack when the call that it was kept back for has landed; of a call with several lines it is told once.
func TestNothingIsLeftOfWhatWasKeptBack(t *testing.T) {
	c, acme := unstarted(t), Key{CustomerID: "acme"}
	c.expect(acme, entitlements.Feature("api-calls"), 1) // waits in the queue
	d := c.directly([]line{
		directLine("acme", nil, "api-calls", 1, nil, "one"), directLine("acme", nil, "api-calls", 1, nil, "two"),
	})
	held := &entitlements.Belief{Snapshot: c.pending.count(acme, callsOf(acme, 140), true)}
	c.told(acme, held, 160, 5, 7)
	if kept, _, _ := c.pending.landed(&d.flight); len(kept) != 1 {
		t.Errorf("%v are told, want one", kept)
	}
	if m := c.pending.account(acme).meter(entitlements.Feature("api-calls")); len(m.kept) != 0 {
		t.Errorf("%v is kept back for nobody", m.kept)
	}
}

// TestWhatIsUnshownIsKeptBackFor, also when the call has landed that something was kept back for.
func TestWhatIsUnshownIsKeptBackFor(t *testing.T) {
	c, acme, calls := unstarted(t), Key{CustomerID: "acme"}, entitlements.Feature("api-calls")
	d := c.directly([]line{directLine("acme", nil, "api-calls", 1, nil, "key")})
	held := &entitlements.Belief{Snapshot: c.pending.count(acme, callsOf(acme, 140), true)}
	held = c.told(acme, held, 160, 5, 1)
	c.pending.account(acme).meter(calls).unshown = 3
	c.pending.landed(&d.flight)
	c.told(acme, held, 160, 5, 2) // as when it is applied
	if m := c.pending.account(acme).meter(calls); len(m.kept) != 1 {
		t.Errorf("%v is kept back, want the event of 160", m.kept)
	}
}

// TestWhatAFetchOverruledIsGone: a fetch that began after an event is right, whatever their stamps say, and no later report brings the
// event back.
func TestWhatAFetchOverruledIsGone(t *testing.T) {
	c, acme, calls := unstarted(t), Key{CustomerID: "acme"}, entitlements.Feature("api-calls")
	c.expect(acme, calls, 1)
	m := c.pending.account(acme).meter(calls)
	m.settled, m.unshown, m.open = 1, 1, 0
	held := &entitlements.Belief{Snapshot: c.pending.count(acme, callsOf(acme, 140), true), AwaitRefresh: true}
	held = c.told(acme, held, 150, 9, 5)
	fetched := *held.With(held.Snapshot.WithUsage(entitlements.Usage{Ref: calls, Current: 120, UpdatedAt: 7, Seq: 8}))
	fetched.AwaitRefresh = false
	if held = c.pending.guard(acme, held, &fetched); callsShown(held.Snapshot) != 120 {
		t.Errorf("%v is shown, want the 120 that were fetched", callsShown(held.Snapshot))
	}
	d := c.directly([]line{directLine("acme", nil, "api-calls", 1, nil, "key")})
	u := entitlements.Usage{Ref: calls, Current: 121, UpdatedAt: 8}
	l := c.pending.answer(d.flight, acme, d.lines, []entitlements.Usage{u}, told)
	if got := callsShown(l.along(held.Snapshot.WithUsage(u), true)); got != 121 {
		t.Errorf("%v is shown, want 121", got)
	}
}

// TestWhoDepartedSinceIsNotSeenTwice: while an answer is about to be applied another report departs, and an event comes that may show it.
// What others have used, that readers have been shown, stays.
func TestWhoDepartedSinceIsNotSeenTwice(t *testing.T) {
	acme, calls := Key{CustomerID: "acme"}, entitlements.Feature("api-calls")
	for _, row := range []struct {
		late  bool                 // it enters memory by a fetch, and that is when the answer is applied
		early entitlements.Instant // another event came before the second report departed, of that stamp
	}{{}, {late: true}, {early: 2}, {early: 3}} {
		const others = 3.0
		c := unstarted(t)
		d := delivery{c}
		report := func(key string) flight {
			c.expect(acme, calls, 1)
			ln := directLine("acme", nil, "api-calls", 1, nil, key)
			return d.depart(linesOf([]usage.Line{ln.Line}))
		}
		first := report("first")
		held := &entitlements.Belief{Snapshot: c.pending.count(acme, callsOf(acme, 140), true)}
		answer := entitlements.Usage{Ref: calls, Current: 141, UpdatedAt: 2}
		l := c.pending.answer(first, acme, first.lines, []entitlements.Usage{answer}, told)
		if row.early > 0 {
			held = c.told(acme, held, 140.5, row.early, 1)
		}
		report("second")
		held = c.told(acme, held, 142+others, 3, 1)
		if got := callsShown(held.Snapshot); got != 142+others {
			t.Errorf("%v is shown at first, want %v", got, 142+others)
		}
		if row.late {
			l.done(true)
			c.pending.landed(&first)
		}
		if got := callsShown(l.along(held.Snapshot.WithUsage(answer), true)); got != 142+others {
			t.Errorf("%+v: %v is shown, want %v", row, got, 142+others)
		}
	}
}

// TestWhatWasKeptBackOutlivesAnEviction: the customer leaves memory, and enters by a fetch that was under way before the event came.
func TestWhatWasKeptBackOutlivesAnEviction(t *testing.T) {
	for name, row := range map[string]struct {
		seq   uint64               // place of the fetch; that of the event is 9
		stamp entitlements.Instant // of what was fetched; that of the event is 5
		want  float64
	}{
		"began before": {8, 2, 160},
		"began after: it shows what the event told, if that is still so": {10, 2, 142},
		"began before, and is newer":                                     {8, 6, 142},
	} {
		inMemory(t, func(c *Client, _ Key, calls Ref, _ func() float64) {
			globex := Key{CustomerID: "globex"}
			c.expect(globex, calls, 1)
			ln := directLine("globex", nil, "api-calls", 1, nil, "key")
			delivery{c}.depart(linesOf([]usage.Line{ln.Line}))
			held := &entitlements.Belief{Snapshot: c.pending.count(globex, callsOf(globex, 140), true)}
			held = c.told(globex, held, 160, 5, 9)
			if got := callsShown(held.Snapshot); got != 160 {
				t.Errorf("%v is shown at first, want 160", got)
			}
			fetched := callsOf(globex, 0).WithUsage(entitlements.Usage{Ref: calls, Current: 141, UpdatedAt: row.stamp, Seq: row.seq})
			b, _ := c.running.Load().store.Insert(globex, &entitlements.Belief{Snapshot: fetched})
			if got := callsShown(b.Snapshot); got != row.want {
				t.Errorf("a fetch that %s: %v is shown, want %v", name, got, row.want)
			}
			if m := c.pending.account(globex).meter(calls); len(m.kept) != 1 {
				t.Errorf("a fetch that %s: %v is kept back for the report that is on its way, want the event", name, m.kept)
			}
		})
	}
}
