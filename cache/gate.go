package cache

import (
	"runtime"
	"sync/atomic"
	"time"
)

// gate counts the readers inside ristretto, in counters that different goroutines rarely share, so that Close can wait for them.
type gate struct {
	inside tally
	closed atomic.Bool
}

// enter announces a reader. It returns nil when the gate is closed.
func (g *gate) enter() *stripe {
	s := g.inside.stripe()
	s.n.Add(1)
	if g.closed.Load() {
		s.leave()
		return nil
	}
	return s
}

// leave is said to the stripe that was entered: the goroutine's own may be another meanwhile.
func (s *stripe) leave() { s.n.Add(^uint64(0)) }

// close lets nobody in and waits until everybody is out. A reader is inside for well under a microsecond, unless the scheduler
// parks it there. It reports whether this call was the first.
func (g *gate) close() bool {
	if !g.closed.CompareAndSwap(false, true) {
		return false
	}
	for i := range g.inside.stripes {
		for spins := 0; g.inside.stripes[i].n.Load() != 0; spins++ {
			if spins < 100 {
				runtime.Gosched()
			} else {
				time.Sleep(10 * time.Microsecond)
			}
		}
	}
	return true
}
