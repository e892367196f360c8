package entitlements

import (
	"math"
	"slices"
	"sync/atomic"
)

// Tally is the running total of what a process has reported, or reserved, for one entitlement. One goroutine at a time may write it;
// any number may read it, through the snapshots that it is part of. The zero value is a total of 0.
type Tally struct {
	total   atomic.Uint64 // the bits of a float64
	changes atomic.Uint64 // how often it was set: a total may come back to what it was
}

// Total returns the total.
func (t *Tally) Total() float64 { return math.Float64frombits(t.total.Load()) }

// Set replaces the total.
func (t *Tally) Set(total float64) {
	t.total.Store(math.Float64bits(total))
	t.changes.Add(1) // after it, so that who read the change before the total sees one more
}

// counting says how much of a tally the usage of one entitlement shows. What is beyond that is pending: reported, and not shown by
// what the server said last. The tally grows under the readers' eyes; shown changes only together with the usage, in the next
// snapshot, so that whoever reads both reads a report exactly once.
type counting struct {
	index int32
	shown float64
	tally *Tally
}

// pendingAt returns what is pending for the entitlement at position i: of a wallet, also what the features that it pays for will cost.
func (s *Snapshot) pendingAt(i int) (pending float64) {
	counts := s.counts()
	for k := range counts {
		c := &counts[k]
		total := c.tally.Total()
		switch {
		case total == c.shown: // also when both are infinite
		case int(c.index) == i:
			pending += total - c.shown
		case s.shape.walletAt(int(c.index)) == i:
			pending += (total - c.shown) * s.shape.defs[c.index].creditRate
		}
	}
	return pending
}

// counts is what counts with the snapshot, if anything does.
func (s *Snapshot) counts() []counting {
	if s.counting == nil {
		return nil
	}
	return *s.counting
}

// Counting reports whether the snapshot counts anything beside what the server said.
func (s *Snapshot) Counting() bool { return s.counting != nil }

// Changes is how often the tallies of the snapshot have changed. It only grows: a decision that is made after it was read holds as long
// as it is the same.
func (s *Snapshot) Changes() (n uint64) {
	for _, c := range s.counts() {
		n += c.tally.changes.Load()
	}
	return n
}

// Counts returns how much of which tally the usage of an entitlement shows; nil when none is counted with it.
func (s *Snapshot) Counts(ref Ref) (tally *Tally, shown float64) {
	for _, c := range s.counts() {
		if s.shape.refs[c.index] == ref {
			return c.tally, c.shown
		}
	}
	return nil, 0
}

// WithTally returns a snapshot in which a tally counts with the usage of an entitlement, as far as it is above shown. It returns s
// itself when the set does not hold that entitlement, or counts so already.
func (s *Snapshot) WithTally(ref Ref, tally *Tally, shown float64) *Snapshot {
	i := s.shape.find(ref)
	if i < 0 {
		return s
	}
	c := counting{int32(i), shown, tally}
	counts := s.counts()
	at := slices.IndexFunc(counts, func(held counting) bool { return int(held.index) == i })
	if at >= 0 && counts[at] == c {
		return s
	}
	counts = slices.Clone(counts)
	if at >= 0 {
		counts[at] = c
	} else {
		counts = append(counts, c)
	}
	next := *s
	next.counting = &counts
	return &next
}

// Uncounted returns the snapshot with what the server said alone.
func (s *Snapshot) Uncounted() *Snapshot {
	if s.counting == nil {
		return s
	}
	next := *s
	next.counting = nil
	return &next
}

// countAs makes a new set count what held counts.
func (s *Snapshot) countAs(held *Snapshot) {
	var counts []counting
	for _, c := range held.counts() {
		if i := s.shape.find(held.shape.refs[c.index]); i >= 0 {
			counts = append(counts, counting{int32(i), c.shown, c.tally})
		}
	}
	if counts != nil { // as few have
		s.counting = new(counts)
	}
}
