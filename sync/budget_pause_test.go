package syncer

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// The misses that waited through a pause all started at its end, on top of a full bucket: a server that had just asked for less got
// several times the burst at one instant.
func TestPauseDoesNotEndInAStampede(t *testing.T) {
	const perMinute, burst = 600, 5 // ten a second
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(perMinute, burst)
		var mu sync.Mutex
		var starts []time.Time
		var wg sync.WaitGroup
		misses := func(n int) {
			for range n {
				wg.Go(func() {
					if b.forMiss(context.Background(), 20*time.Second) == nil {
						mu.Lock()
						starts = append(starts, time.Now())
						mu.Unlock()
					}
				})
			}
			synctest.Wait()
		}
		misses(30) // 5 at once, the others in turn
		time.Sleep(500*time.Millisecond + time.Nanosecond)
		b.throttled(3 * time.Second)
		asked := time.Now()
		time.Sleep(time.Second)
		misses(30)
		time.Sleep(500 * time.Millisecond)
		b.throttled(2500 * time.Millisecond) // a second longer
		wg.Wait()
		if len(starts) != 60 {
			t.Fatalf("%d of 60 misses started", len(starts))
		}
		slices.SortFunc(starts, time.Time.Compare)
		for i, at := range starts {
			if at.After(asked) && at.Before(asked.Add(4*time.Second)) {
				t.Errorf("miss %d started %v after the server had asked for 4s", i, at.Sub(asked))
			}
		}
		within(t, starts, perMinute, burst)
	})
}
