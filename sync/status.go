package syncer

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/entcache/entcache/entitlements"
)

// State is how the syncer stands to the server.
type State uint8

const (
	// Initializing: never synchronized yet.
	Initializing State = iota
	// Live: changes arrive, or polling is on time.
	Live
	// Interrupted: it was Live, and is trying to be again. What is resident is served as Stale.
	Interrupted
	// Off: the API key is refused. What is resident is served as Stale; nothing is fetched until the key is accepted again.
	Off
)

// String returns the state's name in lower case.
func (s State) String() string {
	switch s {
	case Live:
		return "live"
	case Interrupted:
		return "interrupted"
	case Off:
		return "off"
	}
	return "initializing"
}

// MarshalText implements encoding.TextMarshaler: in JSON, a log for one, a state is its name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *State) UnmarshalText(text []byte) error {
	for _, known := range []State{Initializing, Live, Interrupted, Off} {
		if known.String() == string(text) {
			*s = known
			return nil
		}
	}
	return fmt.Errorf("unknown state %q: want initializing, live, interrupted or off", text)
}

// Status is how things stand.
type Status struct {
	State State
	// Since is when the state began.
	Since time.Time
	// Err is what last went wrong, even when it no longer matters; nil when nothing has.
	Err error
	// ErrAt is when it did.
	ErrAt time.Time
	// Pending is how many keys that are being read are waiting to be fetched again, or are being fetched.
	Pending int
	// Bound is how soon every resident entry that is being read equals a server that is quiet and reachable, whatever the stream
	// lost: the poll interval in force (ten times the configured one while a stream is Live), or, when that is longer, fifteen
	// sixteenths of it and the time that all that is resident takes, at the rate of the budget or, if that is slower, of the
	// server's answers: an entry becomes due by then, and all others may have become so before it. Four times that time while
	// there are more questions than the budget has requests. There is no bound while misses use up the budget.
	Bound time.Duration
	// LastFrame is the last sign of life from the stream; zero without one.
	LastFrame time.Time
	// BudgetPerMinute is the request rate allowed now; below its ceiling after a 429.
	BudgetPerMinute float64
	// Resident is how many keys are held.
	Resident int
}

// Status returns how things stand. It is cheap, and may be called from anywhere.
func (s *Syncer) Status() Status {
	st := s.status.get()
	budget := s.budget.state()
	st.BudgetPerMinute = budget.perMinute
	st.Resident = s.cfg.Store.Len()
	st.Pending = s.refresh.pending()
	st.LastFrame = entitlements.Instant(s.lastFrame.Load()).Time()
	each := max(float64(time.Minute)/budget.perMinute, float64(s.latency.Load())/workers)
	all := time.Duration(float64(st.Resident) * each)
	if s.refresh.contended() {
		all *= passShare
	}
	interval := s.interval()
	st.Bound = max(interval, interval*15/16+all)
	return st
}

// interval is the poll interval in force.
func (s *Syncer) interval() time.Duration {
	if s.streaming() {
		return safetyFactor * s.cfg.PollInterval
	}
	return s.cfg.PollInterval
}

// Stats are counters since New.
type Stats struct {
	Fetches     uint64 // requests for a set, retries included
	Near        uint64 // requests to a Nearer, which come on top
	Failures    uint64 // fetches that ended without an answer
	RateLimited uint64 // answers 429, or their GraphQL equivalent
	Halvings    uint64 // times the budget halved
	Overtaken   uint64 // answers that something newer had overtaken in flight
	Events      uint64 // events applied or questioned
	Skipped     uint64 // events about keys nobody here wanted
	Unknown     uint64 // events of a kind this version does not know
	Unreadable  uint64 // events that did not decode
	Advanced    uint64 // events and writes that were news
	Questions   uint64 // events and writes that could not be ordered
	Connects    uint64 // streams that were subscribed
}

type counters struct {
	fetches, near, failures, rateLimited, overtaken, events, skipped, unknown, unreadable, advanced, questions, connects atomic.Uint64
}

// Stats returns the counters.
func (s *Syncer) Stats() Stats {
	c := &s.counts
	return Stats{
		Fetches: c.fetches.Load(), Near: c.near.Load(), Failures: c.failures.Load(), RateLimited: c.rateLimited.Load(), Halvings: s.budget.state().halves,
		Overtaken: c.overtaken.Load(), Events: c.events.Load(), Skipped: c.skipped.Load(), Unknown: c.unknown.Load(),
		Unreadable: c.unreadable.Load(), Advanced: c.advanced.Load(), Questions: c.questions.Load(), Connects: c.connects.Load(),
	}
}

// statusBox holds the state. It is a leaf: nothing is called while its lock is held.
type statusBox struct {
	synced  chan struct{} // closed at the first synchronization
	settled chan struct{} // closed at the first synchronization, or the first refusal of the key

	mu                sync.Mutex // guards the following
	state             State
	since             time.Time
	err               error
	errAt             time.Time
	isSync, isSettled bool
}

func (b *statusBox) init() {
	b.synced = make(chan struct{})
	b.settled = make(chan struct{})
	b.since = time.Now()
}

func (b *statusBox) get() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Status{State: b.state, Since: b.since, Err: b.err, ErrAt: b.errAt}
}

// set moves to state and reports whether that is a change. Interrupted before the first synchronization is Initializing still.
func (b *statusBox) set(state State, err error) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.err, b.errAt = err, time.Now()
	}
	if state == Interrupted && !b.isSync {
		state = Initializing
	}
	if b.state == state {
		return false
	}
	b.state, b.since = state, time.Now()
	// synced before settled: whoever waits for the latter looks at the former next.
	if state == Live && !b.isSync {
		b.isSync = true
		close(b.synced)
	}
	if (state == Off || state == Live) && !b.isSettled {
		b.isSettled = true
		close(b.settled)
	}
	return true
}

// refused returns why nothing may be fetched; nil when it may.
func (b *statusBox) refused() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == Off {
		return b.err
	}
	return nil
}

// fetched notes the outcome of a fetch.
func (b *statusBox) fetched(err error) {
	if err == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state != Off { // there the refusal is what matters
		b.err, b.errAt = err, time.Now()
	}
}
