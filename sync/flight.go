package syncer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/internal/retry"
)

// flight is one fetch of one key, with its retries, shared by everybody who wants that key. It lives on the syncer's lifetime:
// a caller that gives up leaves it flying for the others.
type flight struct {
	key  entitlements.Key
	done chan struct{} // closed after belief and err are set
	// began is the local order of the attempt under way, and 0 before the first; guarded by Syncer.mu.
	began uint64
	// awaited: somebody waits for the answer; guarded by Syncer.mu.
	awaited bool
	// held is the belief as of the last arrival that met the key both resident and in the air: should the key be evicted before
	// the flight lands, the answer is ordered against it all the same. Guarded by Syncer.mu.
	held *entitlements.Belief
	// pending is what arrived while the key was in the air and nothing was held, to be applied after the answer; guarded by
	// Syncer.mu.
	pending []input

	// newest is the newest stamp of a set that arrived meanwhile; guarded by Syncer.mu.
	newest entitlements.Instant

	// near: nothing is known of the key, and an answer from nearby will do; once done is closed: it did.
	near bool

	belief    *entitlements.Belief
	overtaken bool // the answer was dropped for something newer
	err       error
}

// Now returns the place in the local order as of this call: a Load after it, with this number, waits for a fetch that begins
// later.
func (s *Syncer) Now() uint64 { return s.seq.Add(1) }

// Load waits for a fetch of key that began after the place since in the local order (0: any that is under way will do) and
// returns the belief it left, resident or not. ctx bounds the wait, not the fetch. The error is the fetch's own (it may wrap
// [ErrBudget]), ctx's, [ErrClosed] or [ErrNotStarted].
func (s *Syncer) Load(ctx context.Context, key entitlements.Key, since uint64) (*entitlements.Belief, error) {
	called := s.seq.Load()
	for {
		f, err := s.join(key, since)
		if err != nil {
			return nil, err
		}
		if err := wait(ctx, f); err != nil {
			return nil, err
		}
		switch { // done is closed: nothing about the flight changes any more
		case f.err != nil:
			return nil, f.err
		case f.near && since > 0:
			// What was answered from nearby may not show what the caller wants to see.
			since = max(since, f.began)
		case f.began <= since:
			// In the air before since: its answer may not show what the caller wants to see. Once more.
		case f.belief.AwaitRefresh && f.began <= called:
			// A write met it in the air, perhaps before this call: what was written may be missing.
			since = called
		case f.overtaken && since > 0:
			// What the caller wants to see was dropped for something else that is newer.
			since = f.began
		default:
			return f.belief, nil
		}
	}
}

// Reload is Load for somebody who asks in so many words: it waits for a fetch that begins after this call, and a key that backs
// off is tried all the same.
func (s *Syncer) Reload(ctx context.Context, key entitlements.Key) (*entitlements.Belief, error) {
	s.mu.Lock()
	if x := s.failures[key]; x != nil {
		x.until = time.Time{}
	}
	s.mu.Unlock()
	return s.Load(ctx, key, s.Now())
}

// wait waits for the end of a flight.
func wait(ctx context.Context, f *flight) error {
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for %v: %w", f.key, context.Cause(ctx))
	}
}

// join returns the flight of key that is in the air, else starts one, to which any answer will do when since is 0, else only the
// server's own.
func (s *Syncer) join(key entitlements.Key, since uint64) (*flight, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, ErrClosed
	case s.cancel == nil:
		return nil, ErrNotStarted
	}
	if f := s.ledger.flights[key]; f != nil {
		f.awaited = true
		return f, nil
	}
	if f := s.ledger.answered(key, since); f != nil {
		return f, nil
	}
	if err := s.status.refused(); err != nil {
		return nil, err
	}
	if x := s.failures[key]; x != nil && time.Now().Before(x.until) {
		return nil, x.err
	}
	return s.takeOff(key, true, false, since == 0), nil
}

// takeOff starts a flight on a goroutine of its own. The caller holds mu. paid says that the first request has its token of the budget
// already.
func (s *Syncer) takeOff(key entitlements.Key, awaited, paid, near bool) *flight {
	f := s.board(key, awaited, near)
	go s.fly(s.ctx, f, paid)
	return f
}

// board registers a flight, which the caller has to fly: Close waits for it. The caller holds mu. near says that an answer from nearby
// will do, should nothing be known of the key.
func (s *Syncer) board(key entitlements.Key, awaited, near bool) *flight {
	f := s.ledger.takeOff(key)
	f.awaited = awaited
	f.near = near && f.held == nil && s.near.may(key)
	s.wg.Add(1)
	return f
}

// fly fetches until an answer, the time limit, or an error that will not go away. What nobody waits for is tried once: the
// refresher comes back to it.
func (s *Syncer) fly(ctx context.Context, f *flight, paid bool) {
	defer s.wg.Done()
	ctx, cancel := context.WithTimeout(ctx, s.cfg.FetchTimeout)
	defer cancel()
	if f.near {
		if s.approach(ctx, f) {
			return
		}
		f.near = false // read by others only when done is closed
	}
	var wait *retry.Backoff // most flights need none
	attempts := 4
	if s.failedAttempts.Load() >= brakeAfter {
		attempts = 1 // nothing has been answered lately: do not let whoever waits wait for more of the same
	}
	for n := 1; ; n++ {
		snapshot, at, err := s.attempt(ctx, f, paid)
		if err == nil {
			s.land(f, snapshot, at)
			return
		}
		paid = false
		if errors.Is(err, ErrBudget) { // nobody was asked; and no retry, because it was refused for the time limit
			s.crash(f, err)
			return
		}
		s.failedAttempts.Add(1)
		fail := classify(err)
		if fail.Unauthenticated() {
			s.reject(at.seq, err)
		}
		s.throttled(fail)
		final := !fail.Retryable() || fail.Unauthenticated()
		if wait == nil {
			wait = retry.New(50*time.Millisecond, 200*time.Millisecond, 2*time.Second)
		}
		pause := max(wait.Next(), fail.RetryAfter())
		end, _ := ctx.Deadline()
		if n == attempts || final || time.Until(end) < pause || !s.isAwaited(f) || sleep(ctx, pause) != nil {
			s.crash(f, err)
			return
		}
	}
}

// throttled tells the budget when a request was answered that there are too many.
func (s *Syncer) throttled(fail Failure) {
	if fail.RateLimited() {
		s.counts.rateLimited.Add(1)
		s.budget.throttled(leaveAlone(fail))
	}
}

func (s *Syncer) isAwaited(f *flight) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f.awaited
}

// attempt is one request: a token of the budget, a place in the local order, a fetch.
func (s *Syncer) attempt(ctx context.Context, f *flight, paid bool) (*entitlements.Snapshot, arrival, error) {
	if !paid {
		end, _ := ctx.Deadline()
		left := time.Until(end)
		// A request that cannot be answered in time is not worth its token; but a slow server is no reason not to ask at all.
		answer := min(2*time.Duration(s.latency.Load()), left/2)
		if err := s.budget.forMiss(ctx, left-answer); err != nil {
			return nil, arrival{}, fmt.Errorf("fetch %v: %w", f.key, err)
		}
	}
	at := s.arrive()
	s.mu.Lock()
	s.ledger.begin(f, at.seq)
	s.mu.Unlock()
	s.counts.fetches.Add(1)
	began := time.Now()
	snapshot, err := s.cfg.Source.Fetch(ctx, f.key)
	if err == nil {
		s.took(time.Since(began))
	}
	switch {
	case err != nil && ctx.Err() != nil && s.ctx.Err() == nil:
		err = fmt.Errorf("fetch %v: no answer within %v: %w", f.key, s.cfg.FetchTimeout, err)
	case err != nil:
		err = fmt.Errorf("fetch %v: %w", f.key, err)
	case snapshot == nil:
		err = fmt.Errorf("fetch %v: the source answered nothing", f.key)
	}
	return snapshot, at, err
}

// took takes note of how long a fetch was on its way. Two at once may lose one of the two: it is an average.
func (s *Syncer) took(d time.Duration) {
	held := s.latency.Load()
	if held == 0 {
		held = int64(d)
	}
	s.latency.Store(held + (int64(d)-held)/16)
}

// land makes the answer the belief, in one step with what arrived meanwhile, and ends the flight.
func (s *Syncer) land(f *flight, snapshot *entitlements.Snapshot, at arrival) {
	s.mu.Lock()
	s.answered(at.seq)
	at.landed = entitlements.InstantOf(time.Now())
	s.near.learned(f.key)
	b, v, resident := s.ledger.land(f, snapshot, at)
	f.belief, f.overtaken = b, v == overtaken
	delete(s.failures, f.key)
	s.mu.Unlock()
	switch v {
	case overtaken:
		s.counts.overtaken.Add(1)
	case advanced:
		s.doubtResources(f.key, inDoubt) // whoever told of the change, it was not heard
	}
	if resident {
		s.refresh.lookAgain(f.key, justAfter(b.ExpiresAt))
		switch g := s.live.Load(); {
		case b.Suspect && b.Overtaken > 1:
			// Whatever overtakes it comes faster than the answers: do not race it.
			pause := min(50*time.Millisecond<<min(b.Overtaken, 10), 10*time.Second)
			s.refresh.lookAgain(f.key, entitlements.InstantOf(time.Now().Add(retry.Jitter(pause, 0.2))))
		case b.Suspect:
			s.refresh.urgent(f.key)
		case g != 0 && b.Generation != g:
			// What was in the air while a generation began is not of it, and the pass may have met it there.
			s.refresh.readStale(f.key)
			s.refresh.poke()
		}
	}
	s.release()
	close(f.done)
}

// crash ends the flight with an error, and lets the key back off (scenario 3).
func (s *Syncer) crash(f *flight, err error) {
	s.counts.failures.Add(1)
	s.mu.Lock()
	f.err = err
	s.ledger.crash(f)
	switch {
	case s.ctx.Err() != nil:
		f.err = fmt.Errorf("%w: %w", ErrClosed, err)
	case !errors.Is(err, ErrBudget):
		x := s.failures[f.key]
		if x == nil {
			s.forgetFailures()
			x = &failed{backoff: retry.New(250*time.Millisecond, time.Second, 30*time.Second)}
			s.failures[f.key] = x
		}
		x.err, x.until = err, time.Now().Add(x.backoff.Next())
	}
	s.mu.Unlock()
	s.status.fetched(err)
	close(f.done)
}
