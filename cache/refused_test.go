//go:build !race

package cache

import "testing"

// Under the race detector sync.Pool forgets at random, and with it ristretto the reads that it had not counted yet.
func TestNewcomersAreRefusedByKeysThatAreReadMore(t *testing.T) {
	var l leavers
	one := costOf(belief(customer(1000), 0))
	c := open(t, Config{MaxBytes: 10 * one, OnEvict: l.gone})
	for i := range 10 {
		c.Insert(customer(i), belief(customer(i), 0))
	}
	// Ristretto counts reads in batches, behind its back, and forgets some: read until they tell.
	refused := uint64(0)
	for i := 1000; refused < 5; i++ {
		if i == 20_000 {
			t.Fatal("nobody was refused by keys that are read all the time")
		}
		for range 64 {
			c.Range(func(e Entry) bool {
				c.Lookup(e.Key.CustomerID, "", 1)
				return true
			})
		}
		b, ok := c.Insert(customer(i), belief(customer(i), 0))
		if ok {
			continue
		}
		refused++
		if b != nil {
			t.Fatal("a refused newcomer has a belief that stands")
		}
		if got, _ := c.Lookup(customer(i).CustomerID, "", 1); got != nil {
			t.Fatal("a refused newcomer is found")
		}
		if n := len(l.told[customer(i)]); n != 1 {
			t.Errorf("OnEvict told %d times of a refused newcomer, want once", n)
		}
	}
	if s := c.Stats(); s.Refused != refused || s.Resident != 10 {
		t.Errorf("Stats = %+v; want %d refused and 10 resident", s, refused)
	}
	agree(t, c)
}
