package syncer

import (
	"slices"
	"time"

	"github.com/entcache/entcache/entitlements"
)

// relevant tells the stream which events are worth decoding: those about keys that are resident, or being fetched, and
// those about the customers of such resources.
func (s *Syncer) relevant(key entitlements.Key) bool {
	// First what is in the air, then what is resident: what lands in between is found where it landed. The other way round it would
	// be found nowhere.
	s.mu.Lock()
	flying := s.ledger.inTheAir(key)
	s.mu.Unlock()
	if flying {
		return true
	}
	if _, ok := s.cfg.Store.Peek(key); ok {
		return true
	}
	return key.ResourceID == "" && len(s.cfg.Store.Resources(key.CustomerID)) > 0 // rule 7
}

// handle applies one event. It runs on the goroutine that reads the stream, never blocks, and does no I/O.
func (s *Syncer) handle(e *entitlements.Event) {
	kind := e.Kind
	if kind == entitlements.EventEntitlements && e.Snapshot == nil {
		kind = entitlements.EventUnreadable // a source's mistake
	}
	switch kind {
	case entitlements.EventSubscribed:
		s.subscribed()
	case entitlements.EventEntitlements:
		s.counts.events.Add(1)
		at := entitlements.InstantOf(time.Now())
		s.lag.note(e.Snapshot.EntitlementUpdatedAt(), at)
		s.takeSet(e.Key, e.Snapshot, s.arriveAt(at))
	case entitlements.EventUsage:
		s.counts.events.Add(1)
		s.takeUsage(e.Key, &e.Usage, inUsage)
	case entitlements.EventPackagePublished:
		s.counts.events.Add(1)
		if e.AllCustomers {
			s.doubtEverything("a package was published to all customers")
		}
	case entitlements.EventSkipped:
		s.counts.skipped.Add(1)
	case entitlements.EventUnknown:
		s.counts.unknown.Add(1)
	case entitlements.EventUnreadable: // scenario 6
		s.counts.unreadable.Add(1)
		if e.Key.CustomerID != "" {
			s.doubt(e.Key, inDoubt)
			s.doubtResources(e.Key, inDoubt)
		} else {
			s.doubtEverything("an event could not be read")
		}
	}
}

// take applies one arrival, of which say fills in the rest, to its key, and sees to what follows from it. It returns the verdict,
// as [ledger.take] does. say runs while mu is held.
func (s *Syncer) take(key entitlements.Key, kind inputKind, say func(in *input)) verdict {
	s.mu.Lock()
	if kind.own() {
		s.near.wrote(key)
	}
	in := s.ledger.blank(kind)
	say(in)
	var t taken
	t.b, t.v = s.ledger.take(key, in)
	if in.set != nil || in.along != nil {
		in.set, in.usages, in.along = nil, nil, nil // holds on to nothing
	}
	s.mu.Unlock()
	s.heed(key, t)
	return t.v
}

// taken is what an arrival came to: see [ledger.take].
type taken struct {
	b *entitlements.Belief
	v verdict
}

// heed sees to what follows from an arrival.
func (s *Syncer) heed(key entitlements.Key, t taken) {
	if t.b == nil {
		return
	}
	s.refresh.lookAgain(key, justAfter(t.b.ExpiresAt))
	if t.b.Suspect && t.v == questioned {
		s.refresh.urgent(key)
	}
}

// takeSet applies a full set that came as an event.
func (s *Syncer) takeSet(key entitlements.Key, set *entitlements.Snapshot, at arrival) {
	v := s.take(key, inSet, func(in *input) { in.set, in.at = set, at })
	s.countVerdict(v)
	if v != confirmed { // of a set that is not held, nobody knows whether it changed
		s.doubtResources(key, inDoubt)
	}
}

// takeUsage applies the usage of one entitlement; kind is inUsage or inOwnUsage.
func (s *Syncer) takeUsage(key entitlements.Key, u *entitlements.Usage, kind inputKind) {
	v := s.take(key, kind, func(in *input) { in.usage, in.at.seq = *u, s.nextSeq() })
	s.countVerdict(v)
}

// doubt makes one key suspect; how is inDoubt, or inAwait.
func (s *Syncer) doubt(key entitlements.Key, how inputKind) {
	s.take(key, how, func(in *input) { in.at = arrival{seq: s.nextSeq()} })
}

// doubtResources makes a customer's resources suspect when the customer's own set changed (rule 7).
func (s *Syncer) doubtResources(key entitlements.Key, how inputKind) {
	if key.ResourceID != "" {
		return
	}
	// First those in the air, then the resident: see relevant.
	s.mu.Lock()
	flying := s.ledger.flyingResources(key.CustomerID)
	s.mu.Unlock()
	for _, k := range flying {
		s.doubt(k, how)
	}
	for _, k := range s.cfg.Store.Resources(key.CustomerID) {
		if !slices.Contains(flying, k) {
			s.doubt(k, how)
		}
	}
}

// doubtEverything makes every resident belief Stale by one step of the generation, and has what is being read fetched again.
func (s *Syncer) doubtEverything(why string) {
	if s.live.Load() == 0 {
		return // nothing is Live
	}
	s.log.Info("entcache: entitlements are being fetched again", "because", why)
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
