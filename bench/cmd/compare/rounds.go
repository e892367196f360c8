package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/entcache/entcache/bench/internal/measure"
	"github.com/entcache/entcache/bench/internal/report"
)

// outcome is what one process found.
type outcome struct {
	samples []measure.Sample
	others  float64
}

// runner runs a step once. It is a function for the sake of tests.
type runner func(context.Context, step) (outcome, error)

// rounds runs every step once before any runs again.
func rounds(ctx context.Context, s settings, steps []step, run runner, progress io.Writer) (samples []report.Sample, thrown int, err error) {
	for round := 1; round <= s.rounds; round++ {
		for i, st := range steps {
			if st.most > 0 && round > st.most {
				continue
			}
			fmt.Fprintf(progress, "round %d of %d, %d of %d: %s\n", round, s.rounds, i+1, len(steps), st.name)
			best, repeated, err := undisturbed(ctx, s, st, run, progress)
			if err != nil {
				return nil, 0, err
			}
			thrown += repeated
			for _, m := range best.samples {
				samples = append(samples, report.Sample{
					Step: st.name, Shape: m.Shape, Round: round, Values: m.Values, Others: best.others, Disturbed: disturbed(best.others),
				})
			}
		}
	}
	return samples, thrown, nil
}

// undisturbed runs a step until nobody else is busy, as often as the settings have patience, and returns the run that was disturbed least.
func undisturbed(ctx context.Context, s settings, st step, run runner, progress io.Writer) (best outcome, repeated int, err error) {
	for try := 1; ; try++ {
		got, err := run(ctx, st)
		if err != nil {
			return outcome{}, 0, fmt.Errorf("%s: %w", st.name, err)
		}
		if try == 1 || got.others < best.others {
			best = got
		}
		if !disturbed(got.others) || try > s.patience {
			return best, try - 1, nil
		}
		fmt.Fprintf(progress, "  disturbed: others took %.2f processors, %v are tolerated\n", got.others, tolerated)
		select {
		case <-ctx.Done():
			return outcome{}, 0, ctx.Err()
		case <-time.After(time.Second): // what disturbs may be about to end
		}
	}
}

// runner returns the runner of what was built.
func (p programs) runner(s settings) runner {
	return func(ctx context.Context, st step) (outcome, error) {
		args := append([]string{"-subject", st.subject, "-time", s.time.String()}, st.flags...)
		read := func(out io.Reader) ([]measure.Sample, error) { return measure.ReadSamples(out) }
		if st.program == gqlTests || st.program == syncTests {
			args = []string{"-test.run", "^$", "-test.bench", st.subject, "-test.benchmem", "-test.benchtime", s.time.String()}
			read = func(out io.Reader) ([]measure.Sample, error) { return readBenchmarks(out, st.name) }
		}
		var out, said bytes.Buffer
		cmd := exec.CommandContext(ctx, p.path[st.program], args...)
		cmd.Dir = p.dir[st.program]
		cmd.Stdout, cmd.Stderr = &out, &said
		before := readBusy()
		err := cmd.Run()
		after := readBusy()
		if err != nil {
			return outcome{}, fmt.Errorf("%w\n%s", err, strings.TrimSpace(out.String()+said.String()))
		}
		// A subject waits for the server that it starts, so the server's time is in its own.
		own := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		samples, err := read(&out)
		return outcome{samples, others(before, after, own)}, err
	}
}
