package cache

import (
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"
)

// gate counts the readers inside ristretto, and the hits, in counters that different goroutines rarely share. Each stripe
// packs both into one word so that entering and leaving are one atomic addition each: the low 24 bits are readers inside, the
// rest is hits.
type gate struct {
	stripes [stripes]stripe
	closed  atomic.Bool
}

const (
	stripes     = 64
	insideBits  = 24
	insideMask  = 1<<insideBits - 1
	leaveHit    = 1<<insideBits - 1 // one hit more, one reader fewer
	leaveNoHit  = ^uint64(0)        // one reader fewer
	stackChunks = 11                // the smallest goroutine stack is 2 KiB
)

type stripe struct {
	n atomic.Uint64
	_ [56]byte // a cache line each
}

// enter announces a reader. It returns nil when the gate is closed. The stripe is chosen by the address of the goroutine's
// stack: free to obtain, the same for a goroutine in a loop, and different between goroutines. A stack that moves in between
// does no harm, because the reader leaves by the stripe it entered.
func (g *gate) enter() *stripe {
	var here byte
	at := uintptr(unsafe.Pointer(&here)) >> stackChunks
	s := &g.stripes[(at*0x9e3779b1>>7)%stripes]
	s.n.Add(1)
	if g.closed.Load() {
		s.n.Add(leaveNoHit)
		return nil
	}
	return s
}

// hits returns how many readers left with a hit.
func (g *gate) hits() uint64 {
	var n uint64
	for i := range g.stripes {
		n += g.stripes[i].n.Load() >> insideBits
	}
	return n
}

// close lets nobody in and waits until everybody is out. A reader is inside for well under a microsecond, unless the scheduler
// parks it there. It reports whether this call was the first.
func (g *gate) close() bool {
	if !g.closed.CompareAndSwap(false, true) {
		return false
	}
	for i := range g.stripes {
		for spins := 0; g.stripes[i].n.Load()&insideMask != 0; spins++ {
			if spins < 100 {
				runtime.Gosched()
			} else {
				time.Sleep(10 * time.Microsecond)
			}
		}
	}
	return true
}
