package entcache_test

import (
	"context"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/dgraph-io/ristretto/v2"
	"github.com/dgraph-io/ristretto/v2/z"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/entitlements"
)

// The floor of every hit: a raw ristretto Get on a uint64 key, with the hashing of the same two ids and the comparison of the
// stored ones, the query built inside the loop as in the benchmark beside it.

type floorEntry struct{ customerID, featureID string }

func newFloor(b *testing.B, customers, features []string) *ristretto.Cache[uint64, *floorEntry] {
	b.Helper()
	c, err := ristretto.NewCache(&ristretto.Config[uint64, *floorEntry]{
		NumCounters: int64(10 * len(customers) * len(features)), MaxCost: 1 << 30, BufferItems: 64, IgnoreInternalCost: true,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	for _, cust := range customers {
		for _, f := range features {
			for !c.Set(floorHash(cust, f), &floorEntry{cust, f}, 1) {
				c.Wait()
			}
		}
	}
	c.Wait()
	return c
}

func floorHash(a, b string) uint64 {
	return bits.RotateLeft64(z.MemHashString(a), 23)*0x9e3779b97f4a7c15 ^ z.MemHashString(b)
}

func floorGet(c *ristretto.Cache[uint64, *floorEntry], q entcache.Query) bool {
	e, ok := c.Get(floorHash(q.CustomerID, q.FeatureID))
	return ok && e.customerID == q.CustomerID && e.featureID == q.FeatureID
}

// residentSource answers every fetch with the same twenty metered features, and has a stream on which nothing happens.
type residentSource struct{ features []string }

func (s residentSource) Fetch(_ context.Context, key entcache.Key) (*entitlements.Snapshot, error) {
	grants := make([]entcache.Grant, len(s.features))
	for i, id := range s.features {
		grants[i] = entcache.Grant{
			ID: id, FeatureType: entitlements.FeatureNumber, MeterType: entitlements.MeterIncremental, IsGranted: true,
			UsageLimit: 1000, HasUsageLimit: true, CurrentUsage: float64(i), EntitlementUpdatedAt: 1,
		}
	}
	return entitlements.NewSnapshot(key, "", grants), nil
}

func (residentSource) Subscribe(context.Context, func(entcache.Key) bool) (entcache.Stream, error) {
	return &quietStream{closed: make(chan struct{})}, nil
}

type quietStream struct {
	told   bool
	closed chan struct{}
}

func (s *quietStream) Next(ctx context.Context) (entitlements.Event, error) {
	if !s.told {
		s.told = true
		return entitlements.Event{Kind: entitlements.EventSubscribed}, nil
	}
	<-ctx.Done()
	return entitlements.Event{}, ctx.Err()
}

func (s *quietStream) Close() error { return nil }

func names(prefix string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s-%05d", prefix, i)
	}
	return list
}

// resident returns a Live client that holds the customers.
func resident(tb testing.TB, customers, features []string) *entcache.Client {
	tb.Helper()
	c, err := entcache.New("key", entcache.WithSource(residentSource{features}), entcache.WithRequestBudget(1<<30, 1<<30),
		entcache.WithMaxMemory(int64(len(customers)*len(features)+100)<<10))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	if err := c.Start(context.Background()); err != nil {
		tb.Fatal(err)
	}
	keys := make([]entcache.Key, len(customers))
	for i, id := range customers {
		keys[i].CustomerID = id
	}
	if err := c.Prefetch(context.Background(), keys, nil); err != nil {
		tb.Fatal(err)
	}
	return c
}

func BenchmarkFloorHot(b *testing.B) {
	customers, features := names("customer", 1), names("feature", 20)
	c := newFloor(b, customers, features)
	cust, feat := customers[0], features[13]
	b.ReportAllocs()
	for b.Loop() {
		q := entcache.Query{CustomerID: cust, FeatureID: feat, RequestedUsage: 1}
		if !floorGet(c, q) {
			b.Fatal("missing")
		}
	}
}

func BenchmarkGetEntitlementHotNoAlloc(b *testing.B) {
	customers, features := names("customer", 1), names("feature", 20)
	c := resident(b, customers, features)
	ctx := context.Background()
	cust, feat := customers[0], features[13]
	b.ReportAllocs()
	for b.Loop() {
		q := entcache.Query{CustomerID: cust, FeatureID: feat, RequestedUsage: 1}
		if d, _ := c.GetEntitlement(ctx, q); !d.HasAccess || d.Origin != entcache.Live {
			b.Fatal(d)
		}
	}
}

func BenchmarkFloorParallel(b *testing.B) {
	customers, features := names("customer", 1), names("feature", 20)
	c := newFloor(b, customers, features)
	cust, feat := customers[0], features[13]
	b.ReportAllocs()
	b.ResetTimer() // what came before would end the first round, on a slow machine
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			q := entcache.Query{CustomerID: cust, FeatureID: feat, RequestedUsage: 1}
			if !floorGet(c, q) {
				b.Error("missing")
				return
			}
		}
	})
}

func BenchmarkGetEntitlementParallelNoAlloc(b *testing.B) {
	customers, features := names("customer", 1), names("feature", 20)
	c := resident(b, customers, features)
	ctx := context.Background()
	cust, feat := customers[0], features[13]
	b.ReportAllocs()
	b.ResetTimer() // what came before would end the first round, on a slow machine
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			q := entcache.Query{CustomerID: cust, FeatureID: feat, RequestedUsage: 1}
			if d, _ := c.GetEntitlement(ctx, q); !d.HasAccess || d.Origin != entcache.Live {
				b.Error(d)
				return
			}
		}
	})
}

// pairs is a fixed random walk over customers and features, drawn before the clock starts.
func pairs(customers, features []string) [][2]string {
	r := rand.New(rand.NewPCG(1, 2))
	list := make([][2]string, 1<<16)
	for i := range list {
		list[i] = [2]string{customers[r.IntN(len(customers))], features[r.IntN(len(features))]}
	}
	return list
}

func BenchmarkFloorRandom(b *testing.B) {
	customers, features := names("customer", 10_000), names("feature", 20)
	c := newFloor(b, customers, features)
	walk := pairs(customers, features)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p := &walk[i&(len(walk)-1)]
		if !floorGet(c, entcache.Query{CustomerID: p[0], FeatureID: p[1], RequestedUsage: 1}) {
			b.Fatal("missing")
		}
	}
}

func BenchmarkGetEntitlementRandomNoAlloc(b *testing.B) {
	customers, features := names("customer", 10_000), names("feature", 20)
	c := resident(b, customers, features)
	walk := pairs(customers, features)
	ctx := context.Background()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p := &walk[i&(len(walk)-1)]
		if d, _ := c.GetEntitlement(ctx, entcache.Query{CustomerID: p[0], FeatureID: p[1], RequestedUsage: 1}); !d.HasAccess {
			b.Fatal(d)
		}
	}
}

// BenchmarkFloorBound is the least that finds a value which others replace: a load of a pointer, and an index.
func BenchmarkFloorBound(b *testing.B) {
	var set atomic.Pointer[[]float64]
	set.Store(&[]float64{13: 1000})
	b.ReportAllocs()
	for b.Loop() {
		if limit := (*set.Load())[13]; limit < 1 {
			b.Fatal(limit)
		}
	}
}

func BenchmarkBoundCheckNoAlloc(b *testing.B) {
	customers, features := names("customer", 1), names("feature", 20)
	c := resident(b, customers, features)
	bound := c.Bind(entcache.Query{CustomerID: customers[0], FeatureID: features[13], RequestedUsage: 1})
	b.ReportAllocs()
	for b.Loop() {
		if d := bound.Check(); !d.HasAccess() || d.Origin() != entcache.Live {
			b.Fatal(d.Decision())
		}
	}
}
