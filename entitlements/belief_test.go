package entitlements_test

import (
	"math/rand/v2"
	"testing"

	. "github.com/entcache/entcache/entitlements"
)

// TestABeliefChangesByAnother: what is made of a belief leaves it and its snapshot as they were, and is made of no more pieces than it
// must be, for one is made at every event.
func TestABeliefChangesByAnother(t *testing.T) {
	g := metered("f", 10, 1)
	g.UsagePeriodStart, g.UsagePeriodEnd = 100, 200
	b := &Belief{Snapshot: NewSnapshot(acme, "", []Grant{g, metered("g", 10, 2)}), GrantSeq: 7}
	set := NewSnapshot(acme, "", []Grant{metered("f", 20, 3), metered("g", 20, 4)})
	at, ok := b.Snapshot.Position(Feature("f"))
	if !ok {
		t.Fatal("f has no position")
	}
	if _, ok := b.Snapshot.Position(Currency("f")); ok {
		t.Error("a wallet that the set does not hold has the position of the feature of that name")
	}
	for _, row := range []struct {
		name        string
		make        func() *Belief
		allocations float64
		f           Figures
		g           float64
	}{
		{"the same", func() *Belief { return b.With(b.Snapshot) }, 1, Figures{Current: 1, PeriodStart: 100, PeriodEnd: 200}, 2},
		{"another snapshot", func() *Belief { return b.With(set) }, 1, Figures{Current: 3}, 4},
		{
			"other figures", func() *Belief {
				return b.WithFigures(at, &Figures{Current: 5, UpdatedAt: noon, PeriodEnd: 300, Seq: 9})
			},
			1, Figures{Current: 5, UpdatedAt: noon, PeriodStart: 100, PeriodEnd: 300, Seq: 9}, 2,
		},
		{
			"a set, and the usage that is held", func() *Belief { return b.MergeUsage(set, func(mine, held *Figures) { *mine = *held }) },
			2, Figures{Current: 1, PeriodStart: 100, PeriodEnd: 200}, 2,
		},
	} {
		var n *Belief
		if got := testing.AllocsPerRun(100, func() { n = row.make() }); got != row.allocations {
			t.Errorf("%s: %v allocations, want %v", row.name, got, row.allocations)
		}
		other, _ := n.Snapshot.Usage(Feature("g"))
		if f := n.Snapshot.Figures(at); f != row.f || other.Current != row.g || n.GrantSeq != 7 {
			t.Errorf("%s: f used %+v, g %v, learned at place %d; want %+v, %v, 7", row.name, f, other.Current, n.GrantSeq, row.f, row.g)
		}
		if was, _ := b.Snapshot.Usage(Feature("f")); was.Figures() != (Figures{Current: 1, PeriodStart: 100, PeriodEnd: 200}) || n.Snapshot == b.Snapshot {
			t.Fatalf("%s: what it was made of has changed to %+v", row.name, was)
		}
	}
	if f := set.Figures(at); f != (Figures{Current: 3}) {
		t.Errorf("the set that was merged has changed to %+v", f)
	}
}

// TestFeaturesAreUsedInTurn: few or many, in any order, each shows what it was used last, and a belief that was held goes on showing what
// it showed.
func TestFeaturesAreUsedInTurn(t *testing.T) {
	const features = 6
	list := make([]Grant, features)
	for i := range list {
		list[i] = metered(string(rune('a'+i)), 100, 0)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		type state struct {
			belief *Belief
			shows  [features]float64
		}
		held := []state{{belief: &Belief{Snapshot: NewSnapshot(acme, "", list)}}}
		among := 1 + rnd.IntN(features)
		for n := range 20 {
			next := held[len(held)-1]
			at := rnd.IntN(among)
			next.shows[at] = float64(n + 1)
			next.belief = next.belief.WithFigures(at, &Figures{Current: float64(n + 1), UpdatedAt: noon})
			held = append(held, next)
		}
		for n, h := range held {
			for at, want := range h.shows {
				if got := h.belief.Snapshot.Figures(at).Current; got != want {
					t.Fatalf("after %d events among %d features, feature %d shows %v, want %v", n, among, at, got, want)
				}
			}
		}
	}
}
