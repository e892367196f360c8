package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/entcache/entcache/bench/internal/chart"
	"github.com/entcache/entcache/bench/internal/report"
)

// draw writes the charts that a run has the figures for.
func draw(dir string, r *report.Run, progress io.Writer) error {
	pictures := map[string]string{}
	note := fmt.Sprintf("%d CPUs, %s, %s, %s", r.Machine.CPUs, r.Machine.Model, r.Machine.Toolchain, r.Date.Format("2 January 2006"))
	for shape, title := range map[string]string{
		"hot": "One check, the same one again and again", "random": "One check, of 10,000 customers × 20 features at random",
	} {
		if bars := checks(r, shape); len(bars) > 1 {
			pictures["check-"+shape] = chart.Bars(title, "median and spread; logarithmic; "+note, legend, bars)
		}
	}
	for _, c := range []struct {
		file, along, shape, title string
		across                    string
		subjects                  []string
		places                    []int
	}{
		{"customers", "customers", "random", "A random check, by resident customers", "customers, 20 features each", curveSubjects, curveCustomers},
		{"customers-skewed", "customers", "skewed", "A check of the popular few, by resident customers", "customers, 20 features each", curveSubjects, curveCustomers},
		{"features", "features", "random", "A random check, by features of a customer", "features of each of 1,000 customers", curveSubjects, curveFeatures},
		{"readers", "readers", "random-parallel", "A random check, by readers at once", "goroutines", curveSubjects, curveReaders},
		{"rate", "rate", "random", "A random check, while updates arrive", "updates of usage a second, on the socket", []string{"updates"}, curveRates},
	} {
		var lines []chart.Curve
		for _, subject := range c.subjects {
			line := chart.Curve{Name: subject}
			for _, at := range c.places {
				name := curveStep(subject, c.along, at) + "/" + c.shape
				s := r.Stats(report.Ref(name + " ns/op"))
				if s.N == 0 {
					continue
				}
				x := float64(at)
				if came := r.Stats(report.Ref(name + " updates/s")); came.N > 0 {
					x = came.Median // what was asked for may be more than this machine can bring
				}
				line.Points = append(line.Points, chart.Point{X: x, Y: s.Median, Low: s.Min, High: s.Max})
			}
			if line.Name == "updates" {
				line.Name = "entcache"
			}
			if len(line.Points) > 1 {
				lines = append(lines, line)
			}
		}
		if len(lines) > 0 {
			pictures["curve-"+c.file] = chart.Curves(c.title, "time of one; median and spread; "+note, chart.Axis{Name: c.across, Format: chart.Count}, lines)
		}
	}
	if len(pictures) == 0 {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, svg := range pictures {
		name = filepath.Join(dir, name+".svg")
		if err := os.WriteFile(name, []byte(svg), 0o644); err != nil {
			return err
		}
		fmt.Fprintln(progress, "drew", name)
	}
	return nil
}

// legend is what the bars are, in the order of their kinds.
var legend = []string{"entcache", "a store with nothing around it", "another library, or the network"}

// kind is the position in the legend of a step.
func kind(step string) int {
	if strings.HasPrefix(step, "entcache") {
		return 0
	}
	for _, st := range comparison {
		if st.name == step && (st.program == ours || step == "otter" || step == "xsync") {
			return 1
		}
	}
	return 2
}

// checks are the subjects that answer questions, the quickest first.
func checks(r *report.Run, shape string) []chart.Bar {
	var bars []chart.Bar
	for _, step := range r.Steps() {
		s := r.Stats(report.Ref(step + "/" + shape + " ns/op"))
		if s.N == 0 || strings.Contains(step, "=") || r.Stats(report.Ref(step+"/hot ns/op")).N == 0 {
			continue
		}
		bars = append(bars, chart.Bar{Name: step, Value: s.Median, Low: s.Min, High: s.Max, Kind: kind(step)})
	}
	slices.SortStableFunc(bars, func(a, b chart.Bar) int { return cmp.Compare(a.Value, b.Value) })
	return bars
}
