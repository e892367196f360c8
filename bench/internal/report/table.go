package report

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/entcache/entcache/bench/internal/measure"
)

// Floor is the step that the checks of all others are set against.
const Floor = "ristretto"

// Print writes everything there is to say about a run, and the verdicts.
func (r *Run) Print(w io.Writer, verdicts []Verdict) error {
	m := r.Machine
	fmt.Fprintf(w, "date     %s, load %s\nmachine  %d CPUs, %s, %s\ngo       %s\ncommit   %s\ncommand  %s\n",
		r.Date.UTC().Format("2006-01-02 15:04 UTC"), m.Load, m.CPUs, m.Model, m.System, m.Toolchain, m.Commit, r.Command)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	r.checks(t)
	if err := t.Flush(); err != nil {
		return err
	}
	t = tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	r.others(t)
	if len(verdicts) > 0 {
		fmt.Fprint(t, "\ntarget\tmeasured\tat most\tverdict\n")
		for _, v := range verdicts {
			measured := "-"
			if v.Measured {
				measured = figure(v.Value) + v.unit()
			}
			fmt.Fprintf(t, "%s\t%s\t%s%s\t%v\n", v.Name, measured, figure(v.AtMost), v.unit(), v)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return r.disturbances(w)
}

// unit is that of a target: a ratio is so many times.
func (t Target) unit() string {
	if len(t.To) > 0 {
		return "x"
	}
	_, _, unit, err := t.Of.split()
	if err != nil || strings.Contains(unit, "peak/") {
		return "x"
	}
	return " " + unit
}

// checks is the table of those that answer questions, a line each: medians and their spread in ns.
func (r *Run) checks(w io.Writer) {
	header := false
	for _, step := range r.Steps() {
		if r.Stats(Ref(step+"/hot ns/op")).N == 0 {
			continue
		}
		if !header {
			fmt.Fprintf(w, "\nns for a check, median [lowest, highest]\t%s\tto the floor\tallocs\tB\t\n", strings.Join(measure.Shapes, "\t"))
			header = true
		}
		fmt.Fprintf(w, "%s\t", step)
		for _, shape := range measure.Shapes {
			if s := r.Stats(Ref(step + "/" + shape + " ns/op")); s.N > 0 {
				fmt.Fprintf(w, "%s [%s, %s]", figure(s.Median), figure(s.Min), figure(s.Max))
			}
			fmt.Fprint(w, "\t")
		}
		floor := Target{Of: Ref(step + "/hot ns/op"), To: []Term{{1, Floor + "/hot ns/op"}}}.Judge(r)
		if floor.Measured {
			fmt.Fprintf(w, "%sx", figure(floor.Value))
		}
		fmt.Fprintf(w, "\t%s\t%s\t\n", figure(r.Stats(Ref(step+"/hot allocs/op")).Median), figure(r.Stats(Ref(step+"/hot B/op")).Median))
	}
}

// others are all that is not in the table of checks.
func (r *Run) others(w io.Writer) {
	header := false
	for _, step := range r.Steps() {
		if r.Stats(Ref(step+"/hot ns/op")).N > 0 {
			continue
		}
		units := map[string][]string{} // by shape
		for _, s := range r.Samples {
			if s.Step == step {
				units[s.Shape] = slices.Sorted(maps.Keys(s.Values))
			}
		}
		for _, shape := range slices.Sorted(maps.Keys(units)) {
			for _, unit := range units[shape] {
				if !header {
					fmt.Fprint(w, "\nmeasurement\tmedian\tlowest\thighest\trounds\n")
					header = true
				}
				s := r.Stats(Ref(step + "/" + shape + " " + unit))
				fmt.Fprintf(w, "%s/%s %s\t%s\t%s\t%s\t%d\n", step, shape, unit, figure(s.Median), figure(s.Min), figure(s.Max), s.N)
			}
		}
	}
}

// disturbances says how far the figures can be trusted.
func (r *Run) disturbances(w io.Writer) error {
	unknown := false
	worst, rounds := map[string]float64{}, map[string][]int{}
	for _, s := range r.Samples {
		unknown = unknown || s.Others < 0
		if s.Disturbed && !slices.Contains(rounds[s.Step], s.Round) {
			worst[s.Step], rounds[s.Step] = max(worst[s.Step], s.Others), append(rounds[s.Step], s.Round)
		}
	}
	fmt.Fprintf(w, "\n%d measurements were disturbed and repeated", r.Thrown)
	if unknown {
		fmt.Fprint(w, "; this system does not say what other processes take")
	}
	_, err := fmt.Fprintln(w)
	for _, step := range r.Steps() {
		if len(rounds[step]) > 0 {
			_, err = fmt.Fprintf(w, "disturbed, and kept: %s, in rounds %v: others took up to %.2f processors\n", step, rounds[step], worst[step])
		}
	}
	return err
}

// figure writes a number with three digits that mean something.
func figure(v float64) string {
	switch a := math.Abs(v); {
	case v == math.Trunc(v) && a < 1e15:
		return fmt.Sprintf("%d", int64(v))
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
