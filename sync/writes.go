package syncer

import "github.com/entcache/entcache/entitlements"

// What this client wrote itself is applied like what arrives, and where it cannot be, the next read waits for a fetch.

// Wrote applies the set that the answer to this client's own write carried. A nil set, as when a payment is still required,
// changes nothing; call [Syncer.AwaitRefresh] when the write may have changed what the answer does not show.
func (s *Syncer) Wrote(key entitlements.Key, set *entitlements.Snapshot) {
	if set == nil {
		return
	}
	v, _ := s.take(key, input{kind: inOwnSet, set: set, at: s.arrive()})
	s.countVerdict(v)
	s.doubtResources(key, inAwait) // even if a fetch has brought the set already: that told the resources nothing
}

// WroteUsage applies the usage that the answer to this client's own report carried.
func (s *Syncer) WroteUsage(key entitlements.Key, u entitlements.Usage) {
	s.takeUsage(key, u, inOwnUsage)
}

// AwaitRefresh makes the next read of key, or of one of its resources, wait for one fetch that begins after this call.
func (s *Syncer) AwaitRefresh(key entitlements.Key) {
	s.doubt(key, inAwait)
	s.doubtResources(key, inAwait)
}
