package entcache

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/entcache/entcache/cache"
	"github.com/entcache/entcache/entitlements"
	syncer "github.com/entcache/entcache/sync"
)

// Bound is a question that is asked again and again: of a loop over a customer's work, a connection that lives for hours, a worker for
// one tenant. Make one with [Client.Bind]. Its answers are those that [Client.GetEntitlement] would give, as live and as fresh, for a
// fraction of the price: as long as nothing has happened to the answer, a check is a handful of loads and a copy.
//
// A Bound holds no resources: forget it when it is not needed. All methods may be called from any number of goroutines.
type Bound struct {
	c     *Client
	query Query
	last  atomic.Pointer[resolved]
}

// resolved is an answer, and everything that it was made of. As long as all of that is the same, so is the answer.
type resolved struct {
	clock  *clock
	sync   *syncer.Syncer
	now    entitlements.Instant // the tick of the readers' clock
	stream uint64               // that was followed
	place  cache.Place
	belief *entitlements.Belief
	// counts is the belief's snapshot, if this process has something pending in it, which had changed so often; nil if not.
	counts  *entitlements.Snapshot
	changes uint64
	d       Decision
}

// Bind prepares a question that will be asked often. It asks nothing yet, keeps no reference to q.RequestedValues, and does not look at
// whether q can be answered: one that cannot, without a customer, say, is answered with the fallback for ever, and [Bound.Check] does not
// say why. Call q.Validate first, where q is not written out.
func (c *Client) Bind(q Query) *Bound {
	q.RequestedValues = slices.Clone(q.RequestedValues)
	return &Bound{c: c, query: q}
}

// Query returns what is asked.
func (b *Bound) Query() Query {
	q := b.query
	q.RequestedValues = slices.Clone(q.RequestedValues)
	return q
}

// Check answers like [Client.GetEntitlement]. It has no context: should the customer not be in memory, at the first check or after an
// eviction, it waits for Stigg for as long as [WithEntitlementTimeout] allows. It does not explain a Fallback, nor say that the question
// can never be answered ([ErrInvalidQuery]); [Bound.CheckContext] does, and waits as its caller says.
//
// In [Stats], the checks of one Bound within one tick of the clock (50 ms) count as one hit, as long as nothing changes.
func (b *Bound) Check() (d Decision) {
	// Small enough to be inlined, like GetEntitlement: the answer is copied once, to where the caller reads it.
	_ = b.check(context.Background(), &d)
	return d
}

// CheckContext is [Bound.Check] with the wait bounded by ctx as well, and with the error that [Client.GetEntitlement] would return.
func (b *Bound) CheckContext(ctx context.Context) (d Decision, err error) {
	err = b.check(ctx, &d)
	return d, err
}

// check is CheckContext. It does not keep the pointer. The last answer stands if nothing has changed of what it was made of. That a
// client is closed shows in the stream, which it follows no more.
func (b *Bound) check(ctx context.Context, d *Decision) error {
	// One condition at a time: the compiler makes jumps of these, and of one long condition values that it then looks at.
	if r := b.last.Load(); r != nil {
		if r.clock.load() == r.now {
			if r.sync.Stream() == r.stream {
				if r.place.Holds(r.belief) {
					if r.counts == nil || r.counts.Changes() == r.changes {
						*d = r.d
						return nil
					}
				}
			}
		}
	}
	return b.resolve(ctx, d)
}

// resolve answers the question anew, and keeps the answer.
func (b *Bound) resolve(ctx context.Context, d *Decision) (err error) {
	e := b.c.running.Load()
	if e == nil {
		*d, err = b.c.GetEntitlement(ctx, b.query)
		return err
	}
	// What the answer is made of is read before the answer is made: what changes in between shows at the next check.
	r := resolved{clock: e.clock, sync: e.sync, now: e.clock.load(), stream: e.sync.Stream()}
	if place, held := e.cache.Place(b.query.Key()); held {
		r.place, r.belief = place, place.Belief()
	}
	if r.belief != nil && r.belief.Snapshot.Counting() {
		r.counts, r.changes = r.belief.Snapshot, r.belief.Snapshot.Changes()
	}
	*d, err = b.c.GetEntitlement(ctx, b.query)
	// Live alone: an answer that is Stale because its fetch failed is none to whoever comes next, who has to wait for a fetch, too.
	if d.Origin == Live && r.belief != nil {
		r.d = *d
		b.last.Store(new(r))
	}
	return err
}
