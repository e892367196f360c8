package syncer

import (
	"testing"
	"time"
)

func TestLagIsTheLeastOfLately(t *testing.T) {
	var l lag
	if l.least() != noLag {
		t.Errorf("lag before anything arrived: %v", l.least())
	}
	at := func(minute, milli int) instant {
		return instant(minute)*instant(time.Minute) + instant(milli)*instant(time.Millisecond)
	}
	note := func(minute, late int) { l.note(at(minute, 0), at(minute, late)) }
	for _, step := range []struct {
		minute, late int
		want         time.Duration
	}{
		{10, 300, 300 * time.Millisecond},
		{10, 50, 50 * time.Millisecond},
		{10, 90, 50 * time.Millisecond},
		{11, 90, 50 * time.Millisecond}, // the minute before counts
		{12, 90, 90 * time.Millisecond}, // and no longer
		{20, 70, 70 * time.Millisecond}, // after a quiet while
		{20, -40, -40 * time.Millisecond},
	} {
		note(step.minute, step.late)
		if got := l.least(); got != step.want {
			t.Errorf("after %v late in minute %d: %v, want %v", step.late, step.minute, got, step.want)
		}
	}
	l.note(0, at(20, 0)) // no stamp
	if got := l.least(); got != -40*time.Millisecond {
		t.Errorf("an event without a stamp counts: %v", got)
	}
}
