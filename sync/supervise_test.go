package syncer

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entcache/entcache/entitlements"
)

func TestLiveOnceSubscribed(t *testing.T) {
	inWorld(t, func(_ *Config, s *server) { s.mute = true }, func(w *world) {
		w.state(Initializing)
		w.server.set(acme, grant("seats", 1, 10))
		w.load(acme)
		w.live(acme, false) // fetched before the stream followed: a change in between would be missed
		select {
		case <-w.Synced():
			t.Error("synced before the subscription was acknowledged")
		default:
		}
		w.server.send(entitlements.Event{Kind: entitlements.EventSubscribed})
		w.wait(time.Second)
		w.state(Live)
		<-w.Synced()
		<-w.Settled()
		w.live(acme, true)
		if n := w.Stats().Connects; n != 1 {
			t.Errorf("%d connects, want 1", n)
		}
	})
}

func TestFillInTheAirWhenTheStreamBeginsIsFetchedAgain(t *testing.T) {
	inWorld(t, func(_ *Config, s *server) { s.mute = true }, func(w *world) {
		w.server.set(acme, grant("seats", 1, 10))
		release := w.server.hold(acme)
		go w.Load(w.t.Context(), acme, 0)
		synctest.Wait()
		w.server.set(acme, grant("seats", 2, 20)) // before the stream follows: no event
		w.server.send(entitlements.Event{Kind: entitlements.EventSubscribed})
		synctest.Wait()
		release()
		w.wait(time.Second)
		w.limit(acme, "seats", 20)
		w.live(acme, true)
	})
}

func TestCutMakesEverythingStaleAtOnceAndServed(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		keys := customers(50)
		for _, k := range keys {
			w.server.set(k, grant("seats", 1, 10))
			w.load(k)
			w.live(k, true)
		}
		w.server.do(func() { w.server.dial = errDown })
		w.server.cut(errCut)
		w.state(Interrupted)
		for _, k := range keys {
			w.live(k, false)
			w.limit(k, "seats", 10)
		}
		if st := w.Status(); st.Err == nil || st.ErrAt.IsZero() {
			t.Errorf("Status = %+v, want the cause", st)
		}
		w.server.do(func() { w.server.dial = nil })
		for _, k := range keys {
			w.server.set(k, grant("seats", 2, 20))
		}
		w.wait(35 * time.Second)
		w.state(Live)
		for _, k := range keys {
			w.live(k, true)
			w.limit(k, "seats", 20)
		}
	})
}

func TestRefusalOnTheStreamIsOffUntilAProbeSucceeds(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.server.set(acme, grant("seats", 1, 10))
		w.load(acme)
		w.server.do(func() { w.server.dial = errRefused })
		w.server.cut(errRefused)
		w.state(Off)
		w.live(acme, false)
		w.limit(acme, "seats", 10)
		began := time.Now()
		if _, err := w.Load(w.t.Context(), key{CustomerID: "miss"}, 0); err == nil || time.Since(began) != 0 || w.server.asked(key{CustomerID: "miss"}) != 0 {
			t.Errorf("a miss while Off: %v after %v, want a refusal at once", err, time.Since(began))
		}
		for range 3 {
			before := len(w.server.dialed())
			w.wait(keyProbe * 4 / 5)
			if n := len(w.server.dialed()) - before; n > 1 {
				t.Errorf("%d probes in 4 minutes, want at most 1", n)
			}
		}
		if n := len(w.server.dialed()); n < 3 {
			t.Errorf("%d dials in 12 minutes, want a probe every 4 to 6", n)
		}
		if n := w.server.asked(acme); n != 1 {
			t.Errorf("%d fetches, want none while Off", n-1)
		}
		w.server.do(func() { w.server.dial = nil })
		w.wait(keyProbe * 13 / 10)
		w.state(Live)
	})
}

func TestRefusalByAFetchIsOff(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.server.do(func() { w.server.dial, w.server.fail = errRefused, func(key) error { return errRefused } })
		w.Load(w.t.Context(), acme, 0)
		w.state(Off)
		if n := w.server.asked(acme); n != 1 {
			t.Errorf("%d attempts with a refused key, want 1", n)
		}
	})
}

func TestRefusalByAFetchBetweenTwoStreamsIsOff(t *testing.T) {
	inWorld(t, func(c *Config, _ *server) { c.ReconnectMin, c.ReconnectMax = time.Minute, time.Minute }, func(w *world) {
		w.server.cut(errCut)
		w.state(Interrupted)
		w.server.do(func() { w.server.dial, w.server.fail = errRefused, func(key) error { return errRefused } })
		w.Load(w.t.Context(), acme, 0)
		w.state(Off) // at once: the confirmation does not wait out the pause
	})
}

func TestNewKeyIsTriedAtOnce(t *testing.T) {
	inWorld(t, func(_ *Config, s *server) { s.dial = errRefused }, func(w *world) {
		w.state(Off)
		select {
		case <-w.Settled():
		default:
			t.Error("not settled, although the key was refused")
		}
		select {
		case <-w.Synced():
			t.Error("synced, although the key was refused")
		default:
		}
		w.server.do(func() { w.server.dial = nil })
		w.KeyChanged()
		w.wait(time.Millisecond)
		w.state(Live)
		w.load(acme)
	})
}

// A fetch that began with the old key and comes back after the new one was accepted: it closed the good stream for 5 minutes.
func TestRefusalOfTheOldKeyDoesNotCloseTheNewStream(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		release := w.server.hold(acme)
		w.server.do(func() { w.server.fail = func(key) error { return errRefused } })
		go w.Load(w.t.Context(), acme, 0)
		synctest.Wait()
		w.server.do(func() { w.server.dial = errRefused })
		w.server.cut(errRefused)
		w.state(Off)
		w.server.do(func() { w.server.dial, w.server.fail = nil, nil })
		w.KeyChanged()
		w.state(Live)
		release()
		w.wait(time.Second)
		w.state(Live)
	})
}

func TestKeyReplacedWhileLiveDoesNotSkipTheNextBackoff(t *testing.T) {
	inWorld(t, func(c *Config, _ *server) { c.ReconnectMin, c.ReconnectMax = time.Minute, time.Minute }, func(w *world) {
		w.KeyChanged()
		w.wait(time.Hour)
		w.server.cut(errCut)
		w.wait(29 * time.Second)
		if n := len(w.server.dialed()); n != 1 {
			t.Errorf("%d dials within the shortest wait, want 1: a fleet whose key was replaced must not return together", n)
		}
	})
}

func TestReconnectsBackOffWithJitterAndACap(t *testing.T) {
	var spread [2]map[time.Duration]bool
	for i := range spread {
		spread[i] = map[time.Duration]bool{}
	}
	for range 20 {
		inWorld(t, func(_ *Config, s *server) { s.dial = errDown }, func(w *world) {
			w.wait(10 * time.Minute)
			d := w.server.dialed()
			for i := 1; i < len(d); i++ {
				gap := d[i].Sub(d[i-1])
				if gap < DefaultReconnectMin/2 || gap > DefaultReconnectMax {
					t.Errorf("wait %d is %v, want between %v and %v", i, gap, DefaultReconnectMin/2, DefaultReconnectMax)
				}
				if i == 4 || i == 10 {
					spread[i/10][gap] = true
				}
			}
			if n := len(d); n < 20 || n > 120 {
				t.Errorf("%d dials in 10 minutes, want between 20 and 120", n)
			}
			w.state(Initializing)
		})
	}
	for i, s := range spread {
		if len(s) < 15 {
			t.Errorf("%d different waits among 20 processes at attempt %d, want about 20", len(s), []int{4, 10}[i])
		}
	}
}

func TestServerThatAcceptsAndDropsIsNotHammered(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		stop := time.Now().Add(10 * time.Minute)
		for time.Now().Before(stop) {
			w.server.do(func() {
				if w.server.stream != nil && len(w.server.stream.cut) == 0 {
					w.server.stream.cut <- errCut
				}
			})
			w.wait(50 * time.Millisecond)
		}
		if n := len(w.server.dialed()); n > 120 {
			t.Errorf("%d dials in 10 minutes, want the backoff to grow although each stream opened", n)
		}
	})
}

func TestBackoffStartsAgainAfterAStableMinute(t *testing.T) {
	inWorld(t, func(_ *Config, s *server) { s.dial = errDown }, func(w *world) {
		w.wait(5 * time.Minute)
		w.server.do(func() { w.server.dial = nil })
		w.wait(2 * time.Minute)
		w.state(Live)
		w.server.cut(errCut)
		w.wait(DefaultReconnectMin)
		if d := w.server.dialed(); len(d) < 2 || time.Since(d[len(d)-1]) > DefaultReconnectMin {
			t.Error("the first wait after a stable stream was longer than the shortest")
		}
	})
}

func TestSlowErrorsComeBackAtTheSlowEnd(t *testing.T) {
	inWorld(t, func(_ *Config, s *server) { s.dial = failing{text: "4403", slow: true} }, func(w *world) {
		w.wait(10 * time.Minute)
		if n := len(w.server.dialed()); n < 15 || n > 42 {
			t.Errorf("%d dials in 10 minutes, want one in 15 to 30 seconds", n)
		}
	})
}

func TestUnreadableEventDoubtsItsKeyOrEverything(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		keys := customers(5)
		for _, k := range keys {
			w.server.set(k, grant("seats", 1, 10))
			w.load(k)
		}
		w.server.set(keys[0], grant("seats", 2, 20))
		w.server.send(entitlements.Event{Kind: entitlements.EventUnreadable, Key: keys[0]})
		synctest.Wait()
		w.live(keys[0], false)
		w.live(keys[1], true)
		w.wait(time.Second)
		w.live(keys[0], true)
		w.limit(keys[0], "seats", 20)

		w.server.set(keys[3], grant("seats", 2, 30))
		w.server.send(entitlements.Event{Kind: entitlements.EventUnreadable})
		synctest.Wait()
		for _, k := range keys {
			w.live(k, false)
		}
		w.wait(time.Second)
		for _, k := range keys {
			w.live(k, true)
		}
		w.limit(keys[3], "seats", 30)
		if n := w.Stats().Unreadable; n != 2 {
			t.Errorf("%d unreadable, want 2", n)
		}
	})
}

func TestPackagePublishedToAllIsFetchedAgain(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.server.set(acme, grant("seats", 1, 10))
		w.load(acme)
		w.server.set(acme, grant("seats", 2, 20))
		w.server.send(entitlements.Event{Kind: entitlements.EventPackagePublished})
		w.wait(time.Second)
		w.limit(acme, "seats", 10)
		w.server.send(entitlements.Event{Kind: entitlements.EventPackagePublished, AllCustomers: true})
		synctest.Wait()
		w.live(acme, false)
		w.wait(time.Second)
		w.live(acme, true)
		w.limit(acme, "seats", 20)
	})
}

func TestUnknownAndSkippedEventsAreCounted(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.server.send(entitlements.Event{Kind: entitlements.EventUnknown}, entitlements.Event{Kind: entitlements.EventSkipped}, entitlements.Event{Kind: entitlements.EventAlive}, entitlements.Event{Kind: 200})
		w.wait(time.Second)
		if s := w.Stats(); s.Unknown != 1 || s.Skipped != 1 || s.Connects != 1 {
			t.Errorf("Stats = %+v, want 1 unknown, 1 skipped, and the stream going on", s)
		}
		w.state(Live)
	})
}

func TestEventsAreForWhatIsResidentOrBeingFetched(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		resource := key{CustomerID: "acme", ResourceID: "r"}
		if w.relevant(acme) {
			t.Error("wanted a key that nobody asked for")
		}
		w.server.publish(acme, grant("seats", 1, 10))
		synctest.Wait()
		if w.store.Len() != 0 {
			t.Error("an event made a key resident")
		}
		release := w.server.hold(resource)
		go w.Load(w.t.Context(), resource, 0)
		synctest.Wait()
		if !w.relevant(resource) || !w.relevant(acme) {
			t.Errorf("wanted(resource in the air) = %v, wanted(its customer) = %v; want both", w.relevant(resource), w.relevant(acme))
		}
		release()
		w.wait(time.Second)
		if !w.relevant(resource) || !w.relevant(acme) || w.relevant(key{CustomerID: "other"}) {
			t.Errorf("with the resource resident: wanted(resource) = %v, wanted(its customer) = %v, wanted(other) = %v", w.relevant(resource), w.relevant(acme), w.relevant(key{CustomerID: "other"}))
		}
	})
}

func TestCustomersChangeDoubtsItsResources(t *testing.T) {
	for _, customerIsResident := range []bool{true, false} {
		t.Run(fmt.Sprintf("customer resident: %v", customerIsResident), func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				held, flying := key{CustomerID: "acme", ResourceID: "held"}, key{CustomerID: "acme", ResourceID: "flying"}
				for _, k := range []key{acme, held, flying} {
					w.server.set(k, grant("seats", 1, 10))
				}
				w.load(held)
				if customerIsResident {
					w.load(acme)
				}
				release := w.server.hold(flying)
				go w.Load(w.t.Context(), flying, 0)
				synctest.Wait()
				w.server.set(held, grant("seats", 2, 20))
				w.server.set(flying, grant("seats", 2, 20))
				w.server.publish(acme, grant("seats", 2, 20))
				synctest.Wait()
				w.live(held, false)
				release()
				w.wait(time.Second)
				for _, k := range []key{held, flying} {
					w.live(k, true)
					w.limit(k, "seats", 20)
				}
			})
		})
	}
}

func TestWriteToACustomerIsSeenInItsResources(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		resource := key{CustomerID: "acme", ResourceID: "r"}
		w.server.set(resource, grant("seats", 1, 10))
		w.load(resource)
		w.server.set(resource, grant("seats", 2, 20))
		w.Wrote(acme, set(acme, grant("seats", 2, 20)))
		if r, _ := w.store.Peek(resource); !r.Belief.AwaitRefresh {
			t.Error("a read of the resource does not wait for what was written to its customer")
		}
		w.wait(time.Second)
		w.limit(resource, "seats", 20)
	})
}
