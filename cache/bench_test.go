package cache

import (
	"testing"

	"github.com/entcache/entcache/entitlements"
)

const benchKeys = 10_000

func benchCache(tb testing.TB) (*Cache, []entitlements.Key) {
	c := open(tb, Config{MaxBytes: 1 << 30})
	keys := make([]entitlements.Key, benchKeys)
	for i := range keys {
		keys[i] = customer(i)
		c.Insert(keys[i], belief(keys[i], 0))
	}
	return c, keys
}

func TestLookupAllocatesNothing(t *testing.T) {
	c, keys := benchCache(t)
	floor := testing.AllocsPerRun(10_000, func() { c.index.Get(hash(keys[1].CustomerID, keys[1].ResourceID)) })
	now := entitlements.Instant(0)
	got := testing.AllocsPerRun(10_000, func() {
		now++
		c.Lookup(keys[1].CustomerID, keys[1].ResourceID, now)
	})
	if got > floor {
		t.Errorf("Lookup allocates %v times, ristretto's Get %v", got, floor)
	}
}

func BenchmarkLookupNoAlloc(b *testing.B) {
	c, keys := benchCache(b)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		k := &keys[i%benchKeys]
		if got, _ := c.Lookup(k.CustomerID, k.ResourceID, 1); got == nil {
			b.Fatal("miss")
		}
		i++
	}
}

// BenchmarkRistrettoGet is the floor of BenchmarkLookupNoAlloc: the same keys, hashed and compared the same way.
func BenchmarkRistrettoGet(b *testing.B) {
	c, keys := benchCache(b)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		k := &keys[i%benchKeys]
		if cl, ok := c.index.Get(hash(k.CustomerID, k.ResourceID)); !ok || !cl.is(k.CustomerID, k.ResourceID) {
			b.Fatal("miss")
		}
		i++
	}
}

func BenchmarkLookupParallelNoAlloc(b *testing.B) {
	c, keys := benchCache(b)
	b.ReportAllocs()
	b.ResetTimer() // what came before would end the first round, on a slow machine
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			k := &keys[i%benchKeys]
			c.Lookup(k.CustomerID, k.ResourceID, 1)
		}
	})
}
