package emulator

import (
	"slices"
	"time"
)

// eventFaults is what happens to events between the change and the sockets. Faults.mu guards it.
type eventFaults struct {
	drop      int
	dropIf    func(Event) bool
	duplicate int
	reorder   int    // how many of the next events to hold back by one
	held      *event // the one held back
	delay     time.Duration
	told      []*event // the latest, the lost among them; see ReplayEvents
}

// maxTold is how many events ReplayEvents can go back.
const maxTold = 256

// DropEvents loses the next n events. Zero loses no more.
func (f *Faults) DropEvents(n int) { f.with(func() { f.events.drop = n }) }

// DropEventsIf loses every event for which lose answers true. It is called with the emulator locked, so it must not call
// it. Nil loses no more.
func (f *Faults) DropEventsIf(lose func(Event) bool) { f.with(func() { f.events.dropIf = lose }) }

// DuplicateEvents sends each of the next n events twice.
func (f *Faults) DuplicateEvents(n int) { f.with(func() { f.events.duplicate = n }) }

// ReorderEvents holds the next event back and sends it after the one that follows it, n times over: with 1, events 1 2 3
// arrive as 2 1 3. A held event waits for its successor, however long.
func (f *Faults) ReorderEvents(n int) { f.with(func() { f.events.reorder = n }) }

// DelayEvents sends each event that much later, in order. Zero sends at once again, behind those still waiting.
func (f *Faults) DelayEvents(d time.Duration) { f.with(func() { f.events.delay = d }) }

// ReplayEvents sends n events of the past again, now and in their old order, as a broker does that delivers at least once. It
// goes back from the event that is behind events older than the latest, and no further than 256 of them. Events that were lost on
// the way are among them; those that nobody was there for are not.
func (f *Faults) ReplayEvents(n, behind int) {
	f.e.mu.Lock()
	defer f.e.mu.Unlock()
	var again []*event
	f.with(func() {
		told := f.events.told[max(0, len(f.events.told)-maxTold):]
		end := max(0, len(told)-behind)
		again = slices.Clone(told[max(0, end-n):end])
	})
	for _, ev := range again {
		f.e.tell(ev)
	}
}

// clearEvents takes back the faults of events. One that was held back is lost.
func (f *Faults) clearEvents() { f.with(func() { f.events = eventFaults{told: f.events.told} }) }

// forgetEvents drops the events of the past and the one that is held back: they are of a state that is no more.
func (f *Faults) forgetEvents() { f.with(func() { f.events.told, f.events.held = nil, nil }) }

// bend returns what is sent in place of ev: nothing, itself, itself twice, or itself and the one held back before.
func (f *Faults) bend(ev *event) []*event {
	f.mu.Lock()
	defer f.mu.Unlock()
	x := &f.events
	if ev.payloads != nil {
		if len(x.told) == 2*maxTold { // seldom
			x.told = slices.Clone(x.told[maxTold:])
		}
		again := *ev
		x.told = append(x.told, &again)
	}
	if x.drop > 0 {
		x.drop--
		return nil
	}
	if x.dropIf != nil && x.dropIf(ev.Event) {
		return nil
	}
	if x.delay > 0 {
		ev.notBefore = time.Now().Add(x.delay)
	}
	out := []*event{ev}
	if x.duplicate > 0 {
		x.duplicate--
		out = append(out, ev)
	}
	if x.held != nil {
		out = append(out, x.held)
		x.held = nil
		return out
	}
	if x.reorder > 0 {
		x.reorder--
		x.held = ev
		return nil
	}
	return out
}
