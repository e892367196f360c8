package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entcache/entcache/bench/internal/measure"
	"github.com/entcache/entcache/bench/internal/report"
)

// script is a runner that finds the others as busy as it is told, call by call, and measures the number of the call.
func script(others ...float64) (runner, *int) {
	calls := 0
	return func(context.Context, step) (outcome, error) {
		o := outcome{others: others[min(calls, len(others)-1)]}
		calls++
		o.samples = []measure.Sample{{Subject: "s", Shape: "hot", Values: measure.Values{"ns/op": float64(calls)}}}
		return o, nil
	}, &calls
}

func TestDisturbedRoundsAreRepeated(t *testing.T) {
	for _, row := range []struct {
		name      string
		others    []float64
		patience  int
		kept      float64
		calls     int
		disturbed bool
	}{
		{"quiet", []float64{0.02}, 3, 1, 1, false},
		{"at the bound", []float64{tolerated}, 3, 1, 1, false},
		{"quiet at the third", []float64{0.5, 0.3, 0.1}, 3, 3, 3, false},
		{"never quiet: the best is kept, and says so", []float64{0.9, 0.3, 0.4, 0.5}, 3, 2, 4, true},
		{"nobody can tell", []float64{-1}, 3, 1, 1, false},
		{"no patience", []float64{0.9}, 0, 1, 1, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // it waits between two tries
				run, calls := script(row.others...)
				s := settings{rounds: 1, patience: row.patience}
				samples, thrown, err := rounds(t.Context(), s, []step{{name: "a"}}, run, io.Discard)
				if err != nil || len(samples) != 1 {
					t.Fatalf("%v (%v), want one sample", samples, err)
				}
				if got := samples[0]; got.Values["ns/op"] != row.kept || *calls != row.calls || thrown != row.calls-1 || got.Disturbed != row.disturbed {
					t.Errorf("kept run %v of %d, %d thrown away, disturbed %v; want %v of %d, disturbed %v",
						got.Values["ns/op"], *calls, thrown, got.Disturbed, row.kept, row.calls, row.disturbed)
				}
			})
		})
	}
}

func TestRoundsAreInterleaved(t *testing.T) {
	var order []string
	run := func(_ context.Context, st step) (outcome, error) {
		order = append(order, st.name)
		return outcome{}, nil
	}
	steps := []step{{name: "a"}, {name: "heavy", most: 1}, {name: "b"}}
	if _, _, err := rounds(t.Context(), settings{rounds: 3}, steps, run, io.Discard); err != nil {
		t.Fatal(err)
	}
	if want := strings.Fields("a heavy b a b a b"); !reflect.DeepEqual(order, want) {
		t.Errorf("ran %v, want %v", order, want)
	}
}

func TestAStepThatFailsEndsTheRun(t *testing.T) {
	broken := errors.New("broken")
	run := func(context.Context, step) (outcome, error) { return outcome{}, broken }
	if _, _, err := rounds(t.Context(), settings{rounds: 3}, []step{{name: "a"}}, run, io.Discard); !errors.Is(err, broken) || !strings.Contains(err.Error(), "a: ") {
		t.Errorf("%v, want the error of a", err)
	}
}

func TestOthers(t *testing.T) {
	const text = "cpu  100 10 50 9000 70 3 2 5 40 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
	worked, err := parseStat([]byte(text))
	if want := 170 * tick; err != nil || worked != want { // user, nice, system, irq, softirq, steal
		t.Errorf("worked %v (%v), want %v", worked, err, want)
	}
	for _, text := range []string{"", "cpu 1 2 3\n", "cpu a b c d e f g h\n", "intr 1 2 3 4 5 6 7 8\n"} {
		if worked, err := parseStat([]byte(text)); err == nil {
			t.Errorf("%q is read as %v", text, worked)
		}
	}
	at := time.Now()
	before := busy{at, 10 * time.Second, true}
	after := busy{at.Add(2 * time.Second), 13 * time.Second, true}
	if got := others(before, after, 2*time.Second); got != 0.5 {
		t.Errorf("3 s worked in 2 s, 2 of them our own: others %v, want 0.5", got)
	}
	if got := others(before, after, 4*time.Second); got != 0 {
		t.Errorf("what ticks leave out makes others %v, want 0", got)
	}
	if got := others(busy{}, after, 0); got != -1 {
		t.Errorf("without a figure others are %v, want -1", got)
	}
}

func TestBenchmarksAreRead(t *testing.T) {
	const text = "goos: linux\nBenchmarkSkipEvent-2   \t 100\t 11.5 ns/op\t 3 MB/s\t 16 B/op\t 0 allocs/op\nBenchmarkApply/kind=set 5 7 ns/op\nPASS\n"
	got, err := readBenchmarks(strings.NewReader(text), "gql")
	want := []measure.Sample{
		{Subject: "gql", Shape: "SkipEvent", Values: measure.Values{"ns/op": 11.5, "MB/s": 3, "B/op": 16, "allocs/op": 0}},
		{Subject: "gql", Shape: "Apply,kind=set", Values: measure.Values{"ns/op": 7}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %v (%v), want %v", got, err, want)
	}
	if got, err := readBenchmarks(strings.NewReader("PASS\n"), "gql"); err == nil {
		t.Errorf("no benchmark is read as %v", got)
	}
}

func TestTheCommandLine(t *testing.T) {
	for _, row := range []struct{ args, want string }{
		{"-rounds 0", "-rounds"},
		{"-time -1s", "-time"},
		{"-patience -1", "-patience"},
		{"-only (", "-only"},
		{"-quick -curves", "choose one"},
		{"-from x.json -quick", "-from"},
		{"-gate nowhere.json", "nowhere.json"},
		{"fast", `"fast"`},
		{"-quik", "quik"},
	} {
		if _, err := parse(strings.Fields(row.args), io.Discard); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%q: %v, want an error with %q", row.args, err, row.want)
		}
	}
	s, err := parse(strings.Fields("-quick -rounds 2"), io.Discard)
	if err != nil || s.rounds != 2 || s.time != quickTime || s.patience != 0 || s.dir != "" {
		t.Errorf("%+v (%v): what is given goes first, and a quick run writes nothing", s, err)
	}
	if s, err = parse(nil, io.Discard); err != nil || s.rounds != 6 || s.patience != 3 || s.dir == "" {
		t.Errorf("%+v (%v): the run for the record has six rounds and is written", s, err)
	}
	if s, err = parse(strings.Fields("-only nobody"), io.Discard); err != nil {
		t.Fatal(err)
	}
	if _, err := s.steps(); err == nil || !strings.Contains(err.Error(), "ristretto bundle") {
		t.Errorf("%v, want an error that says what there is", err)
	}
}

// measured is what a plan would give, if everything were measured.
func measured(steps []step) map[string]bool {
	names := map[string]bool{}
	for _, st := range steps {
		names[st.name] = true
	}
	return names
}

// TestTargetsNameWhatIsMeasured: a target whose step is renamed would never be judged again.
func TestTargetsNameWhatIsMeasured(t *testing.T) {
	gate, err := report.LoadTargets(filepath.Join("..", "..", "gate.json"))
	if err != nil {
		t.Fatal(err)
	}
	quick, err := settings{quick: true, only: regexp.MustCompile("")}.steps()
	if err != nil {
		t.Fatal(err)
	}
	hold := func(list []report.Target, steps map[string]bool) {
		for _, target := range list {
			refs := []report.Ref{target.Of}
			for _, term := range target.To {
				refs = append(refs, term.Ref)
			}
			for _, ref := range refs {
				if step, _, _ := strings.Cut(string(ref), "/"); !steps[step] {
					t.Errorf("%s: nothing that is run measures %q", target.Name, ref)
				}
			}
		}
	}
	hold(targets, measured(comparison))
	hold(gate, measured(quick))
}

func TestTheGateNamesTheRow(t *testing.T) {
	r := &report.Run{}
	for round, v := range []float64{300, 120, 310} { // most of them were unlucky
		r.Samples = append(r.Samples,
			report.Sample{Step: "ours", Shape: "hot", Round: round, Values: measure.Values{"ns/op": v}},
			report.Sample{Step: "floor", Shape: "hot", Round: round, Values: measure.Values{"ns/op": 100}})
	}
	target := report.Target{Name: "a hit", Of: "ours/hot ns/op", To: []report.Term{{Times: 1, Ref: "floor/hot ns/op"}}, AtMost: 1.5}
	if err := judge([]report.Target{target}, r, io.Discard); err != nil {
		t.Errorf("the best round passes: %v", err)
	}
	target.AtMost = 1.1
	gone := report.Target{Name: "what is gone", Of: "ours/cold ns/op", AtMost: 1e9}
	err := judge([]report.Target{target, gone}, r, io.Discard)
	if !errors.Is(err, errGate) || !strings.Contains(err.Error(), "a hit is 1.2 ") || !strings.Contains(err.Error(), "what is gone") {
		t.Errorf("%v, want a shut gate that names both", err)
	}
}

// TestChartsAreDrawnFromTheFile: what was measured can be drawn again.
func TestChartsAreDrawnFromTheFile(t *testing.T) {
	dir := t.TempDir()
	r := &report.Run{Date: time.Date(2026, 11, 28, 7, 0, 0, 0, time.UTC), Command: "test"}
	add := func(step, shape string, v float64) {
		r.Samples = append(r.Samples, report.Sample{Step: step, Shape: shape, Round: 1, Values: measure.Values{"ns/op": v}})
	}
	add("entcache", "hot", 60)
	add("ristretto", "hot", 50)
	for _, at := range curveRates {
		add(curveStep("updates", "rate", at), "random", 100+float64(at))
	}
	file := filepath.Join(dir, "2026-11-28.json")
	if err := r.Save(file); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run(t.Context(), []string{"-from", file, "-dir", dir}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"check-hot.svg", "curve-rate.svg"} {
		if _, err := os.Stat(filepath.Join(dir, "charts", name)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "charts", "check-random.svg")); err == nil {
		t.Error("a chart is drawn of what was not measured")
	}
	if !strings.Contains(out.String(), "entcache") || !strings.Contains(out.String(), "not measured") {
		t.Errorf("the table lacks entcache, or the verdicts:\n%s", out.String())
	}
}

func TestTopIsFoundFromBelow(t *testing.T) {
	root := t.TempDir()
	below := filepath.Join(root, "bench", "cmd")
	if err := os.MkdirAll(below, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := top(below); err == nil || !strings.Contains(err.Error(), "go run ./bench/cmd/compare") {
		t.Errorf("outside of the repository: %v, want an error that says where to run it", err)
	}
	if err := os.WriteFile(filepath.Join(root, "go.work"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := top(below); err != nil || got != root {
		t.Errorf("top(%s) = %s (%v), want %s", below, got, err, root)
	}
}
