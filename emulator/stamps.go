package emulator

import (
	"reflect"
	"slices"
	"time"
)

// Stamps says how the server stamps what it sends. How Stigg does is not visible from its clients: the zero value is the kindest
// way, and each field takes one convenience away.
type Stamps struct {
	// Each stamps only what changed: an entitlement that a new calculation left as it was keeps its entitlementUpdatedAt. A
	// removal then leaves a set whose newest stamp is older than the one before. Default: the whole set is stamped anew.
	Each bool
	// Every is how far apart two different stamps are: several changes may have the same. Default: a millisecond, and stamps
	// strictly increase.
	Every time.Duration
	// Ahead is how far the clock that stamps are taken from is ahead of the one that everything else goes by; negative for
	// behind. Default: 0.
	Ahead time.Duration
}

// stamp returns the present, by the clock that stamps are taken from. Unless the configuration wants it otherwise it is the
// present to the millisecond, and always later than the stamp before it: two changes in the same millisecond are still ordered on
// the wire.
func (a *account) stamp() time.Time {
	t := a.clock.now().UTC().Add(a.stamps.Ahead)
	if a.stamps.Every > 0 {
		t = t.Truncate(a.stamps.Every)
		if t.After(a.lastStamp) {
			a.lastStamp = t
		}
		return t
	}
	t = t.Truncate(time.Millisecond)
	if floor := a.lastStamp.Add(time.Millisecond); t.Before(floor) {
		t = floor
	}
	a.lastStamp = t
	return t
}

// stampSet gives the entitlements of a set that was just calculated their stamps: that of the set, or, when each is stamped by
// itself, the one that an unchanged entitlement had before.
func (a *account) stampSet(s *scope, before []*entitled) {
	for _, ent := range s.set {
		ent.updatedAt = s.updatedAt
		if !a.stamps.Each {
			continue
		}
		i, found := slices.BinarySearchFunc(before, ent.ref, func(e *entitled, r ref) int { return compareRefs(e.ref, r) })
		if found && before[i].says(ent) {
			ent.updatedAt = before[i].updatedAt
		}
	}
}

// says reports whether two entitlements say the same, their stamps apart.
func (e *entitled) says(o *entitled) bool {
	a, b := *e, *o
	a.updatedAt, b.updatedAt = time.Time{}, time.Time{}
	return reflect.DeepEqual(a, b)
}
