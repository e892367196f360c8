package entcache

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"

	"github.com/entcache/entcache/cache"
	"github.com/entcache/entcache/entitlements"
	syncer "github.com/entcache/entcache/sync"
)

// Bound is a question that is asked again and again: of a loop over a customer's work, a connection that lives for hours, a worker for
// one tenant. Make one with [Client.Bind]. Its answers are those that [Client.GetEntitlement] would give, as live and as fresh, for a
// fraction of the price: as long as nothing has happened to the answer, a check is a handful of loads. That pays for questions that are
// asked often. To bind all there is, and ask at random, is slower than not to bind: each Bound has an answer of its own, and so many are
// not in the processor's caches.
//
// A Bound needs no closing: forget it when it is not needed. It keeps its last answer, with the customer's set, which [WithMaxMemory] does
// not count. All methods may be called from any number of goroutines.
type Bound struct {
	c     *Client
	query Query
	last  atomic.Pointer[resolved] // the last answer that may be given again as long as it stands
	other atomic.Pointer[Decision] // the last that may not, so that the same again makes no garbage
}

// Answer is what a [Bound] answers: one word, which leads to a [Decision] that never changes. To copy the Decision itself costs twice as
// much as finding it, and who only wants to know whether the customer has access needs none of it. Two answers that say the same need
// not be equal; compare what they say. The zero Answer denies.
type Answer struct {
	_ [0]func() // not comparable
	d *Decision
}

// HasAccess is [Decision].HasAccess.
func (a Answer) HasAccess() bool { return a.d != nil && a.d.HasAccess }

// Origin is [Decision].Origin: where the answer came from.
func (a Answer) Origin() Origin {
	if a.d == nil {
		return Fallback
	}
	return a.d.Origin
}

// Decision returns all of it: the reason of a denial, the entitlement, how old it is.
func (a Answer) Decision() Decision {
	if a.d == nil {
		return Decision{}
	}
	return *a.d
}

// LogValue is that of the Decision.
func (a Answer) LogValue() slog.Value { return a.Decision().LogValue() }

// MarshalJSON writes the Decision.
func (a Answer) MarshalJSON() ([]byte, error) { return json.Marshal(a.Decision()) }

// String is for messages.
func (a Answer) String() string { return fmt.Sprintf("%+v", a.Decision()) }

// resolved is an answer, and everything that it was made of. As long as all of that is the same, so is the answer.
type resolved struct {
	clock  *clock
	sync   *syncer.Syncer
	now    entitlements.Instant // the tick of the readers' clock; never, if it counts what is pending
	stream uint64               // that was followed
	place  cache.Place
	belief *entitlements.Belief
	d      Decision
	counts counts
}

// counts is what this process has pending in an answer; zero when it has nothing.
type counts struct {
	now      entitlements.Instant   // the tick of the readers' clock
	snapshot *entitlements.Snapshot // the belief's, which had changed so often
	changes  uint64
}

const never entitlements.Instant = -1

// unresolved is what a Bound begins with.
var unresolved = &resolved{clock: &clock{}, now: never}

// stands reports whether nothing has changed of what the answer was made of, pending usage apart, since the tick. That a client is
// closed shows in the stream, which it follows no more.
func (r *resolved) stands(tick entitlements.Instant) bool {
	return r.clock.load() == tick && r.sync.Stream() == r.stream && r.place.Holds(r.belief)
}

// standsCounted is stands for an answer that counts what is pending.
func (r *resolved) standsCounted() bool {
	return r.counts.snapshot != nil && r.stands(r.counts.now) && r.counts.snapshot.Changes() == r.counts.changes
}

// Bind prepares a question that will be asked often. It asks nothing yet, keeps no reference to q.RequestedValues, and does not look at
// whether q can be answered: one that cannot, without a customer, say, is answered with the fallback for ever, and [Bound.Check] does not
// say why. Call q.Validate first, where q is not written out.
func (c *Client) Bind(q Query) *Bound {
	q.RequestedValues = slices.Clone(q.RequestedValues)
	b := &Bound{c: c, query: q}
	b.last.Store(unresolved)
	return b
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
func (b *Bound) Check() Answer {
	// This is stands(r.now), written so that the compiler makes nothing but jumps of it.
	if r := b.last.Load(); r.clock.load() == r.now {
		if r.sync.Stream() == r.stream {
			if r.place.Holds(r.belief) {
				return Answer{d: &r.d}
			}
		}
	}
	return b.ask()
}

// ask is a function of its own to keep Check short.
//
//go:noinline
func (b *Bound) ask() Answer {
	a, _ := b.CheckContext(context.Background())
	return a
}

// CheckContext is [Bound.Check] with the wait bounded by ctx as well, and with the error that [Client.GetEntitlement] would return.
func (b *Bound) CheckContext(ctx context.Context) (Answer, error) {
	if r := b.last.Load(); r.stands(r.now) || r.standsCounted() {
		return Answer{d: &r.d}, nil
	}
	return b.resolve(ctx)
}

// resolve answers the question anew, and keeps the answer.
func (b *Bound) resolve(ctx context.Context) (Answer, error) {
	e := b.c.running.Load()
	if e == nil {
		d, err := b.c.GetEntitlement(ctx, b.query)
		return b.keep(d), err
	}
	// What the answer is made of is read before the answer is made: what changes in between shows at the next check.
	r := resolved{clock: e.clock, sync: e.sync, now: e.clock.load(), stream: e.sync.Stream()}
	if place, held := e.cache.Place(b.query.Key()); held {
		r.place, r.belief = place, place.Belief()
	}
	if r.belief != nil && r.belief.Snapshot.Counting() {
		r.counts = counts{r.now, r.belief.Snapshot, r.belief.Snapshot.Changes()}
		r.now = never
	}
	d, err := b.c.GetEntitlement(ctx, b.query)
	// Live alone: an answer that is Stale because its fetch failed is none to whoever comes next, who has to wait for a fetch, too.
	if d.Origin != Live || r.belief == nil || r.stream == 0 { // a stream that began meanwhile is none to tell of its own end
		return b.keep(d), err
	}
	r.d = d
	last := new(r)
	b.last.Store(last)
	return Answer{d: &last.d}, err
}

// keep makes an answer of a decision that may not be given again.
func (b *Bound) keep(d Decision) Answer {
	if other := b.other.Load(); other != nil && *other == d {
		return Answer{d: other}
	}
	other := new(d)
	b.other.Store(other)
	return Answer{d: other}
}
