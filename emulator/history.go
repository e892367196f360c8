package emulator

import (
	"reflect"
	"slices"
	"time"
)

// State is what one key had from one change to the next. Its Entitlements are shared with the log they come from and are
// not to be changed.
type State struct {
	Index int       `json:"index"` // its place among all states the key ever had, from 0
	At    time.Time `json:"at"`    // when it took effect
	Stamp time.Time `json:"stamp"` // of the set; that of its entitlements, and there also when the set is empty
	Snapshot
}

// HistoryOf returns the states that a key really had, oldest first, from the one with index since on; 0 asks for all that
// are kept, which is as many as [Config].History says. Before state 0 there was no such customer.
//
// A state is in the log before anybody can hear of it, so whatever a client believes was logged before it believed it. What
// takes effect only when somebody looks (see "Time") is logged then. A resource that nobody has acted on reads as its
// customer does and has no history of its own.
func (e *Emulator) HistoryOf(customerID, resourceID string, since int) []State {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.state.customers[customerID]
	if c == nil || c.scopes[resourceID] == nil {
		return nil
	}
	past := c.scopes[resourceID].past
	past = past[max(0, len(past)-e.config.History):]
	from, _ := slices.BinarySearchFunc(past, since, func(s State, since int) int { return s.Index - since })
	return slices.Clone(past[from:])
}

// record logs what the key has now. Every change ends in it, before the change is told to anybody; a
// state that was logged already is known by its stamps, and by its content when stamps may repeat. The caller holds e.mu.
func (e *Emulator) record(s *scope) {
	keep := e.config.History
	if keep <= 0 {
		return
	}
	next := State{At: e.Now(), Stamp: s.updatedAt, Snapshot: snapshotOf(s)}
	if n := len(s.past); n > 0 {
		if s.past[n-1].same(next) {
			return
		}
		next.Index = s.past[n-1].Index + 1
	}
	if len(s.past) >= 2*keep { // seldom, so that keeping a log costs the same however long it is
		s.past = slices.Clone(s.past[len(s.past)-keep+1:])
	}
	s.past = append(s.past, next)
}

func (s State) same(o State) bool {
	return s.sameStamps(o) && reflect.DeepEqual(s.Snapshot, o.Snapshot)
}

func (s State) sameStamps(o State) bool {
	return s.Stamp.Equal(o.Stamp) && slices.EqualFunc(s.Entitlements, o.Entitlements, func(a, b EntitlementState) bool {
		return a.FeatureID == b.FeatureID && a.CurrencyID == b.CurrencyID && a.UsageStamp.Equal(b.UsageStamp)
	})
}
