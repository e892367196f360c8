package syncer

import (
	"testing"
	"time"

	"github.com/entcache/entcache/entitlements"
)

// Every lock there is is held, as by something slow: what a hit asks of the syncer is answered all the same.
func TestHitTakesNoLock(t *testing.T) {
	s, err := New(Config{Source: newServer(), Store: newMemory()}) // not started: its goroutines do take the locks
	if err != nil {
		t.Fatal(err)
	}
	s.newGeneration()
	now := entitlements.InstantOf(time.Now())
	b := &entitlements.Belief{Snapshot: set(acme), Generation: s.live.Load(), ConfirmedAt: now}
	for _, l := range []interface {
		Lock()
		Unlock()
	}{&s.mu, &s.status.mu, &s.refresh.mu, &s.budget.mu} {
		l.Lock()
		defer l.Unlock()
	}
	live := make(chan bool, 1)
	go func() { // joined by the receive below, or leaked by a test that has failed
		_, is := s.Fresh(b, now)
		s.Want(acme)
		live <- is
	}()
	select {
	case is := <-live:
		if !is {
			t.Error("not Live")
		}
	case <-time.After(10 * time.Second):
		t.Error("a hit waits for a lock of the syncer's")
	}
}
