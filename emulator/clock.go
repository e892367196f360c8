package emulator

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// clock is the time of the emulated account: that of package time, until its operator moves it. The network's time (delays,
// deadlines of sockets, the log of requests) stays that of package time.
type clock struct {
	ahead atomic.Int64 // nanoseconds
	moves []move       // the latest maxMoves, in order; Emulator.mu guards it
}

// move is that the clock was moved: from at on, by package time, it is that far ahead.
type move struct {
	at    time.Time
	ahead time.Duration
}

const (
	maxMoves = 1000
	// skew is how far the clock of a caller may be ahead of the one of this process and still be taken for it.
	skew = time.Minute
)

// moveTo makes the clock so far ahead. The caller holds Emulator.mu.
func (c *clock) moveTo(ahead time.Duration) {
	now := time.Now().Truncate(time.Millisecond) // what the wire can say: a report that follows at once is not before it
	if n := len(c.moves); n > 0 && !c.moves[n-1].at.Before(now) {
		c.moves = c.moves[:n-1]
	} else if n == maxMoves {
		c.moves = c.moves[1:]
	}
	c.moves = append(c.moves, move{now, ahead})
	c.ahead.Store(int64(ahead))
}

// happened is the account's time of something that a caller says happened at a moment, by the caller's own clock: what was used just
// now was used just now, wherever the account's clock has been moved to, and what was used before it was moved was used before; the very
// moment of the move counts as after it, as in a bubble whose time stands still. What is later than that clock can be is meant in the
// account's time. The caller holds Emulator.mu.
func (c *clock) happened(at time.Time) time.Time {
	if at.After(time.Now().Add(skew)) {
		return at
	}
	for _, m := range slices.Backward(c.moves) {
		if !at.Before(m.at) {
			return at.Add(m.ahead)
		}
	}
	return at
}

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// now is the present of the account: that of its clock or, while something is made to happen that was due before it, the
// instant it was due; see happen. The caller holds Emulator.mu.
func (a *account) now() time.Time {
	if !a.held.IsZero() {
		return a.held
	}
	return a.clock.now()
}

// happened is the account's time of what happened at a moment that a request says; now when it says none.
func (e *Emulator) happened(in wire.Opt[wire.DateTime]) time.Time {
	if in.Value == nil {
		return e.now()
	}
	return e.state.clock.happened(in.Value.Time)
}

func (e *Emulator) now() time.Time     { return e.state.now() }
func (e *Emulator) instant() time.Time { return e.now().UTC().Truncate(time.Millisecond) }

// Now returns the present of the emulated account. It is that of package time until AdvanceClock or SetClock.
func (e *Emulator) Now() time.Time { return e.state.clock.now().UTC() }

// AdvanceClock moves the account's time forward. Whatever became due on the way (trials that end, scheduled changes, usage
// periods, promotions) takes effect before it returns, and subscribers hear of it. Time never goes back: a negative d is an
// error.
//
// Clients know nothing of it: their clocks stay. So when usage, an event or a consumption of credits comes with the moment at which it
// happened, that is taken for a moment of the caller's clock, which is this process's, and counts where the account's clock was then.
// A moment more than a minute later than now, by package time, is the account's own, as of [Emulator.Now]. All other moments of
// requests (dates of subscriptions, grants and promotions, the times that a history is asked for) are the account's own.
func (e *Emulator) AdvanceClock(d time.Duration) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.advance(d)
}

// SetClock moves the account's time forward to t; see [Emulator.AdvanceClock].
func (e *Emulator) SetClock(t time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.advance(t.Sub(e.now()))
}

func (e *Emulator) advance(d time.Duration) error {
	if d < 0 {
		return errorf(codeBadUserInput, "the clock cannot go back by %v: begin with a new emulator for that", -d)
	}
	ahead := time.Duration(e.state.clock.ahead.Load())
	if ahead+d < 0 { // too far for a time.Duration
		return errorf(codeBadUserInput, "the clock cannot go more than 292 years ahead")
	}
	e.state.clock.moveTo(ahead + d)
	e.countEvents()
	e.settleAll()
	return nil
}
