package syncer

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/entcache/entcache/entitlements"
)

// twenty is a set of twenty metered entitlements, all of that stamp.
func twenty(k key, stamp instant) *entitlements.Snapshot {
	list := make([]entitlements.Grant, 20)
	for i := range list {
		list[i] = used(grant(fmt.Sprintf("feature-%02d", i), stamp, 1000), float64(i), stamp)
	}
	return set(k, list...)
}

// holdsTwenty is a syncer that follows a stream and holds twenty of acme, as of stamp 1.
func holdsTwenty(tb testing.TB) *Syncer {
	tb.Helper()
	store := newMemory()
	s, err := New(Config{Source: newServer(), Store: store})
	if err != nil {
		tb.Fatal(err)
	}
	s.newGeneration()
	store.Insert(acme, firstBelief(twenty(acme, 1), 0, 0, s.arrive()))
	return s
}

// holdTenThousand makes the heap that of a process which has had ten thousand customers of twenty for a while. The collector runs as
// often as it would there: with one customer it runs every few thousand events, and what is measured is mostly its own fixed costs. And
// the heap has grown as far as the collector lets it: a page that is new from the kernel costs as much as ten events, once.
func holdTenThousand(b *testing.B) {
	customers := make([]*entitlements.Belief, 10_000)
	for i := range customers {
		customers[i] = firstBelief(twenty(key{CustomerID: fmt.Sprintf("customer-%d", i)}, 1), 0, 0, arrival{seq: 1})
	}
	b.Cleanup(func() { runtime.KeepAlive(customers) })
	for range 400_000 { // as many bytes as the collector lets gather, twice and more
		customers[0] = customers[0].WithFigures(0, &entitlements.Figures{})
	}
}

// BenchmarkApplySet is a decoded event with a full set of twenty, until readers see it. Sets are made a few at a time: one that has just
// been decoded is in the processor's cache.
func BenchmarkApplySet(b *testing.B) {
	holdTenThousand(b)
	s := holdsTwenty(b)
	sets := make([]*entitlements.Snapshot, 128)
	e := entitlements.Event{Kind: entitlements.EventEntitlements, Key: acme}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%len(sets) == 0 {
			b.StopTimer()
			for j := range sets {
				sets[j] = twenty(acme, instant(2+i+j))
			}
			b.StartTimer()
		}
		e.Snapshot = sets[i%len(sets)]
		s.handle(&e)
	}
	if n := s.Stats().Advanced; n == 0 || s.Stats().Questions > 0 {
		b.Fatalf("%+v", s.Stats())
	}
}

// BenchmarkApplyUsage is a decoded event with the usage of one of twenty. To fill in the event is the decoder's part.
func BenchmarkApplyUsage(b *testing.B) {
	holdTenThousand(b)
	s := holdsTwenty(b)
	e := entitlements.Event{Kind: entitlements.EventUsage, Key: acme, Usage: entitlements.Usage{Ref: entitlements.Feature("feature-13"), UpdatedAt: 1}}
	b.ReportAllocs()
	for b.Loop() {
		e.Usage.Current++
		e.Usage.UpdatedAt++
		s.handle(&e)
	}
	if n := s.Stats().Advanced; n == 0 || s.Stats().Questions > 0 {
		b.Fatalf("%+v", s.Stats())
	}
}

// TestWhatAnEventAllocates: a belief together with its snapshot and what differs of its figures, and with a set its records; nothing when
// it brings nothing.
func TestWhatAnEventAllocates(t *testing.T) {
	s := holdsTwenty(t)
	const runs = 100
	u := entitlements.Usage{Ref: entitlements.Feature("feature-13"), UpdatedAt: 1}
	use := func() { s.handle(&entitlements.Event{Kind: entitlements.EventUsage, Key: acme, Usage: u}) }
	refs := make([]entitlements.Ref, 20)
	for i := range refs {
		refs[i] = entitlements.Feature(fmt.Sprintf("feature-%02d", i))
	}
	sets := make([]*entitlements.Snapshot, runs+1) // one more, to warm up
	for i := range sets {
		sets[i] = twenty(acme, instant(1000+i))
	}
	for _, row := range []struct {
		event string
		want  float64
		apply func()
	}{
		{"of a feature's usage", 1, func() { u.UpdatedAt++; use() }},
		{"of a usage that is held already", 0, use},
		{"of one feature after the other", 1, func() { u.UpdatedAt++; u.Ref = refs[u.UpdatedAt%20]; use() }},
		{"with a set", 2, func() {
			s.handle(&entitlements.Event{Kind: entitlements.EventEntitlements, Key: acme, Snapshot: sets[0]})
			sets = sets[1:]
		}},
	} {
		before := s.Stats().Questions
		if got := testing.AllocsPerRun(runs, row.apply); got != row.want || s.Stats().Questions != before {
			t.Errorf("an event %s makes %v allocations, want %v; %d questions", row.event, got, row.want, s.Stats().Questions-before)
		}
	}
}

// TestNothingIsHeldOfAnArrival once it is applied: of a customer who is not in memory, nothing stays.
func TestNothingIsHeldOfAnArrival(t *testing.T) {
	s := holdsTwenty(t)
	stranger := key{CustomerID: "stranger"}
	s.handle(&entitlements.Event{Kind: entitlements.EventEntitlements, Key: stranger, Snapshot: twenty(stranger, 5)})
	s.Reported(stranger, []entitlements.Usage{{Ref: entitlements.Feature("feature-13")}}, func(set *entitlements.Snapshot, _ bool) *entitlements.Snapshot { return set })
	if in := s.ledger.taking.in; in.set != nil || in.usages != nil || in.along != nil {
		t.Errorf("%+v is held", in)
	}
}
