package entcache

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/entcache/entcache/entitlements"
)

// tick is how far the coarse clock may be behind. A decision at most that late about a period's end or a validUntil is as good
// as one that reached the server that much earlier; time.Now on every hit would double its cost.
const tick = 50 * time.Millisecond

// clock is the time as of the last tick, for the price of one atomic load.
type clock struct{ now atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.set()
	return c
}

func (c *clock) set() { c.now.Store(time.Now().UnixNano()) }

func (c *clock) load() entitlements.Instant { return entitlements.Instant(c.now.Load()) }

// run keeps the clock until ctx ends.
func (c *clock) run(ctx context.Context) {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			c.set()
		case <-ctx.Done():
			return
		}
	}
}
