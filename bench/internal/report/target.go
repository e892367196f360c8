package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Term is a measurement, a number of times.
type Term struct {
	Times float64 `json:"times"`
	Ref   Ref     `json:"ref"`
}

// Target is a promise about a run: a measurement, or its ratio to the sum of others in the same run, is at most so much.
type Target struct {
	Name   string  `json:"name"`
	Of     Ref     `json:"of"`
	To     []Term  `json:"to,omitempty"` // none: Of is judged by itself, in its unit
	AtMost float64 `json:"at_most"`
}

// Verdict is what became of a target.
type Verdict struct {
	Target
	Value    float64
	Measured bool // false: something that it needs was not
}

// Met reports whether the target was met; one that was not measured is not.
func (v Verdict) Met() bool { return v.Measured && v.Value <= v.AtMost }

func (v Verdict) String() string {
	switch {
	case !v.Measured:
		return "not measured"
	case v.Met():
		return "met"
	}
	return "MISSED"
}

// Judge takes a ratio within each round, where the machine was the same for both sides, and the median of those. What was measured
// in different rounds is compared by its medians.
func (t Target) Judge(r *Run) Verdict { return t.judge(r, roundRatio) }

// JudgeBest compares the best that each side did in any round: noise only ever adds.
func (t Target) JudgeBest(r *Run) Verdict {
	return t.judge(r, func(r *Run, t Target) (float64, bool) { return t.ratio(r, func(s Stats) float64 { return s.Min }) })
}

func (t Target) judge(r *Run, ratio func(*Run, Target) (float64, bool)) Verdict {
	v := Verdict{Target: t}
	v.Value, v.Measured = ratio(r, t)
	return v
}

func (t Target) ratio(r *Run, pick func(Stats) float64) (float64, bool) {
	of := r.Stats(t.Of)
	if of.N == 0 {
		return 0, false
	}
	if len(t.To) == 0 {
		return pick(of), true
	}
	sum := 0.0
	for _, term := range t.To {
		to := r.Stats(term.Ref)
		if to.N == 0 {
			return 0, false
		}
		sum += term.Times * pick(to)
	}
	return pick(of) / sum, sum > 0
}

func roundRatio(r *Run, t Target) (float64, bool) {
	var ratios []float64
	for round, v := range r.byRound(t.Of) {
		sum, whole := 0.0, true
		for _, term := range t.To {
			to, ok := r.byRound(term.Ref)[round]
			sum, whole = sum+term.Times*to, whole && ok
		}
		if whole && sum > 0 {
			ratios = append(ratios, v/sum)
		}
	}
	if len(t.To) == 0 || len(ratios) < 2 {
		return t.ratio(r, func(s Stats) float64 { return s.Median })
	}
	return StatsOf(ratios).Median, true
}

// check says what is wrong with a target.
func (t Target) check() error {
	var problems []error
	if strings.TrimSpace(t.Name) == "" {
		problems = append(problems, errors.New("it has no name"))
	}
	if t.AtMost < 0 || t.AtMost == 0 && len(t.To) > 0 {
		problems = append(problems, fmt.Errorf("at_most %v can never be met", t.AtMost))
	}
	_, _, _, err := t.Of.split()
	problems = append(problems, err)
	for _, term := range t.To {
		_, _, _, err := term.Ref.split()
		problems = append(problems, err)
		if term.Times <= 0 {
			problems = append(problems, fmt.Errorf("%q is taken %v times: give a positive number", term.Ref, term.Times))
		}
	}
	return errors.Join(problems...)
}

// LoadTargets reads a file with a list of targets, such as a gate.
func LoadTargets(name string) ([]Target, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var list []Target
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields() // a misspelt field would be a gate that is open
	if err := d.Decode(&list); err != nil {
		return nil, fmt.Errorf("%s is no list of targets: %w", name, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("%s goes on behind its list of targets", name)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s has no targets", name)
	}
	for i, t := range list {
		if err := t.check(); err != nil {
			return nil, fmt.Errorf("%s: target %d (%s): %w", name, i+1, t.Name, err)
		}
	}
	return list, nil
}
