package entcache

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/entcache/entcache/entitlements"
	syncer "github.com/entcache/entcache/sync"
)

// GetEntitlement answers whether a customer may use a feature, or a credit currency. From memory it takes no lock and does not
// allocate; a customer that is not in memory is fetched first, once for everybody who asks.
//
// The decision is always usable. Its Origin says where it came from: Live and Fetched are current, Stale is the last known
// answer while Stigg cannot confirm it (AsOf says from when), Fallback is what the program configured for the case that nothing
// is known. The error is nil unless Origin is Fallback, and explains it: [ErrInvalidQuery], [ErrTypeMismatch], [ErrNotStarted],
// [ErrClosed], [ErrOffline], [ErrUnauthenticated], [ErrBudget], context.DeadlineExceeded, or whatever else kept Stigg from
// answering. A denial is an answer, not an error. A fallback that grants access grants it for all of these, a malformed query
// included: look at the error where that matters.
//
// ctx and [WithEntitlementTimeout] bound the wait, whichever ends first; an answer from memory does not look at ctx.
func (c *Client) GetEntitlement(ctx context.Context, q Query) (d Decision, err error) {
	// Small enough to be inlined, so that the query is read where the caller wrote it: copying it costs as much as deciding.
	err = c.get(ctx, &q, &d)
	return d, err
}

// get is GetEntitlement. It keeps neither pointer.
func (c *Client) get(ctx context.Context, q *Query, d *Decision) (err error) {
	e := c.running.Load()
	if e == nil {
		if err = q.Validate(); err == nil {
			err = c.whyNotRunning()
		}
		*d, err = c.fallback(*q, err)
		return err
	}
	b, ok := e.hit(d, q)
	if !ok {
		*d, err = c.getSlow(ctx, e, *q, b)
	}
	return err
}

// hit answers a well-formed query from a belief that is Live. It is the path that the benchmarks hold to ristretto's own Get:
// the answer is built where the caller reads it, because copying it costs a tenth of the whole. When it cannot answer it returns
// what it found.
func (e *engine) hit(d *Decision, q *Query) (b *entitlements.Belief, ok bool) {
	if q.Validate() != nil {
		return nil, false
	}
	now := e.clock.load()
	b, first := e.cache.Lookup(q.CustomerID, q.ResourceID, now)
	if b == nil || b.AwaitRefresh {
		return b, false
	}
	asOf, live := e.fresh(b, now)
	if !live {
		if first {
			e.sync.Want(q.Key())
		}
		return b, false
	}
	entitlements.DecideInto(d, b.Snapshot, q, now)
	if !d.HasAccess && unanswerable(d, q) {
		return b, false
	}
	d.Origin, d.AsOf = Live, asOf
	return b, true
}

// fresh reports whether a belief may be served as Live, and as of when it is confirmed.
func (e *engine) fresh(b *entitlements.Belief, now entitlements.Instant) (asOf entitlements.Instant, live bool) {
	asOf, live = e.sync.Fresh(b, now)
	return asOf, live && now-asOf <= e.maxStale
}

// servable reports whether a belief confirmed as of that moment is young enough to be served as Stale.
func (e *engine) servable(asOf, now entitlements.Instant) bool { return now-asOf <= e.maxStale }

// unanswerable reports whether a denial is none of Stigg's, and has to give way to the fallback: the entitlement is of another
// type than the program relies on, or it is granted and of a type that this client does not know.
func unanswerable(d *Decision, q *Query) bool {
	if !d.Entitlement.Exists() {
		return false
	}
	t := d.Entitlement.Type()
	if q.Type != entitlements.TypeUnspecified && q.Type != t {
		return true
	}
	return t == entitlements.TypeUnspecified && d.Entitlement.IsGranted() && d.Entitlement.AccessDeniedReason() == ""
}

// getSlow answers whatever is not a Live hit. b is what the hit found.
func (c *Client) getSlow(ctx context.Context, e *engine, q Query, b *entitlements.Belief) (Decision, error) {
	if err := q.Validate(); err != nil {
		return c.fallback(q, err)
	}
	b, origin, err := c.belief(ctx, e, q.Key(), b)
	if b == nil {
		return c.fallback(q, err)
	}
	return c.decide(e, b, origin, q)
}

// decide answers q from a belief that is at hand.
func (c *Client) decide(e *engine, b *entitlements.Belief, origin Origin, q Query) (Decision, error) {
	now := e.clock.load()
	d := entitlements.Decide(c.pending.seen(q.Key(), b.Snapshot), &q, now) // of a set that memory has no room for, too
	if !d.HasAccess && unanswerable(&d, &q) {
		reason, ent := d.AccessDeniedReason, d.Entitlement
		d, _ = c.fallback(q, nil)
		if !d.HasAccess {
			d.AccessDeniedReason = reason
		}
		if q.Type != entitlements.TypeUnspecified {
			return d, fmt.Errorf("%w: %v of %v is %v, not %v", ErrTypeMismatch, q.Ref(), q.Key(), ent.Type(), q.Type)
		}
		return d, fmt.Errorf("entcache: %v of %v has the feature type %q, which this version does not know", q.Ref(), q.Key(), ent.FeatureType())
	}
	if b.Suspect {
		origin = Stale // fetched, and under question all the same
	}
	if b.Suspect && c.cfg.denyWhileSuspect && d.HasAccess {
		d.HasAccess, d.AccessDeniedReason = false, UnknownReason
	}
	d.Origin, d.AsOf = origin, b.ConfirmedAt
	if origin != Fetched {
		d.AsOf, _ = e.fresh(b, now)
	}
	return d, nil
}

// belief returns what is known about key, and how: from memory when that is good enough, else by waiting for Stigg. b is what is
// in memory. The result is nil, with the reason, when nothing is known or what is known may no longer be served.
func (c *Client) belief(ctx context.Context, e *engine, key Key, b *entitlements.Belief) (*entitlements.Belief, Origin, error) {
	now := e.clock.load()
	var since uint64
	var err error
	if b != nil {
		if !b.AwaitRefresh {
			asOf, live := e.fresh(b, now)
			if live {
				return b, Live, nil
			}
			if e.servable(asOf, now) {
				c.counts.stale.Add(1)
				return b, Stale, nil
			}
		} else {
			since = b.QuestionSeq // a fetch that begins after what has to be seen
		}
	} else if err := checkKey(key); err != nil {
		return nil, Fallback, err
	}
	c.counts.misses.Add(1)
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.entitlementTimeout, errEntitlementTimeout)
	defer cancel()
	for range awaits {
		var fetched *entitlements.Belief
		if fetched, err = e.sync.Load(ctx, key, since); err != nil {
			break
		}
		if !fetched.AwaitRefresh && (fetched.ConfirmedAt >= now || e.servable(fetched.ConfirmedAt, e.clock.load())) {
			return fetched, Fetched, nil // of this call, however long it took; or of one that was under way, and young enough
		}
		// Either this client wrote something while the fetch was in the air; whether before or after this read began is not known
		// here, so the read waits for a fetch that began after it. Or a late event overtook the fetch, and leaves what is held
		// older than may be served.
		b, since = fetched, max(fetched.QuestionSeq, fetched.GrantSeq)
	}
	now = e.clock.load()
	if held, ok := e.cache.Peek(key); ok {
		b = held.Belief // it may have moved on meanwhile
	}
	if b != nil {
		if asOf, _ := e.fresh(b, now); e.servable(asOf, now) {
			c.counts.stale.Add(1)
			return b, Stale, nil
		}
	}
	if err == nil {
		err = errBusy
	}
	return nil, Fallback, explain(err)
}

// awaits bounds how many fetches one read waits for when this client keeps writing to what it reads. After that the answer is
// the last one, as Stale.
const awaits = 4

var errBusy = errors.New("this client writes to the customer faster than Stigg answers")

// explain puts a failure of the syncer into this package's words.
func explain(err error) error {
	if errors.Is(err, syncer.ErrClosed) || errors.Is(err, ErrClosed) {
		return ErrClosed
	}
	return fmt.Errorf("entcache: %w", err)
}

var errEntitlementTimeout = fmt.Errorf("entitlement timeout: %w", context.DeadlineExceeded)

// maxID bounds an id. Stigg's are tens of bytes; a longer one is a mistake, or somebody's attempt to fill our memory.
const maxID = 1 << 10

// checkKey says why Stigg cannot be asked about key. What is in memory has passed it.
func checkKey(key Key) error {
	for _, id := range []struct{ name, value string }{{"CustomerID", key.CustomerID}, {"ResourceID", key.ResourceID}} {
		switch {
		case len(id.value) > maxID:
			return fmt.Errorf("%w: %s has %d bytes: an id has at most %d", ErrInvalidQuery, id.name, len(id.value), maxID)
		case !utf8.ValidString(id.value):
			return fmt.Errorf("%w: %s %q is not UTF-8, and cannot be told from others on the way to Stigg", ErrInvalidQuery, id.name, id.value)
		}
	}
	if key.CustomerID == "" {
		return fmt.Errorf("%w: CustomerID is empty: name the customer", ErrInvalidQuery)
	}
	return nil
}

// fallback answers q with what the program configured.
func (c *Client) fallback(q Query, err error) (Decision, error) {
	c.counts.fallbacks.Add(1)
	return c.cfg.fallbackFor(&q).Decision(&q, entitlements.InstantOf(time.Now())), err
}

func (c *Client) whyNotRunning() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return ErrClosed
	case c.cfg.offline:
		return ErrOffline
	default:
		return ErrNotStarted
	}
}

// Peek answers like [Client.GetEntitlement] from memory alone: it never waits and never asks Stigg. It is false, with the
// fallback, when the customer is not in memory, its answer is too old, this client wrote something that is not visible yet, or
// the query cannot be answered.
func (c *Client) Peek(q Query) (Decision, bool) {
	e := c.running.Load()
	if e == nil || q.Validate() != nil {
		d, _ := c.fallback(q, nil)
		return d, false
	}
	now := e.clock.load()
	b, _ := e.cache.Lookup(q.CustomerID, q.ResourceID, now)
	if b == nil || b.AwaitRefresh {
		d, _ := c.fallback(q, nil)
		return d, false
	}
	origin := Stale
	if asOf, live := e.fresh(b, now); live {
		origin = Live
	} else if !e.servable(asOf, now) {
		d, _ := c.fallback(q, nil)
		return d, false
	}
	d, err := c.decide(e, b, origin, q)
	return d, err == nil
}
