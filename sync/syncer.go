package syncer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/entcache/entcache/entitlements"
)

// Config configures [New]. Source and Store are required; every duration that is zero takes the default named with it.
type Config struct {
	Source Source
	Store  Store
	// Logger hears of changes of state, nothing else. Nil is silent.
	Logger *slog.Logger

	// FetchTimeout bounds one fetch with its retries, and the wait of whoever waits for it. Default 10 s.
	FetchTimeout time.Duration
	// PollInterval is how old a belief that is being read may become while no stream follows it. Default 30 s. While a stream is
	// Live it is ten times as long, as a safety net under events that the stream lost.
	PollInterval time.Duration
	// RequestsPerMinute and Burst are the budget of all fetches together. Defaults 3000 and 500.
	RequestsPerMinute int
	Burst             int
	// ReconnectMin and ReconnectMax bound the wait before the stream is opened again. Defaults 500 ms and 30 s.
	ReconnectMin, ReconnectMax time.Duration
}

// Defaults of Config.
const (
	DefaultFetchTimeout      = 10 * time.Second // as Stigg's Node SDK (entitlementsTimeout)
	DefaultPollInterval      = 30 * time.Second
	DefaultRequestsPerMinute = 3000 // half of Stigg's 6,000 a minute per key, so that two processes fit without meeting a 429
	DefaultBurst             = 500
	DefaultReconnectMin      = 500 * time.Millisecond
	DefaultReconnectMax      = 30 * time.Second
)

const (
	// safetyFactor stretches the poll interval while a stream is Live, which may lose events (scenario 7).
	safetyFactor = 10
	// idleAfter is how long after its last read a key is no longer kept current: its next read revalidates it.
	idleAfter = 10 * time.Minute
	// clockSlack is how far ahead of a reader's coarse clock a confirmation may be, in nanoseconds. One further ahead is from
	// before the machine's clock was set back: how old it is cannot be known, so it is fetched again.
	clockSlack = int64(2 * time.Second)
	// workers bounds the revalidating fetches in flight. At a second a fetch, 64 make 64 a second, more than the default budget.
	workers = 64
	// keyProbe is how often a refused API key is tried again, give or take a fifth.
	keyProbe = 5 * time.Minute
	// stableAfter is how long a stream must have lasted for the next reconnect to start at the shortest wait again.
	stableAfter = time.Minute
)

// Syncer obtains beliefs, orders them, keeps them current, and says how far they can be trusted. Use New, then Start. Its methods
// may be called from any goroutine.
type Syncer struct {
	cfg    Config
	log    *slog.Logger
	budget *budget

	// What readers look at. live is the generation that is being followed, 0 for none; generations only grow.
	live       atomic.Uint64
	freshFor   atomic.Int64 // how long a confirmation counts as Live, in nanoseconds
	lastFrame  atomic.Int64 // Instant of the last sign of life from the stream
	generation atomic.Uint64
	ended      atomic.Pointer[lostStream]
	since      atomic.Int64  // Instant at which that generation began
	lag        lag           // between the server's stamps and this machine's clock
	seq        atomic.Uint64 // local order of everything that arrives or begins
	keySeq     atomic.Uint64 // place in that order at which the API key was replaced

	wants chan entitlements.Key // stale keys that were just read; lossy, because the next read says it again

	ctx    context.Context // the lifetime of everything this syncer started; ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu       sync.Mutex // guards the following
	ledger   ledger
	near     near
	failures map[entitlements.Key]*failed
	swept    time.Time // when failures last forgot what was old
	closed   bool
	drop     context.CancelCauseFunc // ends the stream that is open, or the wait that stands in for one
	refusal  refusal                 // what fetches say against the API key

	refresh   refresher
	status    statusBox
	counts    counters
	keyChange chan struct{} // capacity 1: the API key was replaced

	failuresInARow atomic.Int32  // of refreshes, since any fetch succeeded
	relief         chan struct{} // capacity 1: they have ended
	failedAttempts atomic.Int32  // of all fetches, since one succeeded
	latency        atomic.Int64  // of a fetch that is answered, in nanoseconds: a moving average
}

// ErrClosed is returned once Close has begun, ErrNotStarted before Start.
var (
	ErrClosed     = errors.New("syncer is closed")
	ErrNotStarted = errors.New("syncer is not started")
)

// New checks the configuration and fills in its defaults. It starts nothing.
func New(cfg Config) (*Syncer, error) {
	if cfg.Source == nil || cfg.Store == nil {
		return nil, errors.New("syncer: Source and Store are required")
	}
	for _, d := range []struct {
		name string
		v    *time.Duration
		def  time.Duration
	}{
		{"FetchTimeout", &cfg.FetchTimeout, DefaultFetchTimeout},
		{"PollInterval", &cfg.PollInterval, DefaultPollInterval},
		{"ReconnectMin", &cfg.ReconnectMin, DefaultReconnectMin},
		{"ReconnectMax", &cfg.ReconnectMax, DefaultReconnectMax},
	} {
		if *d.v < 0 {
			return nil, fmt.Errorf("syncer: %s is %v: give a positive duration, or 0 for %v", d.name, *d.v, d.def)
		}
		if *d.v == 0 {
			*d.v = d.def
		}
	}
	if cfg.RequestsPerMinute < 0 || cfg.Burst < 0 {
		return nil, fmt.Errorf("syncer: budget of %d requests a minute with a burst of %d: give positive numbers", cfg.RequestsPerMinute, cfg.Burst)
	}
	if cfg.RequestsPerMinute == 0 {
		cfg.RequestsPerMinute = DefaultRequestsPerMinute
	}
	if cfg.Burst == 0 {
		cfg.Burst = DefaultBurst
	}
	if cfg.ReconnectMax < cfg.ReconnectMin {
		return nil, fmt.Errorf("syncer: ReconnectMax %v is below ReconnectMin %v", cfg.ReconnectMax, cfg.ReconnectMin)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Syncer{
		cfg: cfg, log: cfg.Logger,
		budget:    newBudget(cfg.RequestsPerMinute, cfg.Burst),
		wants:     make(chan entitlements.Key, 256),
		ledger:    newLedger(cfg.Store),
		near:      newNear(cfg.Source),
		failures:  make(map[entitlements.Key]*failed),
		keyChange: make(chan struct{}, 1),
		relief:    make(chan struct{}, 1),
	}
	s.freshFor.Store(math.MaxInt64)
	s.refresh.init()
	s.status.init()
	return s, nil
}

// Start starts the syncer's goroutines, once; Close ends them.
func (s *Syncer) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.cancel != nil {
		return
	}
	s.ctx, s.cancel = context.WithCancel(context.Background()) // the lifetime; no caller's ctx bounds it
	s.wg.Go(func() { s.supervise(s.ctx) })
	s.wg.Go(func() { s.revalidate(s.ctx) })
}

// Synced is closed when the first synchronization is complete: the key was accepted and every subscription acknowledged, or,
// without a stream, the key was accepted.
func (s *Syncer) Synced() <-chan struct{} { return s.status.synced }

// Settled is closed when the first synchronization is complete, or the API key was refused for the first time.
func (s *Syncer) Settled() <-chan struct{} { return s.status.settled }

// KeyChanged says that the API key was replaced: what was refused before is tried again at once.
func (s *Syncer) KeyChanged() {
	s.keySeq.Store(s.seq.Add(1))
	s.trust()
	select {
	case s.keyChange <- struct{}{}:
	default:
	}
}

// Close ends every goroutine of the syncer and waits for them. It is safe to call more than once and from several goroutines.
func (s *Syncer) Close() {
	s.mu.Lock()
	s.closed = true
	cancel := s.cancel
	s.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	s.wg.Wait()
	s.live.Store(0) // nothing follows any more, and nothing begins a generation
}

// Fresh reports whether the belief is Live as of now, and as of when it is confirmed. It is on the path of every hit: three
// atomic loads, no clock.
func (s *Syncer) Fresh(b *entitlements.Belief, now entitlements.Instant) (asOf entitlements.Instant, live bool) {
	if g := s.live.Load(); g == 0 || b.Generation != g || b.Suspect || b.Expired(now) {
		return s.lastLive(b), false
	}
	if age := int64(now - b.ConfirmedAt); age > s.freshFor.Load() || age < -clockSlack {
		return b.ConfirmedAt, false
	}
	return max(b.ConfirmedAt, entitlements.Instant(s.lastFrame.Load())), true
}

// Stream returns which stream is followed, 0 when none is: a belief that was Live stays so, within a tick of the reader's clock, for as
// long as this and the belief are the same.
func (s *Syncer) Stream() uint64 { return s.live.Load() }

// lastLive is as of when a belief that is not Live is confirmed: to the end of the stream that followed it, if that was the last
// one, and nothing has questioned it since.
func (s *Syncer) lastLive(b *entitlements.Belief) entitlements.Instant {
	if l := s.ended.Load(); l != nil && b.Generation == l.generation && !b.Suspect && !b.Expired(l.frame) {
		return max(b.ConfirmedAt, l.frame)
	}
	return b.ConfirmedAt
}

// lostStream is the stream that ended last: its generation, and its last sign of life.
type lostStream struct {
	generation uint64
	frame      entitlements.Instant
}

// lose ends the generation that is being followed, if any.
func (s *Syncer) lose() {
	if g := s.live.Swap(0); g != 0 && s.freshFor.Load() == math.MaxInt64 {
		s.ended.Store(&lostStream{g, entitlements.Instant(s.lastFrame.Load())})
	}
}

// Want says that a key was read and is not Live. It never blocks, and may be forgotten: the next read says it again.
func (s *Syncer) Want(key entitlements.Key) {
	select {
	case s.wants <- key:
	default:
	}
}

// Evicted is told of a key that is no longer resident; its stamp is remembered. The store may call it while it holds locks of its
// own: it calls nothing back.
func (s *Syncer) Evicted(key entitlements.Key, b *entitlements.Belief) {
	s.ledger.evicted(key, b)
	s.refresh.forget(key)
}

// arrive takes the next place in the local order, for something that arrives now.
func (s *Syncer) arrive() arrival { return s.arriveAt(entitlements.InstantOf(time.Now())) }

// arriveAt is arrive for who has just read the clock: that takes a tenth of the time that applying a set does.
func (s *Syncer) arriveAt(now entitlements.Instant) arrival {
	return arrival{
		seq: s.seq.Add(1), generation: s.live.Load(), since: entitlements.Instant(s.since.Load()), at: now, lag: s.lag.least(),
	}
}

// nextSeq takes the next place in the local order alone, for what is not ordered by the moment: anything but sets. Reading the clock takes
// a tenth of the time that applying a usage does.
func (s *Syncer) nextSeq() uint64 { return s.seq.Add(1) }

func (s *Syncer) newGeneration() {
	s.since.Store(int64(entitlements.InstantOf(time.Now())))
	s.live.Store(s.generation.Add(1))
}
