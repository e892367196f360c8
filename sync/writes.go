package syncer

import "github.com/entcache/entcache/entitlements"

// What this client wrote itself is applied like what arrives, and where it cannot be, the next read waits for a fetch.

// Wrote applies the set that the answer to this client's own write carried. A nil set, as when a payment is still required,
// changes nothing; call [Syncer.AwaitRefresh] when the write may have changed what the answer does not show.
func (s *Syncer) Wrote(key entitlements.Key, set *entitlements.Snapshot) {
	if set == nil {
		return
	}
	at := s.arrive() // reads the clock, which no lock has to wait for
	v := s.take(key, inOwnSet, func(in *input) { in.set, in.at = set, at })
	s.countVerdict(v)
	s.doubtResources(key, inAwait) // even if a fetch has brought the set already: that told the resources nothing
}

// WroteUsage applies the usage that the answer to this client's own report carried.
func (s *Syncer) WroteUsage(key entitlements.Key, u entitlements.Usage) {
	s.takeUsage(key, &u, inOwnUsage)
}

// Reported applies the usages that the answers to several of this client's own reports for one key carried, and in the same step
// the change along of the snapshot, which must be idempotent: no reader sees one without the other. Without usages, as when the
// answers did not say, or with one that cannot be ordered, none of them is applied, and the next read waits for a fetch: along is told,
// and so is the caller. A key that is not resident shows nothing that it should not. While it is being fetched nobody knows yet what the
// answer will show: along is told when it is there, which may be after this call.
func (s *Syncer) Reported(key entitlements.Key, usages []entitlements.Usage, along func(s *entitlements.Snapshot, shown bool) *entitlements.Snapshot) (shown bool) {
	v := s.take(key, inReported, func(in *input) {
		in.usages, in.along, in.at = usages, along, arrival{seq: s.nextSeq()}
	})
	s.countVerdict(v)
	return v != questioned
}

// Overheard is a usage that had arrived as an event, and was kept back until a report was answered.
type Overheard struct {
	Key   entitlements.Key
	Usage entitlements.Usage
}

// Overhear applies what was kept back. What that is, kept says while nothing arrives: until then it is kept back, from then on it is
// applied, and nothing older can be in between. kept must not call the Syncer.
func (s *Syncer) Overhear(kept func() []Overheard) {
	s.mu.Lock()
	list := kept()
	took := make([]taken, len(list))
	for i := range list {
		in := s.ledger.blank(inUsage)
		in.usage, in.at.seq = list[i].Usage, s.nextSeq()
		took[i].b, took[i].v = s.ledger.take(list[i].Key, in)
	}
	s.mu.Unlock()
	for i := range took {
		s.heed(list[i].Key, took[i])
		s.countVerdict(took[i].v)
	}
}

// AwaitRefresh makes the next read of key, or of one of its resources, wait for one fetch that begins after this call.
func (s *Syncer) AwaitRefresh(key entitlements.Key) {
	s.doubt(key, inAwait)
	s.doubtResources(key, inAwait)
}
