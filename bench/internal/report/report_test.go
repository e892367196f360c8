package report

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/entcache/entcache/bench/internal/measure"
)

func TestStatsOf(t *testing.T) {
	for _, row := range []struct {
		values []float64
		want   Stats
	}{
		{nil, Stats{}},
		{[]float64{7}, Stats{1, 7, 7, 7}},
		{[]float64{9, 1, 5}, Stats{3, 5, 1, 9}},
		{[]float64{9, 1, 5, 6}, Stats{4, 5.5, 1, 9}},
	} {
		if got := StatsOf(row.values); got != row.want {
			t.Errorf("StatsOf(%v) = %+v, want %+v", row.values, got, row.want)
		}
	}
}

// run has one measurement for each value, of the step and shape that the Ref names, in rounds from 1 on.
func run(values map[Ref][]float64) *Run {
	r := &Run{}
	for ref, list := range values {
		step, shape, unit, err := ref.split()
		if err != nil {
			panic(err)
		}
		for i, v := range list {
			r.Samples = append(r.Samples, Sample{Step: step, Shape: shape, Round: i + 1, Values: measure.Values{unit: v}})
		}
	}
	return r
}

func TestVerdicts(t *testing.T) {
	r := run(map[Ref][]float64{
		"ours/hot ns/op":     {100, 220, 300},
		"floor/hot ns/op":    {100, 200, 100}, // ratios 1, 1.1 and 3
		"post/load ns":       {100},
		"twice/load ns":      {100, 400}, // not in the third round
		"decode/load ns":     {50},
		"ours/hot allocs/op": {0, 0, 0},
	})
	floor := []Term{{1, "floor/hot ns/op"}}
	for _, row := range []struct {
		name        string
		target      Target
		value, best float64
		want        string
	}{
		{"the median of the ratios", Target{Of: "ours/hot ns/op", To: floor, AtMost: 1.2}, 1.1, 1, "met"},
		{"and not below it", Target{Of: "ours/hot ns/op", To: floor, AtMost: 1.05}, 1.1, 1, "MISSED"},
		{"a sum", Target{Of: "ours/hot ns/op", To: []Term{{1, "decode/load ns"}, {1.5, "post/load ns"}}, AtMost: 1}, 1.1, 0.5, "MISSED"},
		{"where all were", Target{Of: "ours/hot ns/op", To: []Term{{1, "floor/hot ns/op"}, {1, "twice/load ns"}}, AtMost: 1}, (0.5 + 220.0/600) / 2, 0.5, "met"},
		{"by itself", Target{Of: "ours/hot ns/op", AtMost: 220}, 220, 100, "met"},
		{"none is none", Target{Of: "ours/hot allocs/op", AtMost: 0}, 0, 0, "met"},
		{"not there", Target{Of: "theirs/hot ns/op", AtMost: 220}, 0, 0, "not measured"},
		{"nothing to set it against", Target{Of: "ours/hot ns/op", To: []Term{{1, "theirs/hot ns/op"}}, AtMost: 9}, 0, 0, "not measured"},
	} {
		v, best := row.target.Judge(r), row.target.JudgeBest(r)
		if v.String() != row.want || near(v.Value, row.value) || near(best.Value, row.best) || v.Met() != (row.want == "met") {
			t.Errorf("%s: %v, %v at best, is %v; want %v, %v, %s", row.name, v.Value, best.Value, v, row.value, row.best, row.want)
		}
	}
}

func near(a, b float64) bool { return a-b > 1e-9 || b-a > 1e-9 }

func TestRefs(t *testing.T) {
	step, shape, unit, err := Ref("entcache customers=10/hot-parallel ns/op").split()
	if step != "entcache customers=10" || shape != "hot-parallel" || unit != "ns/op" || err != nil {
		// The unit has a slash of its own.
		t.Errorf("split into %q, %q, %q (%v)", step, shape, unit, err)
	}
	for _, ref := range []Ref{"", "entcache", "entcache/hot", "entcache ns", "/hot ns", "entcache/ ns"} {
		if _, _, _, err := ref.split(); err == nil {
			t.Errorf("%q is taken for the name of a measurement", ref)
		}
	}
}

func TestResultsSurviveTheFile(t *testing.T) {
	r := run(map[Ref][]float64{"ours/hot ns/op": {1, 2.5}})
	r.Date, r.Command, r.Thrown = time.Date(2026, 11, 28, 7, 0, 0, 0, time.UTC), "compare -rounds 2", 3
	r.Machine = Machine{2, "a model", "Linux", "go1.26.8", "abc, with changes", "0.1 0.2 0.3"}
	r.Samples[1].Disturbed, r.Samples[1].Others = true, 0.5
	name := filepath.Join(t.TempDir(), "results.json")
	if err := r.Save(name); err != nil {
		t.Fatal(err)
	}
	got, err := Load(name)
	if err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("read %+v (%v), want %+v", got, err, r)
	}
	for _, text := range []string{"", "{}", "[]"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Load(name); err == nil || !strings.Contains(err.Error(), "results.json") {
			t.Errorf("%q is read as %+v (%v)", text, got, err)
		}
	}
}

// TestAGateIsShutOrSaysWhy: a file that is not understood must not be a gate without rows.
func TestAGateIsShutOrSaysWhy(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{`[]`, "no targets"},
		{`{}`, "no list"},
		{`[{"name":"a","of":"ours/hot ns/op","at_moist":1}]`, "at_moist"},
		{`[{"name":"a","of":"ours hot","at_most":1}]`, "names no measurement"},
		{`[{"name":"a","of":"ours/hot ns/op","to":[{"times":1,"ref":"floor"}],"at_most":1}]`, "names no measurement"},
		{`[{"name":"a","of":"ours/hot ns/op","to":[{"ref":"floor/hot ns/op"}],"at_most":1}]`, "times"},
		{`[{"name":"a","of":"ours/hot ns/op","to":[{"times":1,"ref":"floor/hot ns/op"}]}]`, "never be met"},
		{`[{"of":"ours/hot ns/op","at_most":1}]`, "no name"},
		{`[{"name":"a","of":"ours/hot ns/op","at_most":1}] []`, "goes on"},
	} {
		name := filepath.Join(t.TempDir(), "gate.json")
		if err := os.WriteFile(name, []byte(row.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if list, err := LoadTargets(name); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s is read as %v (%v), want an error with %q", row.text, list, err, row.want)
		}
	}
}

func TestTheTableSaysItAll(t *testing.T) {
	r := run(map[Ref][]float64{
		"ours/hot ns/op": {100, 110, 120}, Floor + "/hot ns/op": {50, 55, 60}, "event/set p50-us": {88.4}, "ours/hot allocs/op": {2},
	})
	r.Samples[0].Disturbed, r.Samples[0].Others, r.Thrown = true, 0.77, 5
	verdicts := []Verdict{
		Target{Name: "an event", Of: "event/set p50-us", AtMost: 50}.Judge(r),
		Target{Name: "a hit", Of: "ours/hot ns/op", To: []Term{{1, Floor + "/hot ns/op"}}, AtMost: 2.5}.Judge(r),
		Target{Name: "a miss", Of: "ours/cold ns/op", AtMost: 1}.Judge(r),
	}
	var text strings.Builder
	if err := r.Print(&text, verdicts); err != nil {
		t.Fatal(err)
	}
	words := strings.Join(strings.Fields(text.String()), " ")
	for _, want := range []string{
		"ours 110 [100, 120] 2x", "an event 88.4 p50-us 50 p50-us MISSED", "a hit 2x 2.50x met", "a miss - 1 ns/op not measured",
		"event/set p50-us 88.4 88.4 88.4 1", "5 measurements were disturbed", "others took up to 0.77 processors",
	} {
		if !strings.Contains(words, want) {
			t.Errorf("the table lacks %q:\n%s", want, text.String())
		}
	}
}
