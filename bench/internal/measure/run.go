package measure

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime/pprof"
	"slices"
	"strings"
	"time"
)

// Options are how a subject is measured.
type Options struct {
	Size
	Time    time.Duration // of one shape
	Readers int           // of parallel shapes; 0 is one for each processor
	Rate    int           // updates a second, of what has them
}

// Subject is one thing that is measured, in a process of its own.
type Subject struct {
	// Open loads a store, which is asked in every shape.
	Open func(Data) (Store, error)
	// Measure is instead of Open for what is not the answering of questions; it returns a value for each shape it has.
	Measure func(Options) (map[string]Values, error)
}

// Run is a program that measures one of the subjects, by its command line. It writes a [Sample] for each shape.
func Run(name string, args []string, stdout, stderr io.Writer, subjects map[string]Subject) error {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	known := slices.Sorted(maps.Keys(subjects))
	subject := flags.String("subject", "", "what to measure: one of "+strings.Join(known, ", "))
	shapes := flags.String("shapes", strings.Join(Shapes, ","), "how to ask a store, separated by commas; also "+Skewed)
	var o Options
	flags.IntVar(&o.Customers, "customers", 10_000, "customers that are loaded")
	flags.IntVar(&o.Features, "features", 20, "features of each")
	flags.DurationVar(&o.Time, "time", 500*time.Millisecond, "how long each shape is timed")
	flags.IntVar(&o.Readers, "readers", 0, "goroutines that ask at once in a parallel shape; 0 is one for each processor")
	flags.IntVar(&o.Rate, "rate", 0, "updates a second, of subjects that have them")
	profile := flags.String("cpuprofile", "", "write a profile of the processor to this `file`, by hand only: it costs")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("%q is not understood: everything is a flag", flags.Arg(0))
	case o.Customers < 1 || o.Features < 1 || o.Time <= 0 || o.Readers < 0 || o.Rate < 0:
		return errors.New("-customers, -features and -time must be positive, -readers and -rate not negative")
	}
	s, ok := subjects[*subject]
	if !ok {
		return fmt.Errorf("-subject %q: use one of %s", *subject, strings.Join(known, ", "))
	}
	stop, err := profiling(*profile)
	if err != nil {
		return err
	}
	found, err := s.measure(o, strings.Split(*shapes, ","))
	if err = errors.Join(err, stop()); err != nil {
		return fmt.Errorf("%s: %w", *subject, err)
	}
	for _, shape := range slices.Sorted(maps.Keys(found)) {
		if err := (Sample{*subject, shape, found[shape]}).Write(stdout); err != nil {
			return err
		}
	}
	return nil
}

// profiling writes a profile to a file, if one is named, from now until it is stopped.
func profiling(file string) (stop func() error, err error) {
	if file == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

func (s Subject) measure(o Options, shapes []string) (map[string]Values, error) {
	if s.Measure != nil {
		return s.Measure(o)
	}
	data := NewData(o.Size)
	store, err := s.Open(data)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	found := map[string]Values{}
	for _, shape := range shapes {
		if found[shape], err = Time(store, data, shape, o.Time, o.Readers); err != nil {
			return nil, err
		}
	}
	return found, nil
}
