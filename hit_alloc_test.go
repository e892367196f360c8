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
	// Ristretto's own read buffer hands 64 hits at a time to its policy, and makes a new one for each that is taken: up to one
	// allocation in 64 hits, not ours. testing.AllocsPerRun rounds down, and would not see one in two.
	const hits = 64_000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range hits {
		c.GetEntitlement(ctx, q)
	}
	runtime.ReadMemStats(&after)
	if n := after.Mallocs - before.Mallocs; n > hits/32 {
		t.Errorf("%d hits allocate %d times", hits, n)
	}
}
