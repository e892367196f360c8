package syncer

import (
	"testing"
	"time"
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
