package syncer

import (
	"time"

	"github.com/entcache/entcache/entitlements"
)

// wanted tells the stream which events are worth decoding: those about keys that are resident, or being fetched, and
// those about the customers of such resources.
func (s *Syncer) wanted(key entitlements.Key) bool {
	if _, ok := s.cfg.Store.Peek(key); ok {
		return true
	}
	if key.ResourceID == "" && len(s.cfg.Store.Resources(key.CustomerID)) > 0 {
		return true // rule 7
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flights[key] != nil {
		return true
	}
	if key.ResourceID == "" {
		for k := range s.flights {
			if k.CustomerID == key.CustomerID {
				return true
			}
		}
	}
	return false
}

// handle applies one event. It runs on the goroutine that reads the stream, never blocks, and does no I/O.
func (s *Syncer) handle(e entitlements.Event) {
	if e.Kind == entitlements.EventEntitlements && e.Snapshot == nil {
		e.Kind = entitlements.EventUnreadable // a source's mistake
	}
	switch e.Kind {
	case entitlements.EventSubscribed:
		s.subscribed()
	case entitlements.EventEntitlements:
		s.counts.events.Add(1)
		s.lag.note(e.Snapshot.EntitlementUpdatedAt(), entitlements.InstantOf(time.Now()))
		s.takeSet(e.Key, e.Snapshot)
	case entitlements.EventUsage:
		s.counts.events.Add(1)
		s.lag.note(e.Usage.UpdatedAt, entitlements.InstantOf(time.Now()))
		s.takeUsage(e.Key, e.Usage, false)
	case entitlements.EventPackagePublished:
		s.counts.events.Add(1)
		if e.AllCustomers {
			s.doubtEverything("a package was published to all customers")
		}
	case entitlements.EventSkipped:
		s.counts.skipped.Add(1)
	case entitlements.EventUnknown:
		s.counts.unknown.Add(1)
	case entitlements.EventUnreadable:
		s.counts.unreadable.Add(1)
		if e.Key.CustomerID != "" {
			s.doubt(e.Key, question)
			s.doubtResources(e.Key, question)
		} else {
			s.doubtEverything("an event could not be read")
		}
	}
}

// change applies one arrival to its key: to the resident belief, and to the flight that may bring the next one. It returns the
// verdict on the resident belief, and whether there is one. stamp is that of a set that arrived, else zero.
func (s *Syncer) change(key entitlements.Key, at arrival, stamp entitlements.Instant, next changing) (v verdict, resident bool) {
	s.mu.Lock()
	b := s.cfg.Store.Update(key, func(held *entitlements.Belief) *entitlements.Belief {
		var n *entitlements.Belief
		n, v = next(held)
		return n
	})
	if f := s.flights[key]; f != nil {
		f.newest = max(f.newest, stamp)
		switch {
		case b != nil:
			f.held = b
		case f.held != nil:
			f.held, _ = next(f.held)
		default:
			remember(f, at, next)
		}
	}
	s.mu.Unlock()
	if b != nil {
		s.refresh.expires(key, b.ExpiresAt)
		if b.Suspect && v == questioned {
			s.refresh.urgent(key)
		}
	}
	return v, b != nil
}

// changing makes the next belief of one, and says what that did.
type changing func(*entitlements.Belief) (*entitlements.Belief, verdict)

// remember keeps an arrival for the end of a flight. The caller holds Syncer.mu.
func remember(f *flight, at arrival, next changing) {
	if len(f.pending) >= maxPending {
		f.pending = append(f.pending[:0], pending{at.seq, func(b *entitlements.Belief) *entitlements.Belief { return await(b, at) }})
		return
	}
	f.pending = append(f.pending, pending{at.seq, func(b *entitlements.Belief) *entitlements.Belief {
		n, _ := next(b)
		return n
	}})
}

// takeSet applies a full set that came as an event.
func (s *Syncer) takeSet(key entitlements.Key, set *entitlements.Snapshot) verdict {
	at := s.arrive()
	v, resident := s.change(key, at, set.EntitlementUpdatedAt(), func(b *entitlements.Belief) (*entitlements.Belief, verdict) {
		return applySet(b, set, at)
	})
	s.countVerdict(v)
	if !resident || v == advanced || v == questioned { // of a set that is not held, nobody knows whether it changed
		s.doubtResources(key, question)
	}
	return v
}

// takeUsage applies the usage of one entitlement.
func (s *Syncer) takeUsage(key entitlements.Key, u entitlements.Usage, own bool) verdict {
	at := s.arrive()
	v, _ := s.change(key, at, 0, func(b *entitlements.Belief) (*entitlements.Belief, verdict) { return applyUsage(b, u, at, own) })
	s.countVerdict(v)
	return v
}

// mark is question or await.
type mark func(*entitlements.Belief, arrival) *entitlements.Belief

// doubt makes one key suspect.
func (s *Syncer) doubt(key entitlements.Key, how mark) {
	at := s.arrive()
	s.change(key, at, 0, func(b *entitlements.Belief) (*entitlements.Belief, verdict) { return how(b, at), questioned })
}

// doubtResources makes a customer's resources suspect when the customer's own set changed (rule 7).
func (s *Syncer) doubtResources(key entitlements.Key, how mark) {
	if key.ResourceID != "" {
		return
	}
	for _, k := range s.cfg.Store.Resources(key.CustomerID) {
		s.doubt(k, how)
	}
	// And those in the air that are not resident.
	s.mu.Lock()
	var flying []entitlements.Key
	for k := range s.flights {
		if k.CustomerID == key.CustomerID && k.ResourceID != "" {
			flying = append(flying, k)
		}
	}
	s.mu.Unlock()
	for _, k := range flying {
		s.doubt(k, how)
	}
}

// doubtEverything makes every resident belief Stale by one step of the generation, and has what is being read fetched again.
func (s *Syncer) doubtEverything(why string) {
	if s.live.Load() == 0 {
		return // nothing is Live
	}
	s.log.Info("entitlements are being fetched again", "because", why)
	s.newGeneration()
	s.refresh.pass()
}

func (s *Syncer) countVerdict(v verdict) {
	switch v {
	case advanced:
		s.counts.advanced.Add(1)
	case questioned:
		s.counts.questions.Add(1)
	}
}

// Wrote applies the set that the answer to this client's own write carried. A nil set, as when a payment is still required,
// changes nothing; call [Syncer.AwaitRefresh] when the write may have changed what the answer does not show.
func (s *Syncer) Wrote(key entitlements.Key, set *entitlements.Snapshot) {
	if set == nil {
		return
	}
	at := s.arrive()
	v, _ := s.change(key, at, set.EntitlementUpdatedAt(), func(b *entitlements.Belief) (*entitlements.Belief, verdict) {
		n, v := applySet(b, set, at)
		if v == questioned {
			n = await(n, at)
		}
		return n, v
	})
	s.countVerdict(v)
	// Also when it is no news here: a fetch of this key may have seen the write before its answer came, and one of a resource not.
	s.doubtResources(key, await)
}

// WroteUsage applies the usage that the answer to this client's own report carried.
func (s *Syncer) WroteUsage(key entitlements.Key, u entitlements.Usage) { s.takeUsage(key, u, true) }

// AwaitRefresh makes the next read of key, or of one of its resources, wait for one fetch that begins after this call.
func (s *Syncer) AwaitRefresh(key entitlements.Key) {
	s.doubt(key, await)
	s.doubtResources(key, await)
}
