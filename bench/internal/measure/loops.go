package measure

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Store answers questions. Ask asks n questions of a walk, from position from on and round it, and returns how many were answered
// with yes. The loop is the store's own, so that no call through an interface is in the figures; the length of a walk is a power of
// two. It is called by many goroutines at once.
type Store interface {
	Ask(walk []Question, from, n int) int
	Close()
}

// Shapes are the ways in which questions are asked, by name.
var Shapes = []string{"hot", "hot-parallel", "random", "random-parallel"}

// Skewed is a shape that is asked for by name only.
const Skewed = "skewed"

// batchTime is how long a batch takes at least: reading the clock around it is lost in it then.
const batchTime = 200 * time.Microsecond

// Time measures one shape for about d, after a fifth of that to warm up; Skewed after once round its walk, so that what is popular is in
// the processor's caches. readers is how many goroutines ask at once in a parallel shape; 0 is one for each processor.
func Time(s Store, data Data, shape string, d time.Duration, readers int) (Values, error) {
	walk := data.Hot()
	switch shape {
	case "hot", "hot-parallel":
	case "random", "random-parallel":
		walk = data.Random()
	case Skewed:
		walk = data.Skewed()
	default:
		return nil, fmt.Errorf("shape %q: use one of %q or %q", shape, Shapes, Skewed)
	}
	batch, err := warm(s, walk, d/5)
	if err != nil {
		return nil, err
	}
	if shape == Skewed {
		s.Ask(walk, 0, len(walk))
	}
	parallel := shape == "hot-parallel" || shape == "random-parallel"
	switch {
	case !parallel:
		readers = 1
	case readers == 0:
		readers = runtime.GOMAXPROCS(0)
	}
	var before, after runtime.MemStats
	runtime.GC() // what loading left is not the measurement's to collect
	runtime.ReadMemStats(&before)
	asked, elapsed, err := ask(s, walk, batch, readers, d)
	runtime.ReadMemStats(&after)
	if err != nil {
		return nil, err
	}
	n := float64(asked)
	return Values{
		"ns/op": float64(elapsed.Nanoseconds()) / n,
		// Rounded down, as package testing does: what a store leaves behind every thousand questions is in B/op.
		"allocs/op": math.Floor(float64(after.Mallocs-before.Mallocs) / n),
		"B/op":      math.Floor(float64(after.TotalAlloc-before.TotalAlloc) / n),
	}, nil
}

// warm asks for a while and returns how many questions make a batch.
func warm(s Store, walk []Question, d time.Duration) (batch int, err error) {
	batch = 16
	for begun := time.Now(); ; {
		t := time.Now()
		if got := s.Ask(walk, 0, batch); got != batch {
			return 0, fmt.Errorf("%d of %d questions are answered with yes, want all: the subject is not set up", got, batch)
		}
		switch took := time.Since(t); {
		case took < batchTime:
			batch *= 2
		case time.Since(begun) > d:
			return batch, nil
		}
	}
}

// ask has readers ask for about d, and returns how many questions they asked in how much time.
func ask(s Store, walk []Question, batch, readers int, d time.Duration) (asked int, elapsed time.Duration, err error) {
	begun := time.Now()
	if readers == 1 {
		for elapsed < d {
			if got := s.Ask(walk, asked, batch); got != batch {
				return 0, 0, fmt.Errorf("%d of %d questions are answered with yes while it is timed", got, batch)
			}
			asked += batch
			elapsed = time.Since(begun)
		}
		return asked, elapsed, nil
	}
	var total, wrong atomic.Int64
	var group sync.WaitGroup
	for i := range readers {
		group.Go(func() {
			from := i * len(walk) / readers
			n := 0
			for n == 0 || time.Since(begun) < d { // who comes late on a busy machine asks, too: no time is the time of no question
				if got := s.Ask(walk, from+n, batch); got != batch {
					wrong.Add(1)
					break
				}
				n += batch
			}
			total.Add(int64(n))
		})
	}
	group.Wait()
	elapsed = time.Since(begun)
	if wrong.Load() > 0 {
		return 0, 0, fmt.Errorf("%d of %d readers were answered with no while it was timed", wrong.Load(), readers)
	}
	return int(total.Load()), elapsed, nil
}
