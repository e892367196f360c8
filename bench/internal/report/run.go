package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/entcache/entcache/bench/internal/measure"
)

// Machine is where and of what a run was made: figures of two machines are not compared.
type Machine struct {
	CPUs      int    `json:"cpus"`
	Model     string `json:"model"`
	System    string `json:"system"`
	Toolchain string `json:"go"`
	Commit    string `json:"commit"` // with a word when there were changes on top
	Load      string `json:"load"`   // the load averages at the start
}

// Run is everything that was measured in one go.
type Run struct {
	Date    time.Time `json:"date"`
	Command string    `json:"command"`
	Machine Machine   `json:"machine"`
	Thrown  int       `json:"thrown"` // rounds that were disturbed, and were repeated
	Samples []Sample  `json:"samples,omitempty"`
}

// Sample is what one process measured in one round, in one shape.
type Sample struct {
	Step   string         `json:"step"`
	Shape  string         `json:"shape"`
	Round  int            `json:"round"`
	Values measure.Values `json:"values"`
	// Others is how many processors' worth of time everybody else took meanwhile; negative when nobody can tell.
	Others float64 `json:"others"`
	// Disturbed says that this was too much, and that what was kept is the least disturbed of the repetitions.
	Disturbed bool `json:"disturbed,omitempty"`
}

// Ref names a measurement: "step/shape unit", as in "entcache/hot ns/op".
type Ref string

// split returns the parts of a Ref. A unit has no space, a shape no slash; a step may have both.
func (r Ref) split() (step, shape, unit string, err error) {
	space := strings.LastIndexByte(string(r), ' ')
	if space < 0 {
		return "", "", "", fmt.Errorf("%q names no measurement: write it as step/shape unit", string(r))
	}
	name, unit := string(r[:space]), string(r[space+1:])
	slash := strings.LastIndexByte(name, '/')
	if slash < 1 || slash == len(name)-1 || unit == "" {
		return "", "", "", fmt.Errorf("%q names no measurement: write it as step/shape unit", string(r))
	}
	return name[:slash], name[slash+1:], unit, nil
}

// byRound returns what was measured, by round.
func (r *Run) byRound(ref Ref) map[int]float64 {
	step, shape, unit, err := ref.split()
	if err != nil {
		return nil
	}
	found := map[int]float64{}
	for _, s := range r.Samples {
		if v, ok := s.Values[unit]; ok && s.Step == step && s.Shape == shape {
			found[s.Round] = v
		}
	}
	return found
}

// Stats returns the statistics of a measurement; N is 0 when it was not made.
func (r *Run) Stats(ref Ref) Stats {
	var list []float64
	for _, v := range r.byRound(ref) {
		list = append(list, v)
	}
	return StatsOf(list)
}

// Steps returns the names of the steps, in the order in which they were measured first.
func (r *Run) Steps() []string {
	var list []string
	for _, s := range r.Samples {
		if !slices.Contains(list, s.Step) {
			list = append(list, s.Step)
		}
	}
	return list
}

// Save writes the run, for Load: a line for each sample, so that two runs can be read beside one another.
func (r *Run) Save(name string) error {
	head := *r
	head.Samples = nil
	text, err := json.MarshalIndent(head, "", " ")
	if err != nil {
		return err
	}
	text = append(bytes.TrimSuffix(text, []byte("\n}")), ",\n \"samples\": [\n"...)
	for i, s := range r.Samples {
		line, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("%s/%s: %w", s.Step, s.Shape, err)
		}
		if text = append(append(text, "  "...), line...); i < len(r.Samples)-1 {
			text = append(text, ',')
		}
		text = append(text, '\n')
	}
	return os.WriteFile(name, append(text, " ]\n}\n"...), 0o644)
}

// Load reads what Save wrote.
func Load(name string) (*Run, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var r Run
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%s is no file of results: %w", name, err)
	}
	if len(r.Samples) == 0 {
		return nil, fmt.Errorf("%s has no samples", name)
	}
	return &r, nil
}
