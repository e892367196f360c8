package cache

import (
	"container/list"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/entcache/entcache/entitlements"
)

// lru is what the hit ratios are measured against: the plain textbook kind.
type lru struct {
	size  int
	order *list.List // of keys, the latest first
	at    map[int]*list.Element
}

func newLRU(size int) *lru { return &lru{size, list.New(), map[int]*list.Element{}} }

// read reports a hit; what is missed is inserted.
func (l *lru) read(key int) bool {
	if e, ok := l.at[key]; ok {
		l.order.MoveToFront(e)
		return true
	}
	if l.order.Len() == l.size {
		delete(l.at, l.order.Remove(l.order.Back()).(int))
	}
	l.at[key] = l.order.PushFront(key)
	return false
}

// traces are what is read, in order, of so many keys; a number beyond them is of a key that is read once only.
var traces = []struct {
	name string
	make func(keys, reads int) []int
}{
	{"zipf=1.01", func(keys, reads int) []int { return zipf(1.01, keys, reads) }},
	{"zipf=1.2", func(keys, reads int) []int { return zipf(1.2, keys, reads) }},
	{"zipf=1.01+scans", scans}, // of 20,000 reads, the last 5,000 are of keys that nobody reads again
	{"shifting", shifting},     // zipf=1.01, and the popular keys are others after every fifth of the trace
}

func zipf(s float64, keys, reads int) []int {
	r := rand.New(rand.NewPCG(1, 2))
	z := rand.NewZipf(r, s, 1, uint64(keys-1))
	trace := make([]int, reads)
	for i := range trace {
		trace[i] = int(z.Uint64())
	}
	return trace
}

func scans(keys, reads int) []int {
	trace := zipf(1.01, keys, reads)
	for i := range trace {
		if i%20_000 >= 15_000 {
			trace[i] = keys + i
		}
	}
	return trace
}

func shifting(keys, reads int) []int {
	trace := zipf(1.01, keys, reads)
	for i := range trace {
		trace[i] = (trace[i] + i/(reads/5)*keys/7) % keys
	}
	return trace
}

// BenchmarkHitRatio plays traces against the cache and against an LRU for as many keys as the cache may hold, a miss being
// inserted, and reports for both the part of the second half that was answered. What ristretto learns of the reads depends on the
// scheduler, so the figures move in the third decimal.
func BenchmarkHitRatio(b *testing.B) {
	const keys, reads, perTick = 100_000, 1_000_000, 100
	for _, tr := range traces {
		trace := tr.make(keys, reads)
		for _, percent := range []int{1, 10} {
			size := keys * percent / 100
			b.Run(fmt.Sprintf("%s/size=%d%%", tr.name, percent), func(b *testing.B) {
				ids := make([]string, keys+reads)
				for _, k := range trace {
					ids[k] = fmt.Sprintf("customer-%08d", k)
				}
				// Of the size for which the sketch is laid out. Smaller sets get fewer counters each, and a lower ratio.
				filler := typicalBytes - int(costOf(belief(entitlements.Key{CustomerID: ids[trace[0]]}, 0)))
				one := int64(typicalBytes)
				var hits, lruHits int
				for b.Loop() {
					hits, lruHits = 0, 0
					c := open(b, Config{MaxBytes: int64(size) * one})
					l := newLRU(size)
					for i, k := range trace {
						key := entitlements.Key{CustomerID: ids[k]}
						got, _ := c.Lookup(key.CustomerID, "", entitlements.Instant(i/perTick+1))
						if got == nil {
							c.Insert(key, belief(key, filler))
						}
						held := l.read(k)
						if i >= reads/2 {
							if got != nil {
								hits++
							}
							if held {
								lruHits++
							}
						}
					}
					c.Close()
				}
				b.ReportMetric(float64(hits)/(reads-reads/2), "hit-ratio")
				b.ReportMetric(float64(lruHits)/(reads-reads/2), "lru-hit-ratio")
			})
		}
	}
}
