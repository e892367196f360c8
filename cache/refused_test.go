//go:build !race

// Under the race detector sync.Pool forgets at random, and with it ristretto the reads that it had not counted yet: whom it refuses
// there is the detector's doing.

package cache

import "testing"

func TestNewcomersAreRefusedByKeysThatAreReadMore(t *testing.T) {
	var l leavers
	c := full(t, &l)
	for i := 0; c.Stats().Refused < 20; i++ {
		if i == 20_000 {
			t.Fatalf("Stats = %+v: nobody was refused by keys that are read all the time", c.Stats())
		}
		c.read(newcomer(i))
		c.read(newcomer(i))  // so that it applies
		for n := range 140 { // who has given way by now does not come back
			c.Lookup(customer(n).CustomerID, "", c.now)
		}
		b, ok := c.Peek(newcomer(i))
		if !ok || len(l.told[newcomer(i)]) != 0 {
			t.Fatalf("newcomer %d: resident %v (%v), told of %d times; want it waiting", i, ok, b, len(l.told[newcomer(i)]))
		}
	}
	for k, told := range l.told {
		if _, resident := c.Peek(k); len(told) != 1 && !resident {
			t.Errorf("%v: told of %d times", k, len(told))
		}
	}
	agree(t, c.Cache)
}

// Without the waiting room, each of these reads that ristretto refuses is a fetch. An LRU does not refuse.
func TestSkewedTrafficAtCapacityCostsFewerFetchesThanAnLRU(t *testing.T) {
	const keys, size, reads = 20_000, 800, 200_000
	c, l, misses := newLoader(open(t, Config{MaxBytes: size * costOf(belief(customer(10_000), 0))})), newLRU(size), 0
	for _, k := range zipf(1.01, keys, reads) {
		c.read(customer(k))
		if !l.read(k) {
			misses++
		}
	}
	t.Logf("%d reads of %d customers, %d of which fit: %d fetches, with an LRU %d", reads, keys, size, c.total, misses)
	if c.total > misses*95/100 {
		t.Errorf("%d fetches, want at least a twentieth fewer than the %d of an LRU", c.total, misses)
	}
	agree(t, c.Cache)
}
