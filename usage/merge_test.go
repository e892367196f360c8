package usage

import (
	"fmt"
	"maps"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// TestAnyHistoryCountsAsOneCallForEachReport: whatever is merged, refused, lost on the way and sent again, Stigg ends with what one
// call for each report would have led to, in their order. (100,000 histories: -args -rapid.checks 100000 -rapid.seed 0)
func TestAnyHistoryCountsAsOneCallForEachReport(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		history := rapid.SliceOfN(rapid.Custom(drawStep), 1, 150).Draw(rt, "history")
		seed := rapid.Uint64().Draw(rt, "network")
		refused := rapid.SampledFrom([]string{"none", "feature-1", "now and then"}).Draw(rt, "refused")
		synctest.Test(t, func(t *testing.T) {
			want := newServer(t)
			got := newServer(t)
			network := rand.New(rand.NewPCG(seed, seed))
			got.fail = func(int, []Record) *failing {
				switch network.IntN(8) {
				case 0:
					return &failing{Failure: Failure{Err: errAway, Means: Away}}
				case 1:
					return &failing{Failure: Failure{Err: errFailed}, counted: network.IntN(2) == 0}
				case 2:
					return &failing{hangs: true, counted: network.IntN(2) == 0}
				default:
					return nil
				}
			}
			tries := 2
			switch refused {
			case "feature-1":
				got.refuse = func(r Record) bool { return r.FeatureID == refused }
			case "now and then":
				tries = 1000 // until it is taken
				got.refuse = func(Record) bool { return network.IntN(6) == 0 }
			}
			r, err := New(Config{Sender: got, Tries: tries})
			if err != nil {
				t.Fatal(err)
			}
			for i, step := range history {
				time.Sleep(step.pause)
				rec := step.record
				rec.Key, rec.At = fmt.Sprint("key-", i), time.Now()
				if err := r.Accept(t.Context(), rec); err != nil {
					t.Fatal(err)
				}
				if rec.FeatureID != refused {
					want.apply(rec)
				}
			}
			if err := r.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !maps.EqualFunc(got.totals, want.totals, func(a, b *big.Rat) bool { return a.Cmp(b) == 0 }) {
				rt.Errorf("totals are %v, one call for each report would make them %v", got.totals, want.totals)
			}
			if n, bytes := r.cfg.Queue.Len(Reports); n != 0 || bytes != 0 || r.room.records != 0 || r.room.bytes != 0 {
				rt.Errorf("%d records of %d bytes are left, and room is taken for %d of %d", n, bytes, r.room.records, r.room.bytes)
			}
			if got.most > 1 {
				rt.Errorf("%d calls at once", got.most)
			}
			if err := r.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	})
}

type step struct {
	pause  time.Duration
	record Record
}

func drawStep(t *rapid.T) step {
	s := step{
		pause: rapid.SampledFrom([]time.Duration{0, 0, 0, 0, 10 * time.Millisecond, 700 * time.Millisecond, 5 * time.Second}).Draw(t, "pause"),
		record: Record{
			Kind:       rapid.SampledFrom([]Kind{Delta, Delta, Delta, Set}).Draw(t, "kind"),
			CustomerID: "acme",
			FeatureID:  rapid.SampledFrom([]string{"feature-1", "feature-2"}).Draw(t, "feature"),
			Value:      rapid.SampledFrom([]float64{1, 1, 2, 3, -1, -2, 0, 0.1, 0.2, 1e-7, -0.3, 1e15, 12345.678, -1e300, 5e-324}).Draw(t, "value"),
			Alone:      rapid.IntRange(0, 5).Draw(t, "alone") == 0,
		},
	}
	if rapid.IntRange(0, 8).Draw(t, "dimensions") == 0 {
		s.record.Dimensions = []byte(`{"region":"eu"}`)
	}
	return s
}

// TestMergingKeepsTheTotal says which two reports become one.
func TestMergingKeepsTheTotal(t *testing.T) {
	for _, row := range []struct {
		first  Kind
		a      float64
		second Kind
		b      float64
		want   float64
		no     bool
	}{
		{first: Delta, a: 2, second: Delta, b: 3, want: 5},
		{first: Delta, a: -2, second: Delta, b: -3, want: -5},
		{first: Delta, a: 2, second: Delta, b: -3, want: -1},
		{first: Delta, a: -2, second: Delta, b: 3, no: true}, // at a usage of 0 this is 3
		{first: Delta, a: 2, second: Set, b: 3, want: 3},
		{first: Set, a: 2, second: Set, b: 3, want: 3},
		{first: Set, a: 2, second: Delta, b: 3, want: 5},
		{first: Set, a: 2, second: Delta, b: -3, want: 0},
		{first: Set, a: -2, second: Delta, b: 3, want: 3},
		{first: Delta, a: 0.1, second: Delta, b: 0.2, want: 0.3},
		{first: Delta, a: 1 << 53, second: Delta, b: 1, no: true},       // is not a float64
		{first: Delta, a: 1e15, second: Delta, b: 1e-7, no: true},       // nor is this
		{first: Delta, a: 1e300, second: Delta, b: 1e-300, no: true},    // nor this, and it would take its time
		{first: Delta, a: -1e300, second: Delta, b: 1e300, no: true},    // a loss and a gain
		{first: Set, a: 5e-324, second: Delta, b: 5e-324, want: 1e-323}, // the smallest there is, twice
	} {
		got, ok := combine(row.first, row.a, row.second, row.b)
		if ok == row.no || ok && got != row.want {
			t.Errorf("%s %v, %s %v: %v, %v", row.first, row.a, row.second, row.b, got, ok)
		}
	}
}

// TestTenTimesATenthIsOne: reports are merged in decimals, as Stigg adds them up.
func TestTenTimesATenthIsOne(t *testing.T) {
	var m merger
	for i := range 10 {
		m.add(&Entry{uint64(i + 1), Record{Kind: Delta, CustomerID: "acme", FeatureID: "gigabytes", Value: 0.1, Key: fmt.Sprint(i), At: time.Unix(1, 0)}}, math.MaxInt)
	}
	if len(m.lines) != 1 || m.lines[0].record.Value != 1 || m.lines[0].record.Key != "0" {
		t.Errorf("%d lines, the first is %+v", len(m.lines), m.lines[0].record)
	}
}

// TestWhatStaysApart: reports that the program gave a key or time of their own, other dimensions, other meters, and those of another
// second.
func TestWhatStaysApart(t *testing.T) {
	base := Record{Kind: Delta, CustomerID: "acme", FeatureID: "api-calls", Value: 1, At: time.Unix(100, 0)}
	change := func(f func(*Record)) Record { r := base; f(&r); return r }
	for name, r := range map[string]Record{
		"alone":      change(func(r *Record) { r.Alone = true }),
		"dimensions": change(func(r *Record) { r.Dimensions = []byte(`{}`) }),
		"customer":   change(func(r *Record) { r.CustomerID = "beta" }),
		"resource":   change(func(r *Record) { r.ResourceID = "site" }),
		"feature":    change(func(r *Record) { r.FeatureID = "seats" }),
		"later":      change(func(r *Record) { r.At = r.At.Add(mergeSpan + 1) }),
		"earlier":    change(func(r *Record) { r.At = r.At.Add(-mergeSpan - 1) }),
	} {
		var m merger
		m.add(&Entry{1, base}, math.MaxInt)
		m.add(&Entry{2, r}, math.MaxInt)
		if len(m.lines) != 2 {
			t.Errorf("%s: %d lines", name, len(m.lines))
		}
	}
	var m merger
	m.add(&Entry{1, base}, math.MaxInt)
	m.add(&Entry{2, change(func(r *Record) { r.At = r.At.Add(mergeSpan) })}, math.MaxInt)
	if len(m.lines) != 1 || !m.lines[0].record.At.Equal(time.Unix(101, 0)) {
		t.Errorf("%d lines, of %v", len(m.lines), m.lines[0].record.At)
	}
}

var (
	errAway   = fmt.Errorf("away")
	errFailed = fmt.Errorf("failed")
)
