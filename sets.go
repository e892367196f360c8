package entcache

import (
	"context"
	"iter"

	"github.com/entcache/entcache/entitlements"
)

// Set is all that a customer, or one of its resources, may do, as of one moment.
type Set struct {
	// Origin and AsOf say where the set came from; see [Decision].
	Origin Origin
	AsOf   entitlements.Instant
	// AccessDeniedReason says why the whole set is denied (no such customer, archived, no active subscription); empty when it
	// is not.
	AccessDeniedReason Reason

	snapshot *entitlements.Snapshot
	now      entitlements.Instant
}

// Len returns how many entitlements the set holds.
func (s Set) Len() int {
	if s.snapshot == nil {
		return 0
	}
	return s.snapshot.Len()
}

// All yields the entitlements: features first, then credit wallets, each by id.
func (s Set) All() iter.Seq[Entitlement] {
	if s.snapshot == nil {
		return func(func(Entitlement) bool) {}
	}
	return s.snapshot.All(s.now)
}

// Find returns one entitlement of the set.
func (s Set) Find(ref Ref) (Entitlement, bool) {
	if s.snapshot == nil {
		return Entitlement{}, false
	}
	return s.snapshot.Find(ref, s.now)
}

// Entitlements returns all entitlements of a customer, or of one of its resources, as [Client.GetEntitlement] would find them.
// When nothing is known the set is empty, its Origin is Fallback, and the error says why.
func (c *Client) Entitlements(ctx context.Context, key Key) (Set, error) {
	e := c.running.Load()
	if e == nil {
		return c.noSet(c.whyNotRunning())
	}
	if err := checkKey(key); err != nil {
		return c.noSet(err)
	}
	now := e.clock.load()
	b, first := e.cache.Lookup(key.CustomerID, key.ResourceID, now)
	if b != nil && first {
		if _, live := e.fresh(b, now); !live {
			e.sync.Want(key)
		}
	}
	b, origin, err := c.belief(ctx, e, key, b)
	if b == nil {
		return c.noSet(err)
	}
	return e.set(b, origin), nil
}

func (c *Client) noSet(err error) (Set, error) {
	c.counts.fallbacks.Add(1)
	return Set{AccessDeniedReason: UnknownReason}, err
}

func (e *engine) set(b *entitlements.Belief, origin Origin) Set {
	now := e.clock.load()
	if b.Suspect {
		origin = Stale // fetched, and under question all the same
	}
	s := Set{Origin: origin, AsOf: b.ConfirmedAt, AccessDeniedReason: b.Snapshot.Reason(), snapshot: e.store.pending.seen(b.Snapshot.Key(), b.Snapshot), now: now}
	if origin != Fetched {
		s.AsOf, _ = e.fresh(b, now)
	}
	return s
}

// Reload asks Stigg for a customer's entitlements, or those of one of its resources, whatever is in memory, and waits for the
// answer to a question that was put after this call began.
func (c *Client) Reload(ctx context.Context, key Key) (Set, error) {
	e := c.running.Load()
	if e == nil {
		return c.noSet(c.whyNotRunning())
	}
	if err := checkKey(key); err != nil {
		return c.noSet(err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.entitlementTimeout, errEntitlementTimeout)
	defer cancel()
	b, err := e.sync.Reload(ctx, key)
	if err != nil {
		return c.noSet(explain(err))
	}
	return e.set(b, Fetched), nil
}
