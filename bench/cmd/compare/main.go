package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"time"

	"github.com/entcache/entcache/bench/internal/report"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errGate):
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(2)
	}
}

// settings are the command line.
type settings struct {
	rounds   int
	time     time.Duration
	patience int // how often a step is repeated in a round when it was disturbed
	only     *regexp.Regexp
	quick    bool
	curves   bool
	dir      string // empty: write nothing
	gate     []report.Target
	from     string
}

const quickRounds, quickTime = 5, 100 * time.Millisecond

func parse(args []string, stderr io.Writer) (settings, error) {
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, "compare measures entcache beside what it could be made of and beside other libraries, which are downloaded at the first time,\n"+
			"and prints which of its targets are met. It takes some ten minutes, on a machine that has nothing else to do. With -quick it takes half\n"+
			"a minute and says nothing of targets: give it -gate bench/gate.json, as CI does.\n\n")
		flags.PrintDefaults()
	}
	var s settings
	flags.IntVar(&s.rounds, "rounds", 6, fmt.Sprintf("how often each subject runs (%d with -quick)", quickRounds))
	flags.DurationVar(&s.time, "time", 500*time.Millisecond, fmt.Sprintf("how long each shape is timed (%v with -quick)", quickTime))
	flags.IntVar(&s.patience, "patience", 3, "how often a measurement is repeated while other processes are busy (0 with -quick)")
	only := flags.String("only", "", "run the subjects whose names match this regular expression")
	flags.BoolVar(&s.quick, "quick", false, "short rounds, of what a gate needs; a gate takes the best of all, so none is repeated")
	flags.BoolVar(&s.curves, "curves", false, "measure how it scales, instead of the comparison")
	flags.StringVar(&s.dir, "dir", filepath.Join("bench", "results"), "where results and charts are written")
	gate := flags.String("gate", "", "a file of targets, each of which must be met by the best of all rounds")
	flags.StringVar(&s.from, "from", "", "run nothing: take this file of results")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if s.quick && !given["rounds"] {
		s.rounds = quickRounds
	}
	if s.quick && !given["time"] {
		s.time = quickTime
	}
	if s.quick && !given["patience"] {
		s.patience = 0
	}
	if (s.quick || *only != "") && !given["dir"] {
		s.dir = ""
	}
	var err error
	switch {
	case flags.NArg() > 0:
		return s, fmt.Errorf("%q is not understood: everything is a flag", flags.Arg(0))
	case s.rounds < 1 || s.time <= 0:
		return s, errors.New("-rounds and -time must be positive")
	case s.patience < 0:
		return s, errors.New("-patience must not be negative: 0 keeps every round")
	case s.quick && s.curves:
		return s, errors.New("-quick and -curves: choose one, there are no quick curves")
	case s.from != "" && (s.quick || s.curves || *only != ""):
		return s, errors.New("-from runs nothing: -quick, -curves and -only have no meaning with it")
	}
	if s.only, err = regexp.Compile(*only); err != nil {
		return s, fmt.Errorf("-only: %w", err)
	}
	if *gate != "" {
		if s.gate, err = report.LoadTargets(*gate); err != nil {
			return s, fmt.Errorf("-gate: %w", err)
		}
	}
	return s, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, err := parse(args, stderr)
	if err != nil {
		return err
	}
	var result *report.Run
	if s.from != "" {
		if result, err = report.Load(s.from); err != nil {
			return err
		}
	} else {
		if result, err = measureAll(ctx, s, args, stderr); err != nil {
			return err
		}
	}
	if err := write(s, result, stderr); err != nil {
		return err
	}
	var verdicts []report.Verdict
	if !s.quick && result.Stats("entcache/hot ns/op").N > 0 {
		for _, t := range targets {
			verdicts = append(verdicts, t.Judge(result))
		}
	}
	if err := result.Print(stdout, verdicts); err != nil {
		return err
	}
	return judge(s.gate, result, stdout)
}

// write saves what was measured, and draws it.
func write(s settings, result *report.Run, stderr io.Writer) error {
	if s.dir == "" {
		return nil
	}
	if s.from == "" {
		if err := os.MkdirAll(s.dir, 0o755); err != nil {
			return err
		}
		name := result.Date.UTC().Format(time.DateOnly)
		if s.curves {
			name += "-curves"
		}
		name = filepath.Join(s.dir, name+".json")
		if err := result.Save(name); err != nil {
			return err
		}
		fmt.Fprintln(stderr, "wrote", name)
	}
	return draw(filepath.Join(s.dir, "charts"), result, stderr)
}

// errGate is wrapped by the error of a gate that is shut.
var errGate = errors.New("the gate is shut")

// judge holds a run to a gate.
func judge(gate []report.Target, result *report.Run, stdout io.Writer) error {
	if len(gate) == 0 {
		return nil
	}
	var shut []error
	fmt.Fprintln(stdout, "\ngate, by the best of all rounds")
	for _, t := range gate {
		v := t.JudgeBest(result)
		fmt.Fprintf(stdout, "%-12s %s: %.3g, at most %v\n", v, v.Name, v.Value, v.AtMost)
		if !v.Met() {
			shut = append(shut, fmt.Errorf("%s is %.3g (%v), and may be at most %v", v.Name, v.Value, v, v.AtMost))
		}
	}
	if len(shut) > 0 {
		return fmt.Errorf("%w: %w", errGate, errors.Join(shut...))
	}
	return nil
}
