package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"time"
)

// Dump writes the whole state of the account as one JSON document: all that a caller of the API could see, now or later. That is the
// catalogs, the API keys, coupons that were made, the customers with all they have, what was used and when, the checks that were
// reported, the history (as much as [Config].History kept), the idempotency keys that are remembered, raw events that wait to be
// counted, the clock, and the counters of ids and stamps. Configuration, faults, sockets and the log of requests are no part of it.
// It is the state of one moment, whatever happens meanwhile; the same state is the same text. It holds API keys: keep it as you keep
// those.
//
// The error is that of w, or of a moment after the year 9999, which JSON has no form for. It may be called after Close.
func (e *Emulator) Dump(w io.Writer) error {
	e.mu.Lock()
	saved, err := e.freeze()
	e.mu.Unlock()
	if err != nil {
		return fmt.Errorf("dump the state: %w", err)
	}
	enc := json.NewEncoder(w) // encodes before it writes: an error of encoding has written nothing
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(saved); err != nil {
		return fmt.Errorf("dump the state: %w", err)
	}
	return nil
}

// Load puts the state that r holds in place of the emulator's own, all of it or nothing: a text that [Emulator.Dump] did not write,
// that is cut short, or that a newer emulator wrote, is a [*StateError], and changes nothing. R is read to its end.
//
// Time never goes back, and does not stand still in a file: the account's clock goes on where it would be had it run on since the
// dump, or stays where it is when that is later. (On a machine whose own clock is behind that of the dump it goes on from the
// moment of the dump.) Nothing is calculated: what became due in the time between takes effect as always, when somebody next looks,
// and events that wait are counted when they are due.
//
// Every socket is cut. Events could not tell the clients what changed, for there is none that says that a customer is gone: they
// connect again and fetch. And what they fetch must not look older than what they hold, which is how clients tell news from delayed
// messages: if the emulator has stamped anything before, all sets and meters are stamped anew; in a new emulator they keep the
// stamps they had. Stamps and ids always go on from where they were, here or in the dump, whichever is further.
func (e *Emulator) Load(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("read the state: %w", err)
	}
	saved, err := parseState(text)
	if err != nil {
		return err
	}
	next, err := thaw(saved)
	if err != nil {
		return err
	}
	return e.restore(next)
}

// Reset takes the account back to the catalog and the API keys that the emulator was made with: no customers, no reports, no events.
// The clock stays where it is, stamps and ids go on, and sockets are cut, as with [Emulator.Load]; faults stay in force. The error is
// that of a closed emulator.
func (e *Emulator) Reset() error {
	return e.restore(&restored{
		index: e.origin.index, began: e.origin.began, keys: slices.Clone(e.origin.keys), customers: map[string]*customer{},
	})
}

// origin is what an emulator was made with. It never changes.
type origin struct {
	index *index
	began time.Time
	keys  []string
}

var errClosed = errors.New("the emulator is closed")

// restore puts next in place of the account.
func (e *Emulator) restore(next *restored) error {
	if !e.serve.enter() { // Close waits for it, and then for the events that it may leave waiting
		return errClosed
	}
	defer e.serve.leave()
	e.mu.Lock()
	defer e.mu.Unlock()
	a := &e.state
	ahead := max(time.Duration(a.clock.ahead.Load()), next.ahead)
	if !next.now.IsZero() {
		behind := time.Until(next.now)
		if behind == math.MaxInt64 {
			return wrong("now", "is more than 292 years ahead of this machine's clock")
		}
		ahead = max(ahead, behind)
	}
	if ahead != time.Duration(a.clock.ahead.Load()) {
		a.clock.moveTo(ahead)
	}
	known := !a.lastStamp.IsZero() // clients may hold what was stamped before
	a.index, a.customers, a.reports, a.events.pending = next.index, next.customers, next.reports, next.pending
	a.made, a.checks = next.made, next.checks
	a.lastID = max(a.lastID, next.lastID)
	if next.lastStamp.After(a.lastStamp) {
		a.lastStamp = next.lastStamp
	}
	e.began, e.keys = next.began, next.keys
	if known {
		e.restamp()
	}
	e.faults.forgetEvents()
	e.sockets.each((*socket).cut)
	if len(a.events.pending) > 0 {
		e.countPending()
	}
	return nil
}

// restamp stamps every set and every meter anew, as a calculation does that finds everything as it was.
func (e *Emulator) restamp() {
	for _, c := range e.state.each() {
		for _, id := range slices.Sorted(maps.Keys(c.scopes)) {
			s := c.scopes[id]
			s.updatedAt = e.state.stamp()
			for _, ent := range s.set {
				ent.updatedAt = s.updatedAt
			}
			for _, m := range s.meters {
				m.updatedAt = s.updatedAt
			}
			e.record(s)
		}
	}
}

// countPending has the events that came with a state counted when they are due, those that are overdue now.
func (e *Emulator) countPending() {
	e.state.events.wg.Go(func() {
		for {
			e.mu.Lock()
			e.countEvents()
			q := e.state.events.pending
			if len(q) == 0 {
				e.mu.Unlock()
				return
			}
			wait := q[0].due.Sub(e.now())
			e.mu.Unlock()
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-e.ctx.Done():
				timer.Stop()
				return
			}
		}
	})
}
