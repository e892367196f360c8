package syncer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/entcache/entcache/entitlements"
)

// What lands between two looks must be seen by one of them: these stories let a flight land at the worst moment.

// interrupted is a store during whose look something happens.
type interrupted struct {
	*memory
	during func() // once
}

func (s *interrupted) happen() {
	if f := s.during; f != nil {
		s.during = nil
		f()
	}
}

func (s *interrupted) Peek(k key) (Resident, bool) {
	r, ok := s.memory.Peek(k)
	s.happen()
	return r, ok
}

func (s *interrupted) Resources(customerID string) []key {
	keys := s.memory.Resources(customerID)
	s.happen()
	return keys
}

// inTheAir begins with a fetch of k in the air, which saw the limit of 10; by now it is 20. landing lets it land.
func inTheAir(t *testing.T, k key, story func(s *Syncer, store *interrupted, landing func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		source, store := newServer(), &interrupted{memory: newMemory()}
		s, err := New(Config{Source: source, Store: store})
		if err != nil {
			t.Fatal(err)
		}
		store.gone = s.Evicted
		s.Start()
		defer s.Close()
		synctest.Wait()
		source.set(k, grant("seats", entitlements.InstantOf(time.Now()), 10))
		release, landed := source.hold(k), make(chan struct{})
		go func() { // joined by landing
			s.Load(t.Context(), k, 0)
			close(landed)
		}()
		synctest.Wait()
		time.Sleep(time.Second)
		source.set(k, grant("seats", entitlements.InstantOf(time.Now()), 20))
		story(s, store, func() { release(); <-landed })
	})
}

func TestEventOfAKeyThatLandsMeanwhileIsRelevant(t *testing.T) {
	for _, k := range []key{acme, {CustomerID: "acme", ResourceID: "site"}} {
		inTheAir(t, k, func(s *Syncer, store *interrupted, landing func()) {
			store.during = landing
			for _, event := range []key{k, acme} {
				if !s.relevant(event) {
					t.Errorf("an event of %v is skipped, and %v lands", event, k)
				}
			}
			if store.during != nil {
				landing()
			}
		})
	}
}

func TestWriteIsAwaitedByAResourceThatLandsMeanwhile(t *testing.T) {
	site := key{CustomerID: "acme", ResourceID: "site"}
	inTheAir(t, site, func(s *Syncer, store *interrupted, landing func()) {
		store.during = landing
		s.doubtResources(acme, inAwait)
		r, ok := store.memory.Peek(site)
		if !ok || !r.Belief.AwaitRefresh {
			t.Errorf("resident %v, limit %v: the next read does not wait for what was written", ok, limitOf(r.Belief, "seats"))
		}
		s.Close()
		if s.ledger.inTheAir(acme) || len(s.ledger.resources) > 0 {
			t.Errorf("%v are counted as in the air when nothing flies", s.ledger.resources)
		}
	})
}
