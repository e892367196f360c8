package syncer

import (
	"testing"
	"time"

	"github.com/entcache/entcache/entitlements"
)

func TestLagIsHowFarTheServersClockIsAhead(t *testing.T) {
	var l lag
	if l.least() != 0 {
		t.Errorf("lag before anything arrived: %v", l.least())
	}
	at := func(minute, milli int) instant {
		return instant(minute)*instant(time.Minute) + instant(milli)*instant(time.Millisecond)
	}
	for _, step := range []struct {
		minute, late int
		want         time.Duration
	}{
		{100, 7_200_000, noLag}, // no clock is that wrong
		{100, 50, 0},            // late, or a clock that is behind: nobody can tell
		{100, -300, -300 * time.Millisecond},
		{100, -90, -300 * time.Millisecond},
		{101, -90, -300 * time.Millisecond}, // the minute before counts
		{102, -90, -90 * time.Millisecond},  // and no longer
		{120, -70, -70 * time.Millisecond},  // after a quiet while
		{140, 40, 0},
	} {
		l.note(at(step.minute, -step.late), at(step.minute, 0))
		if got := l.least(); got != step.want {
			t.Errorf("after %dms late in minute %d: %v, want %v", step.late, step.minute, got, step.want)
		}
	}
	l.note(0, at(140, 0)) // no stamp
	if got := l.least(); got != 0 {
		t.Errorf("an event without a stamp counts: %v", got)
	}
}

// One stamp gone wrong made every event of the next two minutes look late, and had everybody fetched.
func TestOneStampGoneWrongDoesNotMakeOthersLate(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		now := func() instant { return entitlements.InstantOf(time.Now()) }
		keys := customers(20)
		for _, k := range keys {
			w.server.set(k, used(grant("seats", now(), 1), 1, now()))
			w.load(k)
		}
		w.wait(5 * time.Second)
		tomorrow := now().Add(24 * time.Hour)
		w.server.send(entitlements.Event{
			Kind: entitlements.EventUsage, Key: keys[0], Usage: entitlements.Usage{Ref: entitlements.Feature("seats"), Current: 5, UpdatedAt: tomorrow},
		})
		w.server.publish(keys[1], grant("seats", tomorrow, 7))
		w.wait(time.Second)
		before := w.Stats().Questions
		for i, k := range keys[2:] {
			w.wait(500 * time.Millisecond)
			w.server.publish(k, used(grant("seats", now(), float64(i)), 1, now()))
		}
		w.wait(time.Second)
		if n := w.Stats().Questions - before; n > 0 {
			t.Errorf("%d of %d events on time were taken for late ones", n, len(keys)-2)
		}
	})
}
