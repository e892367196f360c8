package syncer

import (
	"fmt"
	"testing"

	"github.com/entcache/entcache/entitlements"
)

// twentyHeld is a belief about twenty metered entitlements, and what an event says that changes them all.
func twentyHeld(b *testing.B) (*Syncer, func(stamp instant) *entitlements.Snapshot) {
	b.Helper()
	store := newMemory()
	s, err := New(Config{Source: newServer(), Store: store})
	if err != nil {
		b.Fatal(err)
	}
	s.newGeneration()
	twenty := func(stamp instant) *entitlements.Snapshot {
		list := make([]entitlements.Grant, 20)
		for i := range list {
			list[i] = used(grant(fmt.Sprintf("feature-%02d", i), stamp, 1000), float64(i), stamp)
		}
		return set(acme, list...)
	}
	store.Insert(acme, firstBelief(twenty(1), 0, 0, s.arrive()))
	return s, twenty
}

// BenchmarkApplySet is a decoded event with a full set of twenty, until readers see it.
func BenchmarkApplySet(b *testing.B) {
	s, twenty := twentyHeld(b)
	sets := make([]*entitlements.Snapshot, 1024)
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
