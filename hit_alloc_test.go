//go:build !race

// Under the race detector sync.Pool drops half of what it is given, and ristretto's read buffer with it: what would be counted
// is the detector's doing.

package entcache_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/entcache/entcache"
)

func TestHotHitAllocatesNothing(t *testing.T) {
	customers, features := names("customer", 1), names("feature", 20)
	c := resident(t, customers, features)
	ctx := context.Background()
	q := entcache.Query{CustomerID: customers[0], FeatureID: features[13], RequestedUsage: 1}
	c.GetEntitlement(ctx, q)
	bound := c.Bind(q)
	for name, check := range map[string]func(){
		"GetEntitlement": func() { c.GetEntitlement(ctx, q) },
		"Bound.Check":    func() { bound.Check() },
	} {
		// The first hit in a tick of the clock tells ristretto, whose read buffer is new after each 64; and the first check of a bound
		// question keeps its answer. testing.AllocsPerRun rounds down, and would not see one in two.
		const hits = 64_000
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range hits {
			check()
		}
		runtime.ReadMemStats(&after)
		if n := after.Mallocs - before.Mallocs; n > hits/1000 {
			t.Errorf("%d hits of %s allocate %d times", hits, name, n)
		}
	}
}
