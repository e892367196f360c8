package cache

import (
	"testing"

	"github.com/entcache/entcache/entitlements"
)

// TestAPlaceIsLeftForEver: whoever knows where a belief was learns that it is there no more, also when the key comes back.
func TestAPlaceIsLeftForEver(t *testing.T) {
	var l leavers
	c := full(t, &l)
	k := newcomer(0)
	c.read(k)
	p, ok := c.Place(k)
	if !ok || p.Belief() == nil || p.Belief() != c.registry.table.findKey(k).belief.Load() {
		t.Fatal("a resident key has no place")
	}
	next := belief(k, 1)
	c.Update(k, func(*entitlements.Belief) *entitlements.Belief { return next })
	if p.Belief() != next {
		t.Error("an update does not show at the place")
	}
	if !p.Holds(next) {
		t.Error("what is believed does not hold")
	}
	for n := 1; c.registry.table.findKey(k) != nil; n++ {
		c.read(newcomer(n))
	}
	if p.Belief() != nil || p.Holds(next) {
		t.Error("what is believed of a key that has left still shows at its place")
	}
	c.read(k)
	if again, ok := c.Place(k); !ok || again == p || again.Belief() == nil || p.Belief() != nil {
		t.Error("a key that comes back has its old place")
	}
	if _, ok := c.Place(newcomer(-1)); ok {
		t.Error("a key that is not resident has a place")
	}
	if b := (Place{}).Belief(); b != nil {
		t.Error("the zero place is of something")
	}
}
