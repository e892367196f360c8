package retry_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/entcache/entcache/internal/retry"
)

func TestWaitsGrowToTheCapAndNeverStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const floor, first, last = 100 * time.Millisecond, 500 * time.Millisecond, 10 * time.Second
		b := retry.New(floor, first, last)
		ceiling := first
		var longest time.Duration
		for n := range 400 {
			w := b.Next()
			if w < floor || w > ceiling {
				t.Fatalf("wait %d = %v, want within %v–%v", n, w, floor, ceiling)
			}
			longest = max(longest, w)
			ceiling = min(2*ceiling, last)
			time.Sleep(time.Minute) // past the library's own limit of 15 minutes
		}
		if longest < last*3/4 {
			t.Errorf("longest of 400 waits is %v: the jitter does not reach the cap of %v", longest, last)
		}
		b.Reset()
		if w := b.Next(); w > first {
			t.Errorf("first wait after Reset = %v, want at most %v", w, first)
		}
	})
}

func TestWaitsAreSpread(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 100 {
		seen[retry.New(0, time.Second, time.Minute).Next()] = true
	}
	if len(seen) < 90 {
		t.Errorf("100 processes wait only %d different times", len(seen))
	}
}

func TestJitterKeepsWithinItsFraction(t *testing.T) {
	for range 1000 {
		if d := retry.Jitter(time.Minute, 0.2); d < 48*time.Second || d > 72*time.Second {
			t.Fatalf("Jitter(1m, 0.2) = %v", d)
		}
	}
	if d := retry.Jitter(time.Minute, 0); d != time.Minute {
		t.Errorf("Jitter(1m, 0) = %v", d)
	}
}
