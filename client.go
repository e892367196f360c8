package entcache

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/entcache/entcache/cache"
	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/gql"
	syncer "github.com/entcache/entcache/sync"
	"github.com/entcache/entcache/usage"
)

// Outcomes that programs branch on, for errors.Is.
var (
	// ErrNotStarted explains a fallback of a client that Start has not been called on.
	ErrNotStarted = errors.New("entcache: client is not started: call Start")
	// ErrNotSynced is returned by Start when the first synchronization is not complete. The client is usable and keeps trying.
	ErrNotSynced = errors.New("entcache: not synchronized yet")
	// ErrClosed explains a fallback, or the failure of a write, after Close.
	ErrClosed = errors.New("entcache: client is closed")
	// ErrOffline explains a fallback, or the failure of a write, of a client made with WithOffline.
	ErrOffline = errors.New("entcache: client is offline")
	// ErrInvalidQuery explains a fallback to a question that cannot be answered; the error says what to mend.
	ErrInvalidQuery = entitlements.ErrInvalidQuery
	// ErrTypeMismatch explains a fallback to a question about another type of entitlement than there is; see [Query].Type.
	ErrTypeMismatch = errors.New("entcache: entitlement of another type")
	// ErrBudget: asking Stigg would have to wait for the request budget longer than the check may; see [WithRequestBudget].
	ErrBudget = syncer.ErrBudget
	// ErrUnauthenticated: Stigg refuses the API key.
	ErrUnauthenticated = gql.ErrUnauthenticated
	// ErrForbidden: the API key lacks the scope for what was asked.
	ErrForbidden = gql.ErrForbidden
	// ErrNotFound: what a write names does not exist. An unknown customer in a check is an answer, not this error.
	ErrNotFound = gql.ErrNotFound
	// ErrRateLimited: Stigg asks this API key to slow down. [APIError].RetryAfter says for how long, where Stigg does. A call of a
	// service waits that long and is sent again, where its ctx and [WithWriteTimeout] leave the time for it, and fails at once where
	// they do not: bound the wait by either.
	ErrRateLimited = gql.ErrRateLimited
	// ErrBadInput: Stigg, or this client, rejects what was asked.
	ErrBadInput = gql.ErrBadInput
	// ErrConflict: it exists already, its state does not allow what was asked (archived, ended, in use), or another request is changing
	// it now.
	ErrConflict = gql.ErrConflict
	// ErrNoStream is what a [Source] without a stream answers to Subscribe: the client polls then.
	ErrNoStream = syncer.ErrNoStream
	// ErrQueueFull: as much usage waits for Stigg as may, and the report was not accepted; see [WithUsageBound].
	ErrQueueFull = usage.ErrFull
	// ErrMalformed: a reply could not be understood; nothing that was held has changed.
	ErrMalformed = gql.ErrMalformed
)

// Client answers entitlement checks from memory and passes writes through to Stigg. Make one with [New], [Client.Start] it, share
// it, and [Client.Close] it at the end. All methods may be called from any number of goroutines.
type Client struct {
	cfg *config
	api *gql.Client // nil when offline
	key atomic.Pointer[string]

	// running is what a check needs; nil before Start and from Close on.
	running atomic.Pointer[engine]

	mu      sync.Mutex // guards the following
	started bool
	closed  bool
	engine  *engine // what Close has to end

	lifetime context.Context // not a call's: ends when Close begins, and with it what waits
	end      context.CancelFunc
	done     chan struct{} // closed when Close is complete
	remains  error         // what Close returns then

	pending      *pending
	reservations reservations

	counts struct{ misses, stale, fallbacks, writes atomic.Uint64 }

	// What goes straight to Stigg, by noun. What a write changes is visible to the next check of this client.

	// Customers provisions, changes, archives and shows customers.
	Customers *Customers
	// Subscriptions provisions, changes, ends, finds and prices subscriptions.
	Subscriptions *Subscriptions
	// Usage reports usage, and shows what was reported.
	Usage *Usage
	// Meter reports usage without waiting for Stigg.
	Meter *Meter
	// Promotions grants and revokes entitlements outside any subscription.
	Promotions *Promotions
	// Coupons makes and lists coupons.
	Coupons *Coupons
	// Credits grants and consumes credits, and shows wallets.
	Credits *Credits
	// Catalog shows what is sold.
	Catalog *Catalog
	// Checkout is for programs that show their own.
	Checkout *Checkout
}

// engine is what runs between Start and Close.
type engine struct {
	cache *cache.Cache
	store store // the cache, as the syncer sees it
	sync  *syncer.Syncer
	clock *clock
	// maxStale is WithMaxStale, without a bound the longest there is.
	maxStale entitlements.Instant
	cancel   context.CancelFunc
	wg       sync.WaitGroup
}

// New checks the API key and the options and returns a client. It does no I/O and starts no goroutine; until [Client.Start],
// checks answer the fallback with [ErrNotStarted]. The services and the meter need no Start: a program that only writes can do without.
// The key is a Stigg server API key (Settings, Account, Environments).
func New(apiKey string, opts ...Option) (*Client, error) {
	cfg, err := newConfig(apiKey, opts)
	if err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, done: make(chan struct{}), pending: newPending()}
	c.lifetime, c.end = context.WithCancel(context.Background())
	c.key.Store(&cfg.apiKey)
	c.Customers, c.Subscriptions, c.Usage = &Customers{c}, &Subscriptions{c}, &Usage{c}
	c.Promotions, c.Coupons, c.Credits = &Promotions{c}, &Coupons{c}, &Credits{c}
	c.Catalog, c.Checkout = &Catalog{c}, &Checkout{c}
	if !cfg.offline {
		if c.api, err = gql.New(gql.Config{
			Endpoint:        cfg.baseURL.JoinPath("graphql").String(),
			EdgeEndpoint:    cfg.edgeURL,
			APIKey:          func() string { return *c.key.Load() },
			HTTPClient:      cfg.httpClient,
			Proxy:           cfg.proxy,
			TLSClientConfig: cfg.tlsConfig,
			DialContext:     cfg.dialContext,
			// Half, so that a request lost on the way leaves time for a second.
			AttemptTimeout:  cfg.entitlementTimeout / 2,
			QueryTimeout:    cfg.writeTimeout,
			MutationTimeout: cfg.writeTimeout,
		}); err != nil {
			return nil, fmt.Errorf("entcache: %w", err)
		}
	}
	if c.Meter, err = newMeter(c); err != nil {
		return nil, fmt.Errorf("entcache: %w", err)
	}
	return c, nil
}

// Start begins to follow Stigg, and waits for the first synchronization: the API key was accepted and every subscription
// acknowledged, or, without a stream, the key was accepted. No customer is loaded by it: that happens at a customer's first
// check, or by [Client.Prefetch]. Only checks need it, [Client.Reserve] among them; the services and the meter work without.
//
// ctx bounds the wait, nothing else. When it ends first, or Stigg refuses the key, Start returns an error that wraps
// [ErrNotSynced]; the client is usable all the same, and keeps trying until Close. A second Start is an error.
func (c *Client) Start(ctx context.Context) error {
	ended := ctx.Done() // here, so that a nil ctx starts nothing
	c.mu.Lock()
	switch {
	case c.closed:
		c.mu.Unlock()
		return ErrClosed
	case c.started:
		c.mu.Unlock()
		return errors.New("entcache: client is started already")
	case c.cfg.offline:
		c.started = true
		c.mu.Unlock()
		return nil
	}
	e, err := c.newEngine()
	if err != nil {
		c.mu.Unlock()
		return fmt.Errorf("entcache: %w", err)
	}
	c.started, c.engine = true, e
	c.running.Store(e)
	c.mu.Unlock()
	c.Meter.reporter.Resume()

	select {
	case <-e.sync.Settled():
	case <-ended:
	case <-c.lifetime.Done():
		return ErrClosed
	}
	select {
	case <-e.sync.Synced():
		return nil
	default:
	}
	if last := e.sync.Status().Err; last != nil {
		return fmt.Errorf("%w: %w", ErrNotSynced, last)
	}
	return fmt.Errorf("%w: %w", ErrNotSynced, context.Cause(ctx))
}

func (c *Client) newEngine() (*engine, error) {
	e := &engine{clock: newClock(), maxStale: entitlements.Instant(c.cfg.maxStale)}
	if e.maxStale == 0 {
		e.maxStale = math.MaxInt64
	}
	var err error
	if e.cache, err = cache.New(cache.Config{
		MaxBytes: c.cfg.maxMemory,
		OnEvict:  func(k Key, b *entitlements.Belief) { e.sync.Evicted(k, b); c.pending.forget(k) },
	}); err != nil {
		return nil, err
	}
	e.store = store{e.cache, c.pending}
	source := c.cfg.source
	if source == nil {
		api := &stigg{api: c.api, realtime: c.cfg.realtime}
		if source = api; c.cfg.edgeURL != "" && e.maxStale > entitlements.Instant(syncer.NearBehind) {
			source = edge{api}
		}
	}
	if e.sync, err = syncer.New(syncer.Config{
		Source:            source,
		Store:             e.store,
		Logger:            c.cfg.logger,
		FetchTimeout:      c.cfg.entitlementTimeout,
		PollInterval:      c.cfg.pollInterval,
		RequestsPerMinute: c.cfg.requestsPerMinute,
		Burst:             c.cfg.burst,
	}); err != nil {
		e.cache.Close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background()) // the engine's lifetime; Close ends it
	e.cancel = cancel
	e.wg.Go(func() { e.clock.run(ctx) })
	e.sync.Start()
	return e, nil
}

// Close delivers what [Client].Meter has accepted, for up to [WithCloseTimeout], and then ends everything the client started and waits
// for it: streams, fetches, goroutines. Checks are answered until the former is done; those that run meanwhile, and later ones, answer
// the fallback with [ErrClosed]. A write that is under way is abandoned: whether it took effect is unknown.
//
// The error is an [*UndeliveredError] when usage was left undelivered, or that of a durable queue which could not be closed; nil
// otherwise. Close may be called more than once, and returns the same each time.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		<-c.done
		return c.remains
	}
	c.closed = true
	e := c.engine
	c.mu.Unlock()

	c.remains = c.Meter.close(c.cfg.closeTimeout)
	c.reservations.close()
	c.running.Store(nil)
	c.end()
	if e != nil {
		e.sync.Close()
		e.cancel()
		e.wg.Wait()
		e.cache.Close()
	}
	if c.api != nil {
		c.api.Close()
	}
	close(c.done)
	return c.remains
}

// SetAPIKey replaces the API key, for all requests from now on. A client that is Off because the old one was refused tries
// again at once. A stream that is open stays open. The error says what is wrong with the key, without showing it.
func (c *Client) SetAPIKey(apiKey string) error {
	if err := gql.ValidateAPIKey(apiKey); err != nil {
		return fmt.Errorf("entcache: %w", err)
	}
	c.key.Store(&apiKey)
	if e := c.running.Load(); e != nil {
		e.sync.KeyChanged()
	}
	if c.Meter.reporter != nil {
		c.Meter.reporter.Hurry()
	}
	return nil
}

// Status is how the client stands to Stigg.
type Status struct {
	// State is Initializing until the first synchronization, before Start, after Close and offline; then Live, Interrupted, or Off
	// when the API key is refused. After an interruption it is Live again when everything that is being read has been tried again
	// and no more of it failed than was confirmed, which takes Pending divided by the request budget. Single answers are Live before
	// that, as soon as they are confirmed; those whose fetch failed stay Stale after it, and are tried again.
	State State
	// Since is when that state began; zero before Start and after Close.
	Since time.Time
	// Err is what last went wrong, even when it no longer matters, and ErrAt is when. Nil and zero when nothing has.
	Err   error
	ErrAt time.Time
	// Pending is how many customers and resources that are being read are waiting to be confirmed.
	Pending int
	// Bound is how soon everything that is being read (in the last ten minutes; being loaded counts) equals Stigg once that is
	// quiet and reachable, even if the stream lost events: the poll interval in force (ten times the configured one while a stream
	// is Live), or, if longer, fifteen sixteenths of it and the time that all that is resident takes at the rate of the request
	// budget or, if that is slower, of Stigg's answers; four times that time while there are more questions than the budget has
	// requests. While checks of unknown customers use up the budget there is no bound, whatever this says. Zero before Start,
	// after Close and offline.
	Bound time.Duration
	// LastFrame is the last sign of life from the stream; zero without one.
	LastFrame time.Time
	// RequestsPerMinute is the fetch rate allowed now; below what was configured after Stigg answered 429.
	RequestsPerMinute float64
	// Resident is how many customers and resources are in memory, MemoryBytes the estimate of what they take.
	Resident    int
	MemoryBytes int64
	// Waiting is how many of them came when memory was full, or had to make room: they stay while they are read, see WithMaxMemory.
	Waiting int
}

// Status returns how things stand now. It takes short locks that no check takes.
func (c *Client) Status() Status {
	e := c.running.Load()
	if e == nil {
		return Status{}
	}
	s, held := e.sync.Status(), e.cache.Stats()
	return Status{
		State: s.State, Since: s.Since, Err: s.Err, ErrAt: s.ErrAt, Pending: s.Pending, Bound: s.Bound, LastFrame: s.LastFrame,
		RequestsPerMinute: math.Round(s.BudgetPerMinute), Resident: s.Resident, MemoryBytes: held.Bytes, Waiting: held.Waiting,
	}
}

// Stats are counters since Start.
type Stats struct {
	Hits      uint64 // reads answered by what is in memory, stale ones included
	Stale     uint64 // hits that were answered as Stale
	Misses    uint64 // reads that waited for Stigg
	Fallbacks uint64 // reads that were answered by a fallback
	Writes    uint64 // writes that were sent

	Fetches     uint64 // requests for a set of entitlements, retries included
	Edge        uint64 // requests to Edge, which come on top; see WithEdge
	Failures    uint64 // fetches that ended without an answer
	RateLimited uint64 // fetches answered 429
	Events      uint64 // events about what is resident
	Skipped     uint64 // events about what is not
	Unreadable  uint64 // events that did not decode
	Questions   uint64 // events and answers that could not be ordered, and had to be decided by a fetch
	Connects    uint64 // streams opened
	Evicted     uint64 // keys that gave way to others
	Refused     uint64 // keys that memory was too full to keep for longer than they waited, unread, for a place
}

// Stats returns the counters. They stand still after Close.
func (c *Client) Stats() Stats {
	s := Stats{
		Misses: c.counts.misses.Load(), Stale: c.counts.stale.Load(), Fallbacks: c.counts.fallbacks.Load(), Writes: c.counts.writes.Load(),
	}
	c.mu.Lock()
	e := c.engine
	c.mu.Unlock()
	if e == nil {
		return s
	}
	held, made := e.cache.Stats(), e.sync.Stats()
	s.Hits, s.Evicted, s.Refused = held.Hits, held.Evicted, held.Refused
	s.Fetches, s.Edge, s.Failures, s.RateLimited = made.Fetches, made.Near, made.Failures, made.RateLimited
	s.Events, s.Skipped, s.Unreadable = made.Events, made.Skipped, made.Unreadable
	s.Questions, s.Connects = made.Questions, made.Connects
	return s
}
