package entcache

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

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
	d := entitlements.Decide(b.Snapshot, &q, now)
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
		if !fetched.AwaitRefresh {
			return fetched, Fetched, nil
		}
		// This client wrote something while the fetch was in the air. Whether before or after this read began is not known here,
		// so the read waits for a fetch that began after it.
		b, since = fetched, fetched.QuestionSeq
	}
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
	s := Set{Origin: origin, AsOf: b.ConfirmedAt, AccessDeniedReason: b.Snapshot.Reason(), snapshot: b.Snapshot, now: now}
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

// PrefetchProgress is how far a [Client.Prefetch] has come.
type PrefetchProgress struct {
	Done   int // keys that are in memory now, or were before
	Failed int // keys that could not be fetched
	Total  int
}

// prefetchers bounds the fetches that one Prefetch has in flight.
const prefetchers = 16

// Prefetch loads the given customers and resources into memory, inside the request budget, so that their first check does not
// wait. At the default budget that is 500 at once and 50 a second from there on. Keys that are in memory are left alone.
//
// progress, if not nil, is called after each key, from one goroutine at a time; it must not call Prefetch. A key that fails is
// counted and does not stop the others. Prefetch returns nil when all succeeded, ctx's error when that ended first, else an
// error that wraps one of the causes. ctx is its only time limit.
func (c *Client) Prefetch(ctx context.Context, keys []Key, progress func(PrefetchProgress)) error {
	e := c.running.Load()
	if e == nil {
		return c.whyNotRunning()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.lifetime, func() { cancel(ErrClosed) })()
	var (
		fetches errgroup.Group // its errors are counted, not returned: a key that fails does not stop the others
		mu      sync.Mutex     // guards the following
		state   = PrefetchProgress{Total: len(keys)}
		cause   error
	)
	fetches.SetLimit(prefetchers)
	report := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			state.Failed++
			cause = err
		} else {
			state.Done++
		}
		if progress != nil {
			progress(state)
		}
	}
	for _, key := range keys {
		if err := checkKey(key); err != nil {
			report(err)
			continue
		}
		if b, ok := e.cache.Peek(key); ok && !b.Belief.AwaitRefresh {
			report(nil)
			continue
		}
		if err := e.sync.Allow(ctx); err != nil {
			fetches.Wait()
			return explain(context.Cause(ctx))
		}
		fetches.Go(func() error {
			_, err := e.sync.LoadAllowed(ctx, key)
			report(err)
			return nil
		})
	}
	fetches.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if errors.Is(cause, syncer.ErrClosed) {
		return ErrClosed
	}
	if cause != nil {
		return fmt.Errorf("entcache: prefetch: %d of %d keys failed: %w", state.Failed, state.Total, cause)
	}
	return nil
}
