package entitlements_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"testing"

	. "github.com/entcache/entcache/entitlements"
)

// anyGrant draws a grant: of one of a few names, so that some come twice, and of a few values for each field, so that much is shared
// and much is not.
func anyGrant(r *rand.Rand, names int) Grant {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	at := func() Instant { return Instant(r.IntN(3)) * 1_000 }
	g := Grant{
		Kind: Kind(r.IntN(2)), ID: fmt.Sprintf("feature-%d", r.IntN(names)),
		FeatureType: FeatureType(pick("BOOLEAN", "NUMBER", "ENUM", "NEW")), MeterType: MeterType(pick("", "None", "Incremental", "Fluctuating")),
		DisplayName: pick("", "name"), Description: pick("", "text"), Units: pick("", "unit"), UnitsPlural: pick("", "units"),
		IsGranted: r.IntN(2) == 0, AccessDeniedReason: Reason(pick("", "", string(Revoked), "NewReason", "NewerReason")),
		HasUsageLimit: r.IntN(2) == 0, HasUnlimitedUsage: r.IntN(4) == 0, HasSoftLimit: r.IntN(4) == 0,
		ResetPeriod: ResetPeriod(r.IntN(3)), UsagePeriodAnchor: at(), UsagePeriodStart: at(), UsagePeriodEnd: 10_000 + at(),
		CurrentUsage: float64(r.IntN(100)), EntitlementUpdatedAt: Instant(r.IntN(40)), UsageUpdatedAt: at(), ValidUntil: at(),
	}
	if g.HasUsageLimit {
		g.UsageLimit = float64(r.IntN(100))
	}
	if r.IntN(2) == 0 {
		g.EnumValues = []string{pick("a", "b"), pick("a", "b")}
	}
	if g.Kind == KindFeature && r.IntN(3) == 0 {
		g.CreditRate, g.CreditCurrencyID = float64(r.IntN(2)), fmt.Sprintf("feature-%d", r.IntN(names))
	}
	return g
}

// wantReadBack wants a snapshot to say what the grants said, of two of one name the newest.
func wantReadBack(t *testing.T, s *Snapshot, list []Grant) {
	t.Helper()
	kept := map[Ref]Grant{}
	var newest, until Instant
	for _, g := range list {
		if held, ok := kept[g.Ref()]; !ok || g.EntitlementUpdatedAt > held.EntitlementUpdatedAt {
			kept[g.Ref()] = g
		}
	}
	first := func(at Instant) {
		if at != 0 && (until == 0 || at < until) {
			until = at
		}
	}
	for ref, g := range kept {
		e, ok := s.Find(ref, 5_000)
		if !ok {
			t.Fatalf("%v is not there", ref)
		}
		limit, hasLimit := e.UsageLimit()
		unit, units := e.Units()
		rate, currency, _ := e.CreditRate()
		start, end := e.UsagePeriod()
		got := Grant{
			Kind: e.Ref().Kind, ID: e.Ref().ID, FeatureType: e.FeatureType(), MeterType: e.MeterType(),
			DisplayName: e.DisplayName(), Description: e.Description(), Units: unit, UnitsPlural: units,
			IsGranted: e.IsGranted(), AccessDeniedReason: e.AccessDeniedReason(), UsageLimit: limit, HasUsageLimit: hasLimit,
			HasUnlimitedUsage: e.HasUnlimitedUsage(), HasSoftLimit: e.HasSoftLimit(), EnumValues: e.EnumValues(),
			ResetPeriod: e.ResetPeriod(), UsagePeriodAnchor: InstantOf(e.UsagePeriodAnchor()),
			UsagePeriodStart: InstantOf(start), UsagePeriodEnd: InstantOf(end), CurrentUsage: e.CurrentUsage(),
			EntitlementUpdatedAt: InstantOf(e.EntitlementUpdatedAt()), UsageUpdatedAt: InstantOf(e.UsageUpdatedAt()),
			ValidUntil: InstantOf(e.ValidUntil()), CreditRate: rate, CreditCurrencyID: currency,
		}
		if !reflect.DeepEqual(got, g) {
			t.Fatalf("%v reads\n%+v, and was\n%+v", ref, got, g)
		}
		if e.Type() != g.Type() {
			t.Fatalf("%v is %v, want %v", ref, e.Type(), g.Type())
		}
		newest = max(newest, g.EntitlementUpdatedAt)
		first(g.ValidUntil)
		if g.Kind == KindCredit {
			first(g.UsagePeriodEnd)
		}
	}
	if s.Len() != len(kept) || s.EntitlementUpdatedAt() != newest || s.ValidUntil() != until {
		t.Fatalf("%d entitlements of %d, valid until %d; want %d of %d, until %d", s.Len(), s.EntitlementUpdatedAt(), s.ValidUntil(), len(kept), newest, until)
	}
}

// TestEveryGrantIsReadBackAsItWasGiven, whatever is shared with other sets, in whichever order they come, and by several goroutines.
func TestEveryGrantIsReadBackAsItWasGiven(t *testing.T) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for worker := range uint64(4) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(worker, 1))
			for range 300 {
				list := make([]Grant, r.IntN(4)*r.IntN(20))
				for i := range list {
					list[i] = anyGrant(r, 1+r.IntN(60))
				}
				reason := Reason("")
				if r.IntN(4) == 0 {
					reason = CustomerIsArchived
				}
				s := NewSnapshot(acme, reason, list)
				wantReadBack(t, s, list)
				stamped := map[Ref]Instant{} // of two equally old of one name the first is kept, so that these stay in order
				r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
				list = slices.DeleteFunc(list, func(g Grant) bool {
					_, twice := stamped[g.Ref()]
					stamped[g.Ref()] = g.EntitlementUpdatedAt
					return twice
				})
				again := NewSnapshot(globex, reason, list)
				wantReadBack(t, again, list)
				if again.Reason() != reason || again.Key() != globex || s.Key() != acme {
					t.Errorf("%v with reason %q", again.Key(), again.Reason())
				}
				r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
				if !again.SameGrants(NewSnapshot(acme, reason, list)) {
					t.Errorf("the same set in another order is another: %v", again)
				}
			}
		})
	}
}

// TestUsageOfManyFeatures: whichever features are used, in whatever order, each shows its latest usage, and older snapshots their own.
func TestUsageOfManyFeatures(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for range 200 {
		list := twentyGrants()[:1+r.IntN(20)]
		s := NewSnapshot(acme, "", list)
		used := make([]Usage, len(list))
		for i := range used {
			used[i], _ = s.Usage(list[i].Ref())
		}
		check := func(s *Snapshot, used []Usage) {
			for i, u := range used {
				if got, _ := s.Usage(u.Ref); got != u {
					t.Fatalf("%v shows %+v, want %+v", u.Ref, got, u)
				}
				q := Query{FeatureID: u.Ref.ID, RequestedUsage: list[i].UsageLimit - u.Current}
				if d := Decide(s, &q, noon); !d.HasAccess || d.Entitlement.CurrentUsage() != u.Current {
					t.Fatalf("%v decides by %v, want %v", u.Ref, d.Entitlement.CurrentUsage(), u.Current)
				}
			}
		}
		for seq := range uint64(30) {
			before, was := s, slices.Clone(used)
			i := r.IntN(len(list))
			u := Usage{Ref: list[i].Ref(), Current: float64(r.IntN(1000)), UpdatedAt: noon + Instant(seq), Seq: seq + 1}
			if r.IntN(3) == 0 {
				u.PeriodStart, u.PeriodEnd = noon-Instant(seq), noon+1_000_000
			}
			s = s.WithUsage(u)
			if u.PeriodStart == 0 { // what it does not say stays
				u.PeriodStart, u.PeriodEnd = used[i].PeriodStart, used[i].PeriodEnd
			}
			used[i] = u
			check(s, used)
			check(before, was)
			if r.IntN(10) == 0 {
				s = s.MergeUsage(before, func(mine, _ *Figures) { mine.Current /= 2 })
				for i := range used {
					used[i].Current /= 2
				}
				check(s, used)
			}
			if !s.SameGrants(before) {
				t.Fatal("usage counts as a change of grants")
			}
		}
	}
}

var globex = Key{CustomerID: "globex"}

// TestCustomersOfAPlanShareWhatThePlanSays: a set like another's takes as much memory as its figures do.
func TestCustomersOfAPlanShareWhatThePlanSays(t *testing.T) {
	plan := func(usage float64) []Grant {
		list := twentyGrants()
		for i := range list {
			list[i].DisplayName, list[i].Description = fmt.Sprintf("Feature number %d", i), "What it is for, at some length."
			list[i].CurrentUsage = usage
		}
		return list
	}
	one := NewSnapshot(acme, "", plan(1))
	other := NewSnapshot(globex, "", plan(2))
	if one.Shape() != other.Shape() {
		t.Error("two customers of one plan have a shape each")
	}
	all := other.Size()
	for range 16 {
		if n := other.Size(); n != all || n < 4000 {
			t.Errorf("one of a few counts %d bytes, want all that is shared: %d", n, all)
		}
		other.Shape().Join()
		defer other.Shape().Leave()
	}
	if n := other.Size(); n > 2200 {
		t.Errorf("one of many counts %d bytes; want little more than its figures", n)
	}
	other.Shape().Leave()
	if n := other.Size(); n != all {
		t.Errorf("one of a few again counts %d bytes, want %d", n, all)
	}
	other.Shape().Join()
	changed := plan(2)
	changed[3].Description = "Something else."
	if other.Shape() == NewSnapshot(globex, "", changed).Shape() {
		t.Error("another description, and the same shape")
	}
	runtime.KeepAlive(one)
}

// TestWhatIsSharedIsNotKept when nobody has it any more.
func TestWhatIsSharedIsNotKept(t *testing.T) {
	g := boolean("of this test alone")
	s := NewSnapshot(acme, "", []Grant{g})
	if !Defined(&g) {
		t.Error("the definition is not there, and a snapshot is")
	}
	runtime.KeepAlive(s)
	for range 10 {
		if runtime.GC(); !Defined(&g) {
			return
		}
	}
	t.Error("the definition is still there, and no snapshot")
}
