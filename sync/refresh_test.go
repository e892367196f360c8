package syncer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/internal/retry"
)

func TestPassFetchesHottestFirstWithinTheBudgetAndIdleKeysNotAtAll(t *testing.T) {
	const n = 60
	inWorld(t, func(c *Config, _ *server) { c.RequestsPerMinute, c.Burst, c.PollInterval = 60, 20, time.Hour }, func(w *world) {
		keys := customers(n + 20)
		for i, k := range keys {
			s := w.server.set(k, grant("seats", 1, 10))
			b := firstBelief(s, 0, 0, w.arrive())
			w.store.Insert(k, b)
			w.store.mu.Lock()
			w.store.cells[k].Reads = uint32(i) // the later the hotter
			w.store.mu.Unlock()
		}
		w.wait(20 * time.Minute)
		for _, k := range keys[:n] { // the rest is idle
			w.store.mu.Lock()
			w.store.cells[k].LastRead = entitlements.InstantOf(time.Now())
			w.store.mu.Unlock()
		}
		w.server.cut(errCut)
		w.wait(10 * time.Second)
		w.state(Interrupted)
		w.wait(time.Minute)
		w.state(Live)
		var at []time.Time
		asked := map[key]int{}
		for i, r := range w.server.requests() {
			at = append(at, r.at)
			asked[r.key]++
			if i >= n {
				t.Errorf("request %d is for %v at %v, want %d in all", i, r.key, r.at, n)
			} else if i >= 20 && r.key != keys[n-1-i] { // the burst goes at once, in any order
				t.Errorf("request %d is for %v, want %v: the hottest that is left", i, r.key, keys[n-1-i])
			}
		}
		for i, k := range keys {
			if want := map[bool]int{true: 1}[i < n]; asked[k] != want {
				t.Errorf("%d fetches of key %d, want %d", asked[k], i, want)
			}
		}
		within(t, at, 60, 20)
		w.live(keys[0], true)
		w.live(keys[n], false)
	})
}

func TestStateIsLiveOnlyWhenThePassIsComplete(t *testing.T) {
	inWorld(t, func(c *Config, _ *server) { c.RequestsPerMinute, c.Burst = 60, 30 }, func(w *world) {
		for _, k := range customers(30) {
			w.load(k)
		}
		w.server.cut(errCut)
		w.wait(2 * time.Second)
		if w.Stats().Connects < 2 {
			w.t.Fatal("not reconnected")
		}
		w.state(Interrupted)
		w.wait(time.Minute)
		w.state(Live)
	})
}

// The keys of a failed pass back off; a pass that merely skipped them was called complete.
func TestPassThatOnlySkipsFailedKeysIsNotComplete(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		keys := customers(3)
		for _, k := range keys {
			w.load(k)
		}
		w.server.do(func() { w.server.fail = func(key) error { return errDown } })
		w.server.cut(errCut)
		for range 50 {
			w.wait(5 * time.Second)
			for _, k := range keys {
				w.live(k, false)
			}
			if w.Status().State == Live {
				w.t.Fatal("live, and nothing has been confirmed")
			}
		}
		w.server.do(func() { w.server.fail = nil })
		w.wait(time.Minute)
		w.state(Live)
		for _, k := range keys {
			w.live(k, true)
		}
	})
}

func TestPassWhoseKeysAllBackOffIsNotComplete(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.load(acme)
		w.Syncer.mu.Lock()
		w.failures[acme] = &failed{until: time.Now().Add(10 * time.Second), backoff: retry.New(0, time.Second, time.Second), err: errDown}
		w.Syncer.mu.Unlock()
		w.newGeneration()
		w.status.set(Interrupted, nil)
		w.refresh.pass()
		w.wait(time.Second)
		w.state(Interrupted)
		w.wait(10 * time.Second)
		w.state(Live)
		w.live(acme, true)
	})
}

// One fetch that somebody asked for succeeded, all of the pass failed, and the state became Live.
func TestWhatIsAskedForMeanwhileDoesNotMakeThePassComplete(t *testing.T) {
	var r refresher
	r.init()
	r.pass()
	r.takeBuild()
	r.draw([]key{acme})
	if _, ofPass, ok := r.next(); !ofPass || !ok {
		t.Fatal("acme is not of the pass")
	}
	other := key{CustomerID: "other"}
	r.lift(true)
	r.lift(false)
	r.landed(acme, true, false)
	r.landed(other, false, true)
	if r.complete() {
		t.Error("complete, and its only fetch failed")
	}
	r.landed(other, false, false)
	r.settled(acme)
	if !r.complete() {
		t.Error("not complete, and the only key that failed needs nothing any more")
	}
}

func TestPassSurvivesASingleFailure(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		keys := customers(10)
		for _, k := range keys {
			w.load(k)
		}
		w.server.do(func() {
			w.server.fail = func(k key) error {
				if k == keys[0] {
					return errDown
				}
				return nil
			}
		})
		w.server.cut(errCut)
		w.wait(5 * time.Second)
		w.state(Live)
		w.live(keys[0], false) // it says so itself
		w.live(keys[1], true)
		w.server.do(func() { w.server.fail = nil })
		w.wait(time.Minute)
		w.live(keys[0], true)
	})
}

// Reads of keys that the pass does not come to, because they were idle when it began, were not heard before it ended.
func TestReadOfAnIdleKeyIsHeardDuringAPass(t *testing.T) {
	inWorld(t, func(c *Config, _ *server) { c.RequestsPerMinute, c.Burst, c.PollInterval = 60, 150, time.Hour }, func(w *world) {
		keys := customers(121)
		idle := keys[120]
		w.load(idle)
		w.wait(11 * time.Minute)
		for _, k := range keys[:120] {
			w.load(k)
		}
		w.server.cut(errCut)
		w.wait(10 * time.Second)
		w.live(idle, false) // the read
		w.wait(45 * time.Second)
		w.state(Interrupted) // the pass goes on
		w.live(idle, true)
	})
}

func TestIdleKeyIsRevalidatedByItsNextRead(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.server.set(acme, grant("seats", 1, 10))
		w.load(acme)
		w.wait(time.Hour)
		n := w.server.asked(acme)
		w.server.cut(errCut)
		w.wait(time.Hour)
		if got := w.server.asked(acme); got != n {
			t.Errorf("%d fetches of a key that nobody reads, want none", got-n)
		}
		w.live(acme, false)
		w.wait(time.Second)
		w.live(acme, true)
	})
}

func TestLostEventsAreMadeUpForWithinTheBound(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.server.set(acme, grant("seats", 1, 10))
		w.load(acme)
		w.server.set(acme, grant("seats", 2, 20)) // no event
		bound := w.Status().Bound
		if bound != 10*DefaultPollInterval {
			t.Errorf("Bound = %v, want ten poll intervals while live", bound)
		}
		for end := time.Now().Add(bound); time.Now().Before(end); w.wait(time.Second) {
			w.read(acme)
		}
		w.limit(acme, "seats", 20)
	})
}

func TestValidUntilIsRefreshedInTime(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		until := time.Now().Add(7 * time.Minute)
		w.server.set(acme, validUntil(grant("seats", 1, 10), until))
		w.load(acme)
		for time.Now().Before(until.Add(-time.Second)) {
			w.live(acme, true)
			w.wait(time.Second)
		}
		w.server.set(acme, grant("seats", 1, 0))
		w.wait(time.Until(until) + 100*time.Millisecond)
		w.limit(acme, "seats", 0)
		w.live(acme, true)
	})
}

func TestValidUntilOfAServerThatIsBehind(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		until := time.Now().Add(time.Minute)
		w.server.set(acme, validUntil(grant("seats", 1, 10), until))
		w.load(acme)
		for range 20 * 60 {
			w.read(acme)
			w.wait(time.Second)
		}
		// One at the moment, one each 5 s of a minute, and the safety net's: no hot loop.
		if n := w.server.asked(acme); n < 8 || n > 24 {
			t.Errorf("%d fetches in 20 minutes, want about 17", n)
		}
		w.live(acme, true)
	})
}

func TestValidUntilPassedAndTheRefreshFailedIsStale(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.server.set(acme, validUntil(grant("seats", 1, 10), time.Now().Add(time.Minute)))
		w.load(acme)
		w.server.do(func() { w.server.fail = func(key) error { return errDown } })
		w.wait(5 * time.Minute)
		w.live(acme, false)
		w.limit(acme, "seats", 10)
		if n := w.server.asked(acme); n > 25 {
			t.Errorf("%d fetches in 4 minutes of failing, want the backoff to hold", n)
		}
		w.server.do(func() { w.server.fail = nil })
		w.server.set(acme, grant("seats", 1, 0))
		w.wait(time.Minute)
		w.limit(acme, "seats", 0)
	})
}

// A failure's retry replaced the validUntil that was due, or the other way round.
func TestRetryAndValidUntilDoNotForgetOneAnother(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		until := entitlements.InstantOf(time.Now().Add(time.Hour))
		w.server.set(acme, grant("seats", 1, 10))
		w.load(acme)
		soon := entitlements.InstantOf(time.Now().Add(time.Second))
		w.refresh.lookAgain(acme, soon)
		w.refresh.lookAgain(acme, until)
		if got := w.dueAt(acme); got != soon {
			t.Errorf("due at %v, want the earlier %v", got, soon)
		}
		w.store.Update(acme, func(b *entitlements.Belief) *entitlements.Belief { n := *b; n.ExpiresAt = until; return &n })
		w.wait(2 * time.Second)
		if got := w.dueAt(acme); got != justAfter(until) {
			t.Errorf("afterwards due at %v, want just after %v", got, until)
		}
	})
}

func TestWhatIsDueDoesNotGrowWithoutBound(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		far := time.Now().Add(1000 * time.Hour)
		for i := range 5000 { // each ends earlier than the one before
			w.refresh.lookAgain(acme, entitlements.InstantOf(far.Add(-time.Duration(i)*time.Second)))
		}
		for i := range 5000 { // or later
			w.refresh.lookAgain(acme, entitlements.InstantOf(far.Add(time.Duration(i)*time.Second)))
		}
		if n, m := w.dues(); n > 100 || m != 1 {
			t.Errorf("%d entries and %d keys for one key, want a handful and 1", n, m)
		}
		for _, k := range customers(2000) { // customers who come, and go
			w.server.set(k, validUntil(grant("seats", 1, 10), far))
			if _, err := w.Load(w.t.Context(), k, 0); err != nil {
				w.wait(time.Minute)
			}
			w.store.evict(k)
		}
		if n, m := w.dues(); n > 200 || m > 1 {
			t.Errorf("%d entries and %d keys due after all have been evicted, want a handful", n, m)
		}
	})
}

func TestWantNeverBlocks(t *testing.T) {
	s, err := New(Config{Source: newServer(), Store: newMemory()}) // not started: nobody hears
	if err != nil {
		t.Fatal(err)
	}
	for range 10_000 {
		s.Want(acme)
	}
}

func TestBrakeHoldsDuringAnOutageAndLetsGoAfterIt(t *testing.T) {
	for range 6 { // the brake's waits are random
		inWorld(t, func(c *Config, _ *server) { c.PollInterval = time.Second }, func(w *world) {
			keys := customers(500)
			for _, k := range keys {
				w.store.Insert(k, firstBelief(w.server.set(k, grant("seats", 1, 10)), 0, 0, w.arrive()))
			}
			w.server.do(func() { w.server.fail = func(key) error { return errDown } })
			w.server.cut(errCut)
			w.wait(time.Minute) // what is in the air, and the first failures
			n := len(w.server.requests())
			w.wait(5 * time.Minute)
			if got := len(w.server.requests()) - n; got > 60 {
				t.Errorf("%d refreshes in 5 minutes of outage, want at most one in 5 seconds or so", got)
			}
			w.server.do(func() { w.server.fail = nil })
			w.load(key{CustomerID: "a miss that succeeds"})
			w.wait(15 * time.Second)
			for _, k := range keys {
				w.live(k, true)
			}
		})
	}
}

// A source without a stream.

func polling(c *Config, s *server) { s.dial = ErrNoStream }

// The second pass is asked for while the refresher looks through memory for the first.
func TestAPassWithNothingToFetchNeedsNoRequest(t *testing.T) {
	inWorld(t, func(c *Config, s *server) {
		polling(c, s)
		c.RequestsPerMinute, c.Burst = 1, 1 // which the check of the key takes
		c.Store.(*memory).look = make(chan struct{})
	}, func(w *world) {
		w.state(Initializing)
		w.doubtEverything("a test")
		close(w.store.look)
		w.state(Live)
	})
}

func TestPollingIsLiveByAge(t *testing.T) {
	inWorld(t, polling, func(w *world) {
		w.state(Live)
		w.server.set(acme, grant("seats", 1, 10))
		w.load(acme)
		if b := w.Status().Bound; b != DefaultPollInterval {
			t.Errorf("Bound = %v, want the poll interval %v", b, DefaultPollInterval)
		}
		changed := false
		for i := range 300 {
			w.live(acme, true)
			if !changed && i == 100 {
				w.server.set(acme, grant("seats", 2, 20))
			}
			w.wait(time.Second)
			if i == 131 {
				w.limit(acme, "seats", 20) // within the bound
			}
		}
		if n := w.server.asked(acme); n < 10 || n > 16 {
			t.Errorf("%d fetches in 5 minutes, want one in 23 to 30 seconds", n)
		}
	})
}

func TestPollingFailsAndRecovers(t *testing.T) {
	inWorld(t, polling, func(w *world) {
		keys := customers(5)
		for _, k := range keys {
			w.server.set(k, grant("seats", 1, 10))
			w.load(k)
		}
		w.server.do(func() { w.server.fail = func(key) error { return errDown } })
		seen := map[State]bool{}
		for range 300 {
			w.wait(time.Second)
			for _, k := range keys {
				w.read(k)
			}
			if st := w.Status().State; st == Interrupted || seen[Interrupted] {
				seen[st] = true
			}
		}
		if !seen[Interrupted] || seen[Live] {
			t.Errorf("states %v during the outage, want interrupted, and never live from there on", seen)
		}
		for _, k := range keys {
			w.live(k, false)
			w.limit(k, "seats", 10)
		}
		w.server.do(func() { w.server.fail = nil })
		for range 60 {
			w.wait(time.Second)
			for _, k := range keys {
				w.read(k)
			}
		}
		w.state(Live)
		for _, k := range keys {
			w.live(k, true)
		}
	})
}

func TestPollingWithARefusedKeyIsOff(t *testing.T) {
	inWorld(t, func(c *Config, s *server) { polling(c, s); s.checkKey = errRefused }, func(w *world) {
		w.state(Off)
		w.server.do(func() { w.server.checkKey = nil })
		w.KeyChanged()
		w.wait(time.Second)
		w.state(Live)
		w.server.do(func() { w.server.checkKey = errRefused; w.server.fail = func(key) error { return errRefused } })
		w.Load(w.t.Context(), acme, 0)
		w.state(Off)
	})
}

func TestStatusReportsTheBoundOfTheBudget(t *testing.T) {
	inWorld(t, func(c *Config, s *server) {
		polling(c, s)
		c.RequestsPerMinute, c.Burst, c.PollInterval = 60, 10, time.Second
	}, func(w *world) {
		for _, k := range customers(300) {
			w.store.Insert(k, firstBelief(set(k), 0, 0, w.arrive()))
		}
		if b := w.Status().Bound; b != 5*time.Minute+time.Second*15/16 {
			t.Errorf("Bound = %v, want 300 residents at 60 a minute, 5m, after most of the interval", b)
		}
		synctest.Wait()
	})
}

func (w *world) dueAt(k key) instant {
	w.refresh.mu.Lock()
	defer w.refresh.mu.Unlock()
	return w.refresh.dueAt[k]
}

// dues returns how many entries, and of how many keys, are due.
func (w *world) dues() (entries, keys int) {
	w.refresh.mu.Lock()
	defer w.refresh.mu.Unlock()
	return len(w.refresh.due), len(w.refresh.dueAt)
}
