package entitlements_test

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/entcache/entcache/entitlements"
)

var (
	noon = InstantOf(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))
	acme = Key{CustomerID: "acme"}
)

func boolean(id string) Grant {
	return Grant{ID: id, FeatureType: FeatureBoolean, IsGranted: true}
}

func metered(id string, limit, used float64) Grant {
	return Grant{
		ID: id, FeatureType: FeatureNumber, MeterType: MeterIncremental, IsGranted: true,
		UsageLimit: limit, HasUsageLimit: true, CurrentUsage: used,
	}
}

func wallet(id string, granted, consumed float64) Grant {
	return Grant{
		Kind: KindCredit, ID: id, IsGranted: true,
		UsageLimit: granted, HasUsageLimit: true, CurrentUsage: consumed,
	}
}

func with(g Grant, change func(*Grant)) Grant {
	change(&g)
	return g
}

// TestDecisionTable walks the table of docs/stigg-behaviour.md section 4.2 row by row, with what the Node SDK's vectors lack: the
// whole-set reasons, credits, mismatched types, and requests the SDK lets through.
func TestDecisionTable(t *testing.T) {
	paid := with(metered("render", 1000, 0), func(g *Grant) { g.CreditRate, g.CreditCurrencyID = 2, "tokens" })
	tests := []struct {
		name   string
		source string // where the rule comes from
		state  Reason
		grants []Grant
		query  Query
		want   Reason
	}{
		{"unknown customer", "4.2 row 1", CustomerNotFound, nil, Query{FeatureID: "f"}, CustomerNotFound},
		{"archived customer", "4.2 row 1", CustomerIsArchived, nil, Query{FeatureID: "f"}, CustomerIsArchived},
		{"no active subscription", "4.2 row 1", NoActiveSubscription, nil, Query{FeatureID: "f"}, NoActiveSubscription},
		{"a whole-set reason overrules the grants", "4.2 row 1", CustomerIsArchived, []Grant{boolean("f")}, Query{FeatureID: "f"}, CustomerIsArchived},
		{"a whole-set reason of tomorrow", "4.3: tolerate new values", "CustomerIsSuspended", nil, Query{FeatureID: "f"}, "CustomerIsSuspended"},
		{"no such feature", "4.2 row 2", "", []Grant{boolean("g")}, Query{FeatureID: "f"}, NoFeatureEntitlementInSubscription},
		{"no such currency", "4.3 EntitlementNotFound", "", []Grant{boolean("tokens")}, Query{CurrencyID: "tokens"}, EntitlementNotFound},
		{"a wallet is not a feature of the same name", "3.1: keyed by type and id", "", []Grant{wallet("tokens", 1, 0)}, Query{FeatureID: "tokens"}, NoFeatureEntitlementInSubscription},

		{"revoked", "4.2 row 3", "", []Grant{with(boolean("f"), func(g *Grant) { g.AccessDeniedReason = Revoked })}, Query{FeatureID: "f"}, Revoked},
		{"budget spent", "4.2 row 3", "", []Grant{with(metered("f", 9, 0), func(g *Grant) { g.AccessDeniedReason = BudgetExceeded })}, Query{FeatureID: "f"}, BudgetExceeded},
		{"feature gone", "4.2 row 3", "", []Grant{with(boolean("f"), func(g *Grant) { g.AccessDeniedReason = FeatureNotFound })}, Query{FeatureID: "f"}, FeatureNotFound},
		{"resource gone", "4.2 row 3", "", []Grant{with(boolean("f"), func(g *Grant) { g.AccessDeniedReason = CustomerResourceNotFound })}, Query{FeatureID: "f"}, CustomerResourceNotFound},
		{"no credits, says the server", "4.2 row 3", "", []Grant{with(boolean("f"), func(g *Grant) { g.AccessDeniedReason = InsufficientCredits })}, Query{FeatureID: "f"}, InsufficientCredits},
		{"a reason of tomorrow", "4.3: tolerate new values", "", []Grant{with(boolean("f"), func(g *Grant) { g.AccessDeniedReason = "PlanPaused" })}, Query{FeatureID: "f"}, "PlanPaused"},
		{"not granted and no reason", "design 6 rule 10", "", []Grant{with(boolean("f"), func(g *Grant) { g.IsGranted = false })}, Query{FeatureID: "f"}, Unknown},

		{"boolean", "4.2 row 4", "", []Grant{boolean("f")}, Query{FeatureID: "f", RequestedUsage: 99}, ""},
		{"enum without a request", "4.2 row 5", "", []Grant{{ID: "f", FeatureType: FeatureEnum, IsGranted: true}}, Query{FeatureID: "f"}, ""},
		{"enum with granted values", "4.2 row 5", "", []Grant{{ID: "f", FeatureType: FeatureEnum, IsGranted: true, EnumValues: []string{"a", "b"}}}, Query{FeatureID: "f", RequestedValues: []string{"b", "a"}}, ""},
		{"enum with one value too many", "4.2 row 5", "", []Grant{{ID: "f", FeatureType: FeatureEnum, IsGranted: true, EnumValues: []string{"a", "b"}}}, Query{FeatureID: "f", RequestedValues: []string{"a", "c"}}, RequestedValuesMismatch},
		{"numeric", "4.2 row 6", "", []Grant{with(metered("f", 3, 5), func(g *Grant) { g.MeterType = MeterNone })}, Query{FeatureID: "f", RequestedUsage: 99}, ""},
		{"unlimited", "4.2 row 7", "", []Grant{with(metered("f", 0, 5), func(g *Grant) { g.HasUnlimitedUsage = true })}, Query{FeatureID: "f", RequestedUsage: 99}, ""},
		{"soft limit", "4.2 row 7", "", []Grant{with(metered("f", 1, 5), func(g *Grant) { g.HasSoftLimit = true })}, Query{FeatureID: "f", RequestedUsage: 99}, ""},
		{"at the limit, asking for nothing", "4.2 row 8 and note", "", []Grant{metered("f", 5, 5)}, Query{FeatureID: "f"}, ""},
		{"at the limit, asking for one", "4.2 row 8", "", []Grant{metered("f", 5, 5)}, Query{FeatureID: "f", RequestedUsage: 1}, RequestedUsageExceedingLimit},
		{"one below the limit, asking for one", "4.2 row 8", "", []Grant{metered("f", 5, 4)}, Query{FeatureID: "f", RequestedUsage: 1}, ""},
		{"a fraction over", "4.1: quantities are floats", "", []Grant{metered("f", 5, 4.5)}, Query{FeatureID: "f", RequestedUsage: 0.6}, RequestedUsageExceedingLimit},
		{"null limit is zero", "4.2 row 8", "", []Grant{with(metered("f", 7, 0), func(g *Grant) { g.HasUsageLimit = false })}, Query{FeatureID: "f", RequestedUsage: 1}, RequestedUsageExceedingLimit},
		{"null limit, nothing used or asked", "4.2 row 8", "", []Grant{with(metered("f", 0, 0), func(g *Grant) { g.HasUsageLimit = false })}, Query{FeatureID: "f"}, ""},
		{"number without a meter counts", "4.2 note on meterType null", "", []Grant{with(metered("f", 5, 5), func(g *Grant) { g.MeterType = "" })}, Query{FeatureID: "f", RequestedUsage: 1}, RequestedUsageExceedingLimit},
		{"a meter of tomorrow counts", "4.3: tolerate new values", "", []Grant{with(metered("f", 5, 5), func(g *Grant) { g.MeterType = "Sampled" })}, Query{FeatureID: "f", RequestedUsage: 1}, RequestedUsageExceedingLimit},
		{"a negative request is compared as sent", "4.2 note", "", []Grant{metered("f", 5, 6)}, Query{FeatureID: "f", RequestedUsage: -1}, ""},
		{"a negative request that does not help", "4.2 note", "", []Grant{metered("f", 5, 7)}, Query{FeatureID: "f", RequestedUsage: -1}, RequestedUsageExceedingLimit},
		{"NaN is not within a limit", "arithmetic", "", []Grant{metered("f", 5, 0)}, Query{FeatureID: "f", RequestedUsage: math.NaN()}, RequestedUsageExceedingLimit},
		{"a feature type of tomorrow", "4.3: tolerate new values", "", []Grant{{ID: "f", FeatureType: "JSON", IsGranted: true}}, Query{FeatureID: "f"}, Unknown},

		{"another type", "4.2 last note", "", []Grant{boolean("f")}, Query{FeatureID: "f", Type: TypeMetered}, FeatureTypeMismatch},
		{"another type outweighs a denial", "4.2 last note", "", []Grant{with(boolean("f"), func(g *Grant) { g.AccessDeniedReason = Revoked })}, Query{FeatureID: "f", Type: TypeEnum}, FeatureTypeMismatch},
		{"a missing feature is no mismatch", "4.6 rule 3", "", nil, Query{FeatureID: "f", Type: TypeMetered}, NoFeatureEntitlementInSubscription},
		{"number without a meter is typed numeric", "4.2 note on meterType null", "", []Grant{with(metered("f", 5, 0), func(g *Grant) { g.MeterType = "" })}, Query{FeatureID: "f", Type: TypeNumeric}, ""},
		{"metered as asked", "4.6", "", []Grant{metered("f", 5, 0)}, Query{FeatureID: "f", Type: TypeMetered}, ""},
		{"a wallet as asked", "4.6", "", []Grant{wallet("tokens", 5, 0)}, Query{CurrencyID: "tokens", Type: TypeCredit}, ""},

		{"wallet with something left", "4.5", "", []Grant{wallet("tokens", 5, 4)}, Query{CurrencyID: "tokens"}, ""},
		{"wallet empty", "4.5: consumed < granted", "", []Grant{wallet("tokens", 5, 5)}, Query{CurrencyID: "tokens"}, InsufficientCredits},
		{"wallet cannot pay what is asked", "4.5", "", []Grant{wallet("tokens", 5, 4)}, Query{CurrencyID: "tokens", RequestedUsage: 2}, InsufficientCredits},
		{"wallet pays to the last credit", "4.5", "", []Grant{wallet("tokens", 5, 4)}, Query{CurrencyID: "tokens", RequestedUsage: 1}, ""},
		{"soft wallet goes on", "4.5", "", []Grant{with(wallet("tokens", 5, 9), func(g *Grant) { g.HasSoftLimit = true })}, Query{CurrencyID: "tokens", RequestedUsage: 2}, ""},
		{"wallet not granted", "design 6 rule 10", "", []Grant{with(wallet("tokens", 5, 0), func(g *Grant) { g.IsGranted = false })}, Query{CurrencyID: "tokens"}, Unknown},
		{"feature whose wallet is empty", "4.5", "", []Grant{paid, wallet("tokens", 5, 5)}, Query{FeatureID: "render"}, InsufficientCredits},
		{"feature whose wallet can pay", "4.5", "", []Grant{paid, wallet("tokens", 5, 1)}, Query{FeatureID: "render", RequestedUsage: 2}, ""},
		{"feature whose wallet cannot pay that much", "4.5", "", []Grant{paid, wallet("tokens", 5, 1)}, Query{FeatureID: "render", RequestedUsage: 3}, InsufficientCredits},
		{"feature inherits the wallet's soft limit", "4.5", "", []Grant{paid, with(wallet("tokens", 5, 5), func(g *Grant) { g.HasSoftLimit = true })}, Query{FeatureID: "render", RequestedUsage: 3}, ""},
		{"feature whose wallet is elsewhere", "4.5", "", []Grant{paid}, Query{FeatureID: "render", RequestedUsage: 3}, ""},
		{"wallet filled after the denial", "2.5 N3 balance update", "", []Grant{
			with(paid, func(g *Grant) { g.AccessDeniedReason, g.EntitlementUpdatedAt = InsufficientCredits, noon }),
			with(wallet("tokens", 5, 1), func(g *Grant) { g.UsageUpdatedAt = noon + 1 }),
		}, Query{FeatureID: "render"}, ""},
		{"wallet's balance is older than the denial", "design 6 rule 3", "", []Grant{
			with(paid, func(g *Grant) { g.AccessDeniedReason, g.EntitlementUpdatedAt = InsufficientCredits, noon }),
			with(wallet("tokens", 5, 1), func(g *Grant) { g.UsageUpdatedAt = noon }),
		}, Query{FeatureID: "render"}, InsufficientCredits},
		{"a wallet does not lift a revocation", "4.2 row 3", "", []Grant{
			with(paid, func(g *Grant) { g.AccessDeniedReason, g.EntitlementUpdatedAt = Revoked, noon }),
			with(wallet("tokens", 5, 1), func(g *Grant) { g.UsageUpdatedAt = noon + 1 }),
		}, Query{FeatureID: "render"}, Revoked},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.query.CustomerID = acme.CustomerID
			got := Decide(NewSnapshot(acme, tt.state, tt.grants), &tt.query, noon)
			if got.AccessDeniedReason != tt.want || got.HasAccess != (tt.want == "") {
				t.Errorf("Decide(%+v) = %v %q, want reason %q (source: %s)", tt.query, got.HasAccess, got.AccessDeniedReason, tt.want, tt.source)
			}
		})
	}
}

func TestEveryDenyReasonIsAnswered(t *testing.T) {
	all := []Reason{
		BudgetExceeded, CustomerIsArchived, CustomerNotFound, CustomerResourceNotFound, EntitlementNotFound, FeatureNotFound,
		FeatureTypeMismatch, InsufficientCredits, NoActiveSubscription, NoFeatureEntitlementInSubscription,
		RequestedUsageExceedingLimit, RequestedValuesMismatch, Revoked, Unknown,
	}
	for _, r := range all {
		g := boolean("f")
		g.AccessDeniedReason = r
		got := Decide(NewSnapshot(acme, "", []Grant{g}), &Query{CustomerID: "acme", FeatureID: "f"}, noon)
		if got.HasAccess || got.AccessDeniedReason != r {
			t.Errorf("an entitlement denied with %s answers %v %q", r, got.HasAccess, got.AccessDeniedReason)
		}
	}
}

func TestEndedPeriodReadsAsZeroInEveryPath(t *testing.T) {
	end := noon.Add(-24 * time.Hour)
	start := InstantOf(end.Time().AddDate(0, -1, 0))
	g := with(metered("calls", 10, 10), func(g *Grant) {
		g.ResetPeriod, g.UsagePeriodAnchor = ResetMonth, start
		g.UsagePeriodStart, g.UsagePeriodEnd = start, end
	})
	s := NewSnapshot(acme, "", []Grant{g})
	q := Query{CustomerID: "acme", FeatureID: "calls", RequestedUsage: 1}

	if d := Decide(s, &q, end); d.HasAccess || d.Entitlement.CurrentUsage() != 10 {
		t.Errorf("at the period's end: access %v usage %v, want the old period (denied, 10)", d.HasAccess, d.Entitlement.CurrentUsage())
	}
	d := Decide(s, &q, end+1)
	if !d.HasAccess || d.Entitlement.CurrentUsage() != 0 {
		t.Errorf("after the period's end: access %v usage %v, want granted and 0", d.HasAccess, d.Entitlement.CurrentUsage())
	}
	if left, ok := d.Entitlement.Remaining(); !ok || left != 10 {
		t.Errorf("Remaining after the period's end = %v %v, want 10", left, ok)
	}
	if from, to := d.Entitlement.UsagePeriod(); !from.Equal(end.Time()) || !to.After((end + 1).Time()) {
		t.Errorf("period after the end = %v – %v, want the next one", from, to)
	}
	for e := range s.All(end + 1) {
		if e.CurrentUsage() != 0 {
			t.Errorf("All after the period's end reads %v, want 0", e.CurrentUsage())
		}
	}
}

func TestRolloverWithoutAnchorForgetsTheBounds(t *testing.T) {
	g := with(metered("calls", 10, 10), func(g *Grant) { g.UsagePeriodEnd = noon })
	e, _ := NewSnapshot(acme, "", []Grant{g}).Find(Feature("calls"), noon+1)
	from, to := e.UsagePeriod()
	if e.CurrentUsage() != 0 || !from.IsZero() || !to.IsZero() {
		t.Errorf("usage %v, period %v – %v; want 0 and unknown bounds", e.CurrentUsage(), from, to)
	}
}

func TestWalletUsageDoesNotStartAgainButAsksTheServer(t *testing.T) {
	s := NewSnapshot(acme, "", []Grant{with(wallet("tokens", 5, 5), func(g *Grant) { g.UsagePeriodEnd = noon })})
	if d := Decide(s, &Query{CustomerID: "acme", CurrencyID: "tokens"}, noon+1); d.HasAccess {
		t.Error("an empty wallet filled itself at the end of its period")
	}
	if s.ValidUntil() != noon {
		t.Errorf("ValidUntil = %v, want the end of the wallet's period", s.ValidUntil())
	}
}

func TestSnapshotKeepsTheNewestOfTwoGrantsForOneName(t *testing.T) {
	older := with(metered("f", 1, 0), func(g *Grant) { g.EntitlementUpdatedAt = noon })
	newer := with(metered("f", 2, 0), func(g *Grant) { g.EntitlementUpdatedAt = noon + 1 })
	for _, list := range [][]Grant{{older, newer}, {newer, older}} {
		s := NewSnapshot(acme, "", list)
		e, _ := s.Find(Feature("f"), noon)
		if limit, _ := e.UsageLimit(); s.Len() != 1 || limit != 2 {
			t.Errorf("len %d limit %v, want one grant with limit 2", s.Len(), limit)
		}
	}
}

func TestSnapshotFindsEachOfManyAndNothingElse(t *testing.T) {
	for _, n := range []int{0, 1, 2, 7, 20, 300, 1 << 14} {
		var list []Grant
		for i := range n {
			id := strings.Repeat("x", i%12) + strconv.Itoa(i) + strings.Repeat("y", i%17)
			list = append(list, boolean(id), wallet(id, 1, 0))
		}
		s := NewSnapshot(acme, "", list)
		for _, g := range list {
			if e, ok := s.Find(g.Ref(), noon); !ok || e.Ref() != g.Ref() {
				t.Fatalf("n=%d: Find(%v) = %v %v", n, g.Ref(), e.Ref(), ok)
			}
		}
		if _, ok := s.Find(Feature("absent"), noon); ok {
			t.Fatalf("n=%d: found what is not there", n)
		}
	}
}

func TestUsageChangesLeaveTheOldSnapshotAlone(t *testing.T) {
	s := NewSnapshot(acme, "", []Grant{metered("f", 10, 1), metered("g", 10, 2)})
	next := s.WithUsage(Usage{Ref: Feature("f"), Current: 7, UpdatedAt: noon, Seq: 3})
	if u, _ := s.Usage(Feature("f")); u.Current != 1 {
		t.Errorf("the old snapshot reads %v, want 1", u.Current)
	}
	if u, _ := next.Usage(Feature("f")); u.Current != 7 || u.UpdatedAt != noon || u.Seq != 3 {
		t.Errorf("the new snapshot holds %+v", u)
	}
	if u, _ := next.Usage(Feature("g")); u.Current != 2 {
		t.Errorf("a neighbour changed to %v", u.Current)
	}
	if !s.SameGrants(next) {
		t.Error("a usage change looks like a change of grants")
	}
	if s.WithUsage(Usage{Ref: Feature("absent")}) != s {
		t.Error("usage of an entitlement that is not held made a new snapshot")
	}
}

func TestSameGrantsSeesEveryField(t *testing.T) {
	base := func() Grant {
		return with(metered("f", 5, 1), func(g *Grant) {
			g.EnumValues = []string{"a"}
			g.EntitlementUpdatedAt, g.ValidUntil, g.UsagePeriodAnchor = 1, 2, 3
		})
	}
	a := NewSnapshot(acme, "", []Grant{base()})
	if !a.SameGrants(NewSnapshot(acme, "", []Grant{base()})) {
		t.Fatal("equal sets differ")
	}
	if a.SameGrants(NewSnapshot(acme, NoActiveSubscription, []Grant{base()})) {
		t.Error("the reason is not compared")
	}
	changes := map[string]func(*Grant){
		"ID": func(g *Grant) { g.ID = "h" }, "FeatureType": func(g *Grant) { g.FeatureType = FeatureEnum },
		"MeterType": func(g *Grant) { g.MeterType = MeterFluctuating }, "IsGranted": func(g *Grant) { g.IsGranted = false },
		"AccessDeniedReason": func(g *Grant) { g.AccessDeniedReason = Revoked }, "UsageLimit": func(g *Grant) { g.UsageLimit++ },
		"HasUsageLimit": func(g *Grant) { g.HasUsageLimit = false }, "HasUnlimitedUsage": func(g *Grant) { g.HasUnlimitedUsage = true },
		"HasSoftLimit": func(g *Grant) { g.HasSoftLimit = true }, "EnumValues": func(g *Grant) { g.EnumValues = nil },
		"ResetPeriod": func(g *Grant) { g.ResetPeriod = ResetDay }, "UsagePeriodAnchor": func(g *Grant) { g.UsagePeriodAnchor++ },
		"EntitlementUpdatedAt": func(g *Grant) { g.EntitlementUpdatedAt++ }, "ValidUntil": func(g *Grant) { g.ValidUntil++ },
		"CreditRate": func(g *Grant) { g.CreditRate++ }, "CreditCurrencyID": func(g *Grant) { g.CreditCurrencyID = "t" },
		"DisplayName": func(g *Grant) { g.DisplayName = "x" }, "Description": func(g *Grant) { g.Description = "x" },
		"Units": func(g *Grant) { g.Units = "x" }, "UnitsPlural": func(g *Grant) { g.UnitsPlural = "x" },
	}
	for name, change := range changes {
		if a.SameGrants(NewSnapshot(acme, "", []Grant{with(base(), change)})) {
			t.Errorf("a change of %s goes unseen", name)
		}
	}
	moved := with(base(), func(g *Grant) { g.CurrentUsage, g.UsageUpdatedAt, g.UsagePeriodStart, g.UsagePeriodEnd = 9, 9, 9, 9 })
	if !a.SameGrants(NewSnapshot(acme, "", []Grant{moved})) {
		t.Error("usage counts as a change of grants")
	}
}

func TestMergeUsageChoosesPerEntitlement(t *testing.T) {
	held := NewSnapshot(acme, "", []Grant{metered("f", 10, 5), metered("gone", 10, 5)})
	mine := NewSnapshot(acme, "", []Grant{metered("f", 20, 1), metered("new", 10, 2)})
	var asked []float64
	got := mine.MergeUsage(held, func(m, h *Figures) {
		asked = append(asked, m.Current)
		if h != nil {
			*m = *h
		}
	})
	if u, _ := got.Usage(Feature("f")); u.Current != 5 {
		t.Errorf("f = %v, want the held 5", u.Current)
	}
	if u, _ := got.Usage(Feature("new")); u.Current != 2 {
		t.Errorf("new = %v, want its own 2", u.Current)
	}
	if !slices.Equal(asked, []float64{1, 2}) {
		t.Errorf("asked about usages of %v, want the 1 of f and the 2 of new", asked)
	}
	if e, _ := got.Find(Feature("f"), noon); func() float64 { l, _ := e.UsageLimit(); return l }() != 20 {
		t.Error("the held grant came along with its usage")
	}
}

func TestQueryValidate(t *testing.T) {
	ok := Query{CustomerID: "c", FeatureID: "f"}
	tests := []struct {
		name   string
		change func(*Query)
		says   string // empty: valid
	}{
		{"feature", func(*Query) {}, ""},
		{"currency", func(q *Query) { q.FeatureID, q.CurrencyID = "", "t" }, ""},
		{"some usage", func(q *Query) { q.RequestedUsage = 1.5 }, ""},
		{"no customer", func(q *Query) { q.CustomerID = "" }, "CustomerID is empty"},
		{"neither", func(q *Query) { q.FeatureID = "" }, "neither FeatureID nor CurrencyID"},
		{"both", func(q *Query) { q.CurrencyID = "t" }, "both FeatureID"},
		{"negative", func(q *Query) { q.RequestedUsage = -1 }, "RequestedUsage is -1"},
		{"NaN", func(q *Query) { q.RequestedUsage = math.NaN() }, "RequestedUsage is NaN"},
		{"infinite", func(q *Query) { q.RequestedUsage = math.Inf(1) }, "RequestedUsage is +Inf"},
	}
	for _, tt := range tests {
		q := ok
		tt.change(&q)
		err := q.Validate()
		if tt.says == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if !errors.Is(err, ErrInvalidQuery) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: error %v, want ErrInvalidQuery that says %q", tt.name, err, tt.says)
		}
	}
}

func TestFallbackDecision(t *testing.T) {
	q := Query{CustomerID: "c", FeatureID: "seats", RequestedUsage: 1}
	if d := (&FallbackValue{}).Decision(&q, noon); d.HasAccess || d.AccessDeniedReason != Unknown || d.Origin != Fallback || d.Entitlement.Exists() {
		t.Errorf("the zero fallback answers %+v, want denied, Unknown, no entitlement", d)
	}
	f := FallbackValue{HasAccess: true, AccessDeniedReason: Revoked, Details: &Grant{FeatureType: FeatureNumber, UsageLimit: 3, HasUsageLimit: true}}
	d := f.Decision(&q, noon)
	if limit, ok := d.Entitlement.UsageLimit(); !d.HasAccess || d.AccessDeniedReason != "" || limit != 3 || !ok || d.Entitlement.FeatureID() != "seats" {
		t.Errorf("fallback with details answers %+v limit %v", d, limit)
	}
}

func TestZeroEntitlementIsHarmless(t *testing.T) {
	var e Entitlement
	if e.Exists() || e.IsGranted() || e.CurrentUsage() != 0 || e.FeatureID() != "" || e.Type() != TypeUnspecified || e.EnumValues() != nil {
		t.Error("the zero Entitlement is not empty")
	}
	if _, ok := e.Remaining(); ok {
		t.Error("the zero Entitlement has something remaining")
	}
}

func TestDecideAllocatesNothing(t *testing.T) {
	s := NewSnapshot(acme, "", []Grant{metered("f", 5, 1), boolean("g"), wallet("tokens", 5, 1)})
	q := Query{CustomerID: "acme", FeatureID: "f", RequestedUsage: 1}
	var d Decision
	if n := testing.AllocsPerRun(100, func() { d = Decide(s, &q, noon) }); n != 0 {
		t.Errorf("Decide allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { _ = d.Entitlement.CurrentUsage() + float64(len(d.Entitlement.Ref().ID)) }); n != 0 {
		t.Errorf("accessors allocate %v times", n)
	}
}
