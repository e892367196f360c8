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
	for range 2000 { // ristretto counts reads in batches of 64
		for i := range 10 {
			c.Lookup(customer(i).CustomerID, "", 1)
		}
	}
	refused := uint64(0)
	for i := 1000; i < 1050; i++ {
		if b, ok := c.Insert(customer(i), belief(customer(i), 0)); !ok {
			refused++
			if b != nil {
				t.Fatal("a refused newcomer has a belief that stands")
			}
			if got, _ := c.Lookup(customer(i).CustomerID, "", 1); got != nil {
				t.Fatal("a refused newcomer is found")
			}
		}
	}
	if s := c.Stats(); s.Refused != refused || refused == 0 || s.Resident != 10 {
		t.Errorf("Stats = %+v; want %d refused, and some, and 10 resident", s, refused)
	}
	agree(t, c)
}
