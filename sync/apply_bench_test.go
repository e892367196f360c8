package syncer

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/entcache/entcache/entitlements"
)

// twentyHeld is a belief about twenty metered entitlements, and what an event says that changes them all. The heap is that of a process
// with ten thousand such customers, so that the collector runs as often as it would there: with one customer it runs every few thousand
// events, and its own fixed costs are what is measured.
func twentyHeld(b *testing.B) (*Syncer, func(stamp instant) *entitlements.Snapshot) {
	b.Helper()
	store := newMemory()
	s, err := New(Config{Source: newServer(), Store: store})
	if err != nil {
		b.Fatal(err)
	}
	s.newGeneration()
	list := make([]entitlements.Grant, 20)
	of := func(k key, stamp instant) *entitlements.Snapshot {
		for i := range list {
			list[i] = used(grant(fmt.Sprintf("feature-%02d", i), stamp, 1000), float64(i), stamp)
		}
		return set(k, list...)
	}
	others := make([]*entitlements.Belief, 10_000)
	for i := range others {
		others[i] = firstBelief(of(key{CustomerID: fmt.Sprintf("customer-%d", i)}, 1), 0, 0, s.arrive())
	}
	b.Cleanup(func() { runtime.KeepAlive(others) })
	store.Insert(acme, firstBelief(of(acme, 1), 0, 0, s.arrive()))
	return s, func(stamp instant) *entitlements.Snapshot { return of(acme, stamp) }
}

// BenchmarkApplySet is a decoded event with a full set of twenty, until readers see it. Sets are made a few at a time: one that has just
// been decoded is in the processor's cache.
func BenchmarkApplySet(b *testing.B) {
	s, twenty := twentyHeld(b)
	sets := make([]*entitlements.Snapshot, 128)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%len(sets) == 0 {
			b.StopTimer()
			for j := range sets {
				sets[j] = twenty(instant(2 + i + j))
			}
			b.StartTimer()
		}
		s.handle(entitlements.Event{Kind: entitlements.EventEntitlements, Key: acme, Snapshot: sets[i%len(sets)]})
	}
	if n := s.Stats().Advanced; n == 0 || s.Stats().Questions > 0 {
		b.Fatalf("%+v", s.Stats())
	}
}

// BenchmarkApplyUsage is a decoded event with the usage of one of twenty.
func BenchmarkApplyUsage(b *testing.B) {
	s, _ := twentyHeld(b)
	u := entitlements.Usage{Ref: entitlements.Feature("feature-13"), UpdatedAt: 1}
	b.ReportAllocs()
	for b.Loop() {
		u.Current++
		u.UpdatedAt++
		s.handle(entitlements.Event{Kind: entitlements.EventUsage, Key: acme, Usage: u})
	}
	if n := s.Stats().Advanced; n == 0 || s.Stats().Questions > 0 {
		b.Fatalf("%+v", s.Stats())
	}
}
