package syncer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/internal/retry"
)

// slow is asked of an error that ended a stream: whether to come back at the slow end of the backoff.
type slow interface {
	error
	Slow() bool
}

// subscribeTimeout bounds opening a stream: dial, handshake, acknowledgement.
const subscribeTimeout = 30 * time.Second

// supervise keeps a stream open for as long as the syncer lives (scenario 1). It is the only goroutine that opens, reads or closes one, and
// the only one that applies events.
func (s *Syncer) supervise(ctx context.Context) {
	wait := retry.New(s.cfg.ReconnectMin/2, s.cfg.ReconnectMin, s.cfg.ReconnectMax)
	for ctx.Err() == nil {
		err := s.attemptStream(ctx, wait)
		if err == nil || ctx.Err() != nil {
			continue
		}
		if u, ok := errors.AsType[unconfirmed](err); ok {
			s.askAgain(u.error)
			continue
		}
		s.off(ctx, err)
		wait.Reset()
	}
}

// attemptStream follows a stream to its end, and then waits as long as the next one has to. It returns an error only when the
// key is refused, be it that the stream says so or, at any time until it returns, a fetch.
func (s *Syncer) attemptStream(ctx context.Context, wait *retry.Backoff) error {
	attempt, drop := context.WithCancelCause(ctx)
	defer drop(nil)
	s.mu.Lock()
	s.drop = drop
	s.mu.Unlock()

	s.forgetKeyChange() // this attempt is made with the key as it is now
	began := time.Now()
	err := s.follow(attempt)
	fail := classify(err)
	if ctx.Err() != nil || fail.Unauthenticated() {
		return err
	}
	s.unrefuted()
	if s.lost(Interrupted, err) {
		s.log.Warn("entcache: stream interrupted; answers are stale until it is back", "error", err)
	}
	s.refresh.poke()
	if time.Since(began) > stableAfter {
		wait.Reset()
	}
	pause := wait.Next()
	if x, ok := errors.AsType[slow](err); ok && x.Slow() {
		pause = max(pause, retry.Jitter(s.cfg.ReconnectMax*3/4, 0.3))
	}
	if alone := leaveAlone(fail); alone > 0 {
		// The whole fleet was told the same: nobody is back before it is over, and they spread over as long again.
		pause = alone + max(pause, retry.Jitter(min(alone, s.cfg.ReconnectMax)/2, 1))
	}
	s.forgetKeyChange() // no refusal is waiting for it, and the jitter has to hold for a fleet whose key was replaced
	s.pause(attempt, pause)
	return context.Cause(attempt) // of a key that was refused meanwhile
}

func (s *Syncer) forgetKeyChange() {
	select {
	case <-s.keyChange:
	default:
	}
}

// lost ends the generation together with the state, so that a pass which completes just now does not bring it back.
func (s *Syncer) lost(state State, err error) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lose()
	return s.status.set(state, err)
}

// pause waits before the next attempt, shorter when the key is replaced.
func (s *Syncer) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.keyChange:
	case <-ctx.Done():
	}
}

// off is the state in which the key is refused (scenario 2): serve what we have, say so, and probe now and then.
func (s *Syncer) off(ctx context.Context, err error) {
	if s.lost(Off, err) {
		s.log.Error("entcache: API key refused; serving what is held, which is stale", "error", err)
	}
	s.trust() // the next stream to open answers for itself
	s.pause(ctx, retry.Jitter(keyProbe, 0.2))
}

// follow opens a stream and reads it to its end. It returns why it ended.
func (s *Syncer) follow(ctx context.Context) error {
	opening, cancel := context.WithTimeout(ctx, subscribeTimeout)
	stream, err := s.cfg.Source.Subscribe(opening, s.relevant)
	cancel()
	switch {
	case errors.Is(err, ErrNoStream):
		return s.pollOnly(ctx)
	case err != nil:
		return fmt.Errorf("open stream: %w", because(ctx, err))
	case stream == nil:
		return errors.New("open stream: the source opened nothing, and gave no error")
	}
	s.unrefuted()
	defer stream.Close()
	for {
		e, err := stream.Next(ctx)
		if err != nil {
			return fmt.Errorf("read stream: %w", because(ctx, err))
		}
		s.lastFrame.Store(int64(entitlements.InstantOf(time.Now())))
		s.handle(&e)
	}
}

// because prefers the reason for which ctx was ended by us to the error that this caused.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// subscribed begins a new generation: from here on changes arrive. What is resident belongs to an older one, and is
// fetched again within the budget, hottest first; the state is Live when that is done.
func (s *Syncer) subscribed() {
	s.counts.connects.Add(1)
	s.freshFor.Store(math.MaxInt64)
	s.newGeneration()
	s.forgive()
	s.status.set(Interrupted, nil) // no longer Off: the key was accepted
	s.refresh.pass()
}

// passed is told by the refresher that everything that is being read has been tried since the last interruption, and that no more
// of it failed than was confirmed.
func (s *Syncer) passed() {
	s.mu.Lock()
	live := s.live.Load() != 0 && s.status.set(Live, nil)
	s.mu.Unlock()
	if live {
		s.log.Info("entcache: live")
	}
}

// pollOnly stands in for a stream where there is none. It ends when the key is refused.
func (s *Syncer) pollOnly(ctx context.Context) error {
	if k, ok := s.cfg.Source.(KeyChecker); ok {
		if err := s.budget.forMiss(ctx, s.cfg.FetchTimeout); err != nil {
			return err
		}
		checking, cancel := context.WithTimeout(ctx, s.cfg.FetchTimeout)
		err := k.CheckKey(checking)
		cancel()
		if err != nil {
			s.throttled(classify(err))
			return fmt.Errorf("check API key: %w", because(ctx, err))
		}
	}
	s.unrefuted()
	// A confirmation is good for the interval, the time to come round to it, and one fetch.
	s.freshFor.Store(int64(s.cfg.PollInterval + s.cfg.PollInterval/4 + s.cfg.FetchTimeout))
	s.newGeneration()
	s.forgive()
	s.status.set(Interrupted, nil)
	s.refresh.pass()
	<-ctx.Done()
	return context.Cause(ctx)
}

// streaming reports whether a stream is open and follows changes; polling, whether there is none to be had.
func (s *Syncer) streaming() bool { return s.live.Load() != 0 && s.freshFor.Load() == math.MaxInt64 }
func (s *Syncer) polling() bool   { return s.live.Load() != 0 && s.freshFor.Load() != math.MaxInt64 }
