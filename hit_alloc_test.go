//go:build !race

// Under the race detector sync.Pool drops half of what it is given, and ristretto's read buffer with it: what would be counted
// is the detector's doing.

package entcache_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/entitlements"
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

// severed is a source that answers, and whose stream ends once and does not come back.
type severed struct {
	residentSource
	cut chan struct{}
}

func (s severed) Subscribe(context.Context, func(entcache.Key) bool) (entcache.Stream, error) {
	select {
	case <-s.cut:
		return nil, errors.New("severed")
	default:
		return &severedStream{cut: s.cut}, nil
	}
}

type severedStream struct {
	told bool
	cut  chan struct{}
}

func (s *severedStream) Next(ctx context.Context) (entitlements.Event, error) {
	if !s.told {
		s.told = true
		return entitlements.Event{Kind: entitlements.EventSubscribed}, nil
	}
	select {
	case <-s.cut:
		return entitlements.Event{}, errors.New("severed")
	case <-ctx.Done():
		return entitlements.Event{}, ctx.Err()
	}
}

func (s *severedStream) Close() error { return nil }

// TestStaleHitAllocatesNothing: an outage is no time for garbage.
func TestStaleHitAllocatesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := severed{residentSource{names("feature", 20)}, make(chan struct{})}
		c, err := entcache.New("key", entcache.WithSource(s))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		q := entcache.Query{CustomerID: "acme", FeatureID: s.features[13], RequestedUsage: 1}
		bound := c.Bind(q)
		if d := bound.Check(); d.Origin() != entcache.Fetched {
			t.Fatal(d.Origin())
		}
		close(s.cut)
		synctest.Wait()
		for name, check := range map[string]func() entcache.Decision{
			"GetEntitlement": func() entcache.Decision { d, _ := c.GetEntitlement(t.Context(), q); return d },
			"Bound.Check":    func() entcache.Decision { return bound.Check().Decision() },
		} {
			if d := check(); d.Origin != entcache.Stale {
				t.Fatalf("%s: %v, want Stale", name, d.Origin)
			}
			if n := testing.AllocsPerRun(1000, func() { check() }); n != 0 {
				t.Errorf("%s allocates %v times while Stale", name, n)
			}
		}
	})
}
