package syncer

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// within checks that no window of requests holds more than burst + rate·t.
func within(t *testing.T, at []time.Time, perMinute, burst int) {
	t.Helper()
	rate := float64(perMinute) / 60
	for i := range at {
		for j := i; j < len(at); j++ {
			if n, most := float64(j-i+1), float64(burst)+rate*at[j].Sub(at[i]).Seconds()+1e-6; n > most {
				t.Fatalf("%v requests within %v, want at most %.1f", n, at[j].Sub(at[i]), most)
			}
		}
	}
}

func TestBudgetHoldsInEveryWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		const perMinute, burst = 600, 20
		b := newBudget(perMinute, burst)
		var mu sync.Mutex
		var at []time.Time
		took := func() {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Now())
		}
		var wg sync.WaitGroup
		for w := range uint64(6) {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(seed, w))
				for range 150 {
					switch rnd.IntN(8) {
					case 0:
						time.Sleep(time.Duration(rnd.IntN(3000)) * time.Millisecond)
					case 1:
						ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rnd.IntN(300))*time.Millisecond)
						if b.forMiss(ctx, time.Minute) == nil {
							took()
						}
						cancel()
					case 2, 3:
						if b.forRefresh(t.Context()) == nil {
							if rnd.IntN(4) == 0 {
								b.refund()
							} else {
								took()
							}
						}
					default:
						if b.forMiss(t.Context(), 10*time.Second) == nil {
							took()
						}
					}
				}
			})
		}
		wg.Wait()
		within(t, at, perMinute, burst)
		if n := b.state().granted; n != uint64(len(at)) {
			t.Errorf("%d tokens granted for %d requests", n, len(at))
		}
	})
}

func TestMissesGoBeforeRefreshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(60, 1)
		b.forMiss(t.Context(), 0)
		var mu sync.Mutex
		var order []string
		var wg sync.WaitGroup
		note := func(s string) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, s)
		}
		wg.Go(func() { b.forRefresh(t.Context()); note("refresh") })
		synctest.Wait()
		for range 3 {
			wg.Go(func() { b.forMiss(t.Context(), time.Minute); note("miss") })
		}
		wg.Wait()
		if len(order) != 4 || order[3] != "refresh" {
			t.Errorf("order = %v, want the refresh last, although it waited first", order)
		}
	})
}

func TestMissThatCannotBeInTimeFailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(60, 1)
		b.forMiss(t.Context(), 0)
		began := time.Now()
		if err := b.forMiss(t.Context(), 500*time.Millisecond); !errors.Is(err, ErrBudget) || time.Since(began) != 0 {
			t.Errorf("forMiss = %v after %v, want ErrBudget at once", err, time.Since(began))
		}
		if err := b.forMiss(t.Context(), 2*time.Second); err != nil || time.Since(began) != time.Second {
			t.Errorf("the next: %v after %v, want a token after 1s: the first took none", err, time.Since(began))
		}
	})
}

func TestBudgetErrorIsFinal(t *testing.T) {
	inWorld(t, func(c *Config, _ *server) { c.RequestsPerMinute, c.Burst, c.FetchTimeout = 6, 1, 2*time.Second }, func(w *world) {
		w.load(acme)
		began := time.Now()
		_, err := w.Load(w.t.Context(), key{CustomerID: "next"}, 0)
		if !errors.Is(err, ErrBudget) || time.Since(began) != 0 {
			t.Errorf("Load = %v after %v, want ErrBudget at once", err, time.Since(began))
		}
	})
}

func TestWaiterThatGivesUpReturnsItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(60, 1)
		b.forMiss(t.Context(), 0)
		for range 50 {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			b.forMiss(ctx, time.Hour)
			cancel()
		}
		began := time.Now()
		if err := b.forMiss(t.Context(), time.Hour); err != nil || time.Since(began) > time.Second {
			t.Errorf("forMiss = %v after %v, want a token within 1s", err, time.Since(began))
		}
		if n := b.state().granted; n != 2 {
			t.Errorf("%d granted, want 2", n)
		}
	})
}

func TestThrottlingHalvesOnceABurstAndRecoversInAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(3000, 500)
		for range 100 {
			b.throttled(0)
		}
		if s := b.state(); s.halves != 1 || s.perMinute != 1500 {
			t.Errorf("%d halvings to %v a minute, want 1, to 1500", s.halves, s.perMinute)
		}
		time.Sleep(31 * time.Second)
		if s := b.state(); s.perMinute != 3000 {
			t.Errorf("%v a minute after half a minute, want 3000 again", s.perMinute)
		}
		for range 20 {
			time.Sleep(time.Second)
			b.throttled(0)
		}
		if s := b.state(); s.perMinute <= 0 || s.perMinute > 200 {
			t.Errorf("%v a minute after 20 seconds of 429, want a trickle", s.perMinute)
		}
		time.Sleep(time.Minute)
		if s := b.state(); s.perMinute < 2900 {
			t.Errorf("%v a minute after a minute of peace, want the ceiling, nearly", s.perMinute)
		}
	})
}

func TestRetryAfterIsAPauseForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(3000, 500)
		began := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() { // waits for a token when the pause is asked for
			for range 505 {
				b.forMiss(t.Context(), time.Hour)
			}
			if d := time.Since(began); d < 20*time.Second {
				t.Errorf("a waiting miss went after %v, want at least 20s", d)
			}
		})
		synctest.Wait()
		b.throttled(20 * time.Second)
		wg.Go(func() {
			b.forRefresh(t.Context())
			if d := time.Since(began); d < 20*time.Second {
				t.Errorf("a refresh went after %v, want at least 20s", d)
			}
		})
		if err := b.forMiss(t.Context(), 10*time.Second); !errors.Is(err, ErrBudget) || time.Since(began) != 0 {
			t.Errorf("a miss that has 10s: %v after %v, want ErrBudget at once", err, time.Since(began))
		}
		wg.Wait()
	})
}

// A process that had been told to wait came back with all that the rate had gathered meanwhile, and so did everybody whom the
// pause had met waiting.
func TestNothingGathersDuringAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const burst = 100
		b := newBudget(600, burst)
		for range burst {
			b.forMiss(t.Context(), 0)
		}
		var mu sync.Mutex
		var at []time.Time
		var wg sync.WaitGroup
		for range 50 { // their turns are within the next 5 s
			wg.Go(func() {
				if b.forMiss(t.Context(), time.Hour) == nil {
					mu.Lock()
					defer mu.Unlock()
					at = append(at, time.Now())
				}
			})
		}
		synctest.Wait()
		b.throttled(time.Minute)
		began := time.Now()
		for range 50 {
			if b.forRefresh(t.Context()) == nil {
				mu.Lock()
				at = append(at, time.Now())
				mu.Unlock()
			}
		}
		wg.Wait()
		if len(at) != 100 || at[0].Sub(began) < time.Minute {
			t.Fatalf("%d requests, the first after %v; want 100, after the pause", len(at), at[0].Sub(began))
		}
		slices.SortFunc(at, time.Time.Compare)
		within(t, at, 600, 20) // a refresh waits at the halved rate, which recovers meanwhile: a few are there when it wakes up
		within(t, at[:50], 600, 1)
	})
}

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

func TestRetryAfterOfADayIsNotBelieved(t *testing.T) {
	inWorld(t, func(_ *Config, s *server) {
		s.fail = func(key) error { return failing{text: "slow down", limited: true, retryAfter: 24 * time.Hour} }
	}, func(w *world) {
		w.Load(w.t.Context(), acme, 0)
		w.server.do(func() { w.server.fail = nil })
		w.wait(maxRetryAfter * 11 / 10)
		w.load(acme)
		if n := w.Stats().RateLimited; n != 1 {
			t.Errorf("%d answers of 429 counted, want 1", n)
		}
	})
}
