package cache

import (
	"runtime"
	"sync"
	"testing"

	"github.com/entcache/entcache/entitlements"
)

func TestAfterCloseNothingIsFound(t *testing.T) {
	told := 0
	c, err := New(Config{OnEvict: func(entitlements.Key, *entitlements.Belief) { told++ }})
	if err != nil {
		t.Fatal(err)
	}
	c.Insert(customer(1), belief(customer(1), 0))
	c.Lookup("customer-1", "", 1)
	c.Close()
	c.Close()
	if b, first := c.Lookup("customer-1", "", 2); b != nil || first {
		t.Errorf("Lookup = %p, %v; want nothing", b, first)
	}
	if b, ok := c.Insert(customer(2), belief(customer(2), 0)); b != nil || ok {
		t.Errorf("Insert = %p, %v; want nothing", b, ok)
	}
	if b := c.Update(customer(1), func(b *entitlements.Belief) *entitlements.Belief { return b }); b != nil {
		t.Errorf("Update = %p, want nil", b)
	}
	if _, ok := c.Peek(customer(1)); ok || c.Len() != 0 {
		t.Errorf("Peek = %v, Len = %d; want nothing", ok, c.Len())
	}
	if told != 1 {
		t.Errorf("OnEvict was told %d times, want once", told)
	}
	if s := c.Stats(); s.Hits != 1 || s.Evicted != 0 || s.Bytes != 0 {
		t.Errorf("Stats = %+v; want 1 hit, nothing evicted: it gave way to nobody", s)
	}
}

// Ristretto panics when its Get, Set or Close meets a Close, and its Wait then hangs. None of that may reach a caller.
func TestCloseMeetsEverythingInEveryOrder(t *testing.T) {
	const rounds = 3000
	grown := belief(customer(1), 3000)
	for round := range rounds {
		c, err := New(Config{MaxBytes: 64 << 10})
		if err != nil {
			t.Fatal(err)
		}
		c.Insert(customer(1), belief(customer(1), 0))
		var wg sync.WaitGroup
		begin := make(chan struct{})
		for i, f := range []func(){
			func() {
				for n := range 200 { // enough to flush ristretto's ring into the channel that Close closes
					c.Lookup("customer-1", "", entitlements.Instant(n))
				}
			},
			func() { c.Insert(customer(2), belief(customer(2), 0)) },
			func() { c.Update(customer(1), func(*entitlements.Belief) *entitlements.Belief { return grown }) },
			func() { c.Peek(customer(1)); c.Resources("customer-1"); c.Len(); c.Stats() },
			func() { c.Range(func(Entry) bool { return true }) },
			c.Close,
			c.Close,
		} {
			wg.Go(func() {
				<-begin
				for range (round + i) % 7 {
					runtime.Gosched()
				}
				f()
			})
		}
		close(begin)
		wg.Wait()
		if n := c.Len(); n != 0 {
			t.Fatalf("round %d: %d keys resident after Close", round, n)
		}
	}
}
