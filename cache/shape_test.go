package cache

import (
	"fmt"
	"testing"
	"unsafe"

	"github.com/entcache/entcache/entitlements"
)

// planned is a belief about a customer of a plan, which all customers of the plan may share.
func planned(k entitlements.Key, plan string) *entitlements.Belief {
	list := make([]entitlements.Grant, 20)
	for i := range list {
		list[i] = entitlements.Grant{ID: fmt.Sprintf("feature-%02d", i), Description: "What the plan " + plan + " says of it.", IsGranted: true}
	}
	return &entitlements.Belief{Snapshot: entitlements.NewSnapshot(k, "", list)}
}

// TestWhatIsSharedIsCountedInFullWhileFewShareIt: a customer and its resources, say, all but one of whom may leave; of many who share
// it, each counts a part.
func TestWhatIsSharedIsCountedInFullWhileFewShareIt(t *testing.T) {
	c := open(t, Config{MaxBytes: 1 << 20})
	full := costOf(planned(customer(0), "growth"))
	cost := func(k entitlements.Key, plan string) int64 { return costOf(planned(k, plan)) }
	for i := range 16 {
		if got := cost(customer(i), "growth"); got < full-8 {
			t.Errorf("with %d who have it, one more costs %d bytes, want all of %d", i, got, full)
		}
		c.Insert(customer(i), planned(customer(i), "growth"))
		c.Update(customer(i), func(*entitlements.Belief) *entitlements.Belief { return planned(customer(i), "growth") }) // the same again
	}
	if got := cost(customer(0), "growth"); got > full/2 {
		t.Errorf("with 16 who have it, one more costs %d bytes of %d, want a part", got, full)
	}
	// One changes the plan, and changes it back, and then leaves.
	change := func(plan string) {
		c.Update(customer(3), func(*entitlements.Belief) *entitlements.Belief { return planned(customer(3), plan) })
	}
	change("starter")
	if got := cost(customer(0), "growth"); got < full-8 {
		t.Errorf("with 15 who have it, one more costs %d bytes, want all of %d", got, full)
	}
	change("growth")
	if got := cost(customer(0), "growth"); got > full/2 {
		t.Errorf("with 16 who have it again, one more costs %d bytes of %d, want a part", got, full)
	}
	c.registry.remove(c.registry.table.findKey(customer(3)))
	if got := cost(customer(0), "growth"); got < full-8 {
		t.Errorf("with 15 who have it, one more costs %d bytes, want all of %d", got, full)
	}
	change("growth") // of one that has left
	if got := cost(customer(0), "growth"); got < full-8 {
		t.Errorf("who has left still counts: %d bytes, want all of %d", got, full)
	}
}

func TestACellIsOfTwoCacheLines(t *testing.T) {
	if n := unsafe.Sizeof(cell{}); n != 128 {
		t.Errorf("a cell has %d bytes, want 128: what a hit touches is in its first cache line", n)
	}
}
