package cache

import (
	"sync/atomic"
	"unsafe"
)

// tally is a counter in stripes that different goroutines rarely share.
type tally struct{ stripes [stripes]stripe }

const (
	stripes     = 64
	stackChunks = 11 // the smallest goroutine stack is 2 KiB
)

type stripe struct {
	n atomic.Uint64
	_ [56]byte // a cache line each
}

// stripe chooses by the address of the goroutine's stack: free to obtain, the same for a goroutine in a loop, and different between
// goroutines. A stack that moves in between does no harm.
func (t *tally) stripe() *stripe {
	var here byte
	at := uintptr(unsafe.Pointer(&here)) >> stackChunks
	return &t.stripes[(at*0x9e3779b1>>7)%stripes]
}

func (t *tally) add() { t.stripe().n.Add(1) }

func (t *tally) sum() (n uint64) {
	for i := range t.stripes {
		n += t.stripes[i].n.Load()
	}
	return n
}
