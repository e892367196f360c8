package emulator

import (
	"sync/atomic"
	"time"
)

// clock is the time of the emulated account: that of package time, until its operator moves it. The network's time (delays,
// deadlines of sockets, the log of requests) stays that of package time.
type clock struct{ ahead atomic.Int64 } // nanoseconds

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// now is the present of the account: that of its clock or, while something is made to happen that was due before it, the
// instant it was due; see happen. The caller holds Emulator.mu.
func (a *account) now() time.Time {
	if !a.held.IsZero() {
		return a.held
	}
	return a.clock.now()
}
func (e *Emulator) now() time.Time     { return e.state.now() }
func (e *Emulator) instant() time.Time { return e.now().UTC().Truncate(time.Millisecond) }

// Now returns the present of the emulated account. It is that of package time until AdvanceClock or SetClock.
func (e *Emulator) Now() time.Time { return e.state.clock.now().UTC() }

// AdvanceClock moves the account's time forward. Whatever became due on the way (trials that end, scheduled changes, usage
// periods, promotions) takes effect before it returns, and subscribers hear of it. Time never goes back: a negative d is an
// error.
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
	e.state.clock.ahead.Store(int64(ahead + d))
	e.countEvents()
	e.settleAll()
	return nil
}
