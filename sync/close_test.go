package syncer

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entcache/entcache/entitlements"
)

// A bubble does not end before everything in it has: each of these also shows that nothing is left behind.
func TestCloseJoinsEverythingInEveryPhase(t *testing.T) {
	for name, phase := range map[string]struct {
		setup func(*Config, *server)
		story func(*world)
	}{
		"before anything":       {story: func(w *world) {}},
		"during the dial":       {setup: func(_ *Config, s *server) { s.dialTime = time.Hour }, story: func(w *world) {}},
		"before the subscribed": {setup: func(_ *Config, s *server) { s.mute = true }, story: func(w *world) {}},
		"in a backoff":          {setup: func(_ *Config, s *server) { s.dial = errDown }, story: func(w *world) { w.wait(time.Minute) }},
		"while off":             {setup: func(_ *Config, s *server) { s.dial = errRefused }, story: func(w *world) {}},
		"while polling":         {setup: polling, story: func(w *world) { w.load(acme) }},
		"during a fetch":        {story: func(w *world) { w.server.hold(acme); go w.Load(w.t.Context(), acme, 0) }},
		"during a refresh": {story: func(w *world) {
			w.load(acme)
			w.server.hold(acme)
			w.server.send(entitlements.Event{Kind: entitlements.EventUnreadable, Key: acme})
		}},
		"between two attempts": {setup: func(_ *Config, s *server) { s.fail = func(key) error { return errDown } }, story: func(w *world) {
			go w.Load(w.t.Context(), acme, 0)
			w.wait(15 * time.Millisecond)
		}},
		"in the wait for the budget": {setup: func(c *Config, _ *server) { c.Burst, c.RequestsPerMinute = 1, 60 }, story: func(w *world) {
			for _, k := range customers(5) {
				go w.Load(w.t.Context(), k, 0)
			}
		}},
		"in a refresh's wait for the budget": {setup: func(c *Config, _ *server) { c.Burst, c.RequestsPerMinute = 1, 1 }, story: func(w *world) {
			w.load(acme)
			w.server.send(entitlements.Event{Kind: entitlements.EventUnreadable, Key: acme})
		}},
		"in the brake": {setup: func(c *Config, _ *server) { c.PollInterval = time.Second }, story: func(w *world) {
			for _, k := range customers(50) {
				w.load(k)
			}
			w.server.do(func() { w.server.fail = func(key) error { return errDown } })
			w.server.send(entitlements.Event{Kind: entitlements.EventUnreadable})
			w.wait(20 * time.Second)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, phase.setup, func(w *world) {
				phase.story(w)
				synctest.Wait()
				began := time.Now()
				w.Close()
				if took := time.Since(began); took != 0 {
					t.Errorf("Close took %v, want no time", took)
				}
				n := len(w.server.requests()) + len(w.server.dialed())
				if _, err := w.Load(w.t.Context(), acme, 0); !errors.Is(err, ErrClosed) {
					t.Errorf("Load after Close = %v, want ErrClosed", err)
				}
				if _, err := w.LoadAllowed(w.t.Context(), acme); !errors.Is(err, ErrClosed) {
					t.Errorf("LoadAllowed after Close = %v, want ErrClosed", err)
				}
				w.Want(acme)
				w.AwaitRefresh(acme)
				w.KeyChanged()
				if _, live := w.Fresh(&entitlements.Belief{Snapshot: set(acme)}, 1); live {
					t.Error("something is Live after Close")
				}
				w.wait(time.Hour)
				if got := len(w.server.requests()) + len(w.server.dialed()); got != n {
					t.Errorf("%d requests after Close", got-n)
				}
			})
		})
	}
}

func TestWaitersLearnOfClose(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.server.hold(acme)
		got := make(chan error, 1)
		go func() { _, err := w.Load(w.t.Context(), acme, 0); got <- err }()
		synctest.Wait()
		w.Close()
		if err := <-got; !errors.Is(err, ErrClosed) {
			t.Errorf("Load = %v, want ErrClosed", err)
		}
	})
}

func TestCloseBeforeStart(t *testing.T) {
	s, err := New(Config{Source: newServer(), Store: newMemory()})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	s.Start() // and goleak says that it started nothing
	s.Close()
	if _, err := s.Load(context.Background(), acme, 0); !errors.Is(err, ErrClosed) {
		t.Errorf("Load = %v, want ErrClosed", err)
	}
}

func TestCloseMeetsEverything(t *testing.T) {
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			store, srv := newMemory(), newServer()
			s, err := New(Config{Source: srv, Store: store})
			if err != nil {
				t.Fatal(err)
			}
			store.gone = s.Evicted
			s.Start()
			var wg sync.WaitGroup
			for _, f := range []func(){
				func() { s.Load(t.Context(), acme, 0) },
				func() { s.Reload(t.Context(), acme) },
				func() {
					if s.Allow(t.Context()) == nil {
						s.LoadAllowed(t.Context(), key{CustomerID: "other"})
					}
				},
				func() {
					s.takeSet(acme, set(acme, grant("seats", 1, 1)), s.arrive())
					s.doubtEverything("a test says so")
				},
				func() { s.Wrote(acme, set(acme, grant("seats", 2, 1))); s.AwaitRefresh(acme); store.evict(acme) },
				func() { s.Want(acme); s.KeyChanged(); s.Status(); s.Stats() },
				func() { time.Sleep(time.Millisecond * 10); s.Close() },
				s.Close,
			} {
				wg.Go(f)
			}
			wg.Wait()
		})
	}
}
