package syncer

import (
	"cmp"
	"context"
	"errors"
	"math/bits"
	"slices"
	"time"

	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/internal/retry"
)

// revalidate fetches what needs it, one token of the budget at a time. It is the only goroutine that starts such fetches.
func (s *Syncer) revalidate(ctx context.Context) {
	r := &s.refresh
	slots := make(chan struct{}, workers)
	brake := retry.New(500*time.Millisecond, time.Second, 30*time.Second)
	interval := s.interval()
	tick := time.NewTimer(pollTick(interval))
	defer tick.Stop()
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for {
		s.hear()
		s.collect()
		through := r.through()
		if r.complete() {
			s.passed()
		}
		if r.idle() || s.status.refused() != nil {
			if i := s.interval(); i != interval {
				interval = i
				tick.Reset(pollTick(interval))
			}
			if wait := r.nextDue(entitlements.InstantOf(time.Now())); wait >= 0 {
				alarm.Reset(wait)
			}
			select {
			case <-ctx.Done():
				return
			case <-r.wake:
			case key := <-s.wants:
				r.readStale(key)
			case <-alarm.C:
			case <-tick.C:
				r.rebuild()
				tick.Reset(pollTick(interval))
			}
			continue
		}
		if through { // there may be no idle moment for as long as reads and questions take up the budget
			select {
			case <-tick.C:
				interval = s.interval()
				tick.Reset(pollTick(interval))
				r.rebuild()
				continue
			default:
			}
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		// Nothing but failures lately: a server that is down is not helped by asking for all that is resident.
		if s.failuresInARow.Load() >= brakeAfter {
			if s.hold(ctx, brake.Next()) != nil {
				return
			}
		} else {
			brake.Reset()
		}
		if s.budget.forRefresh(ctx) != nil {
			return
		}
		// The key is chosen after the token is there: what is most wanted now gets it.
		f, ofPass, ok := s.pick()
		if !ok {
			s.budget.refund()
			<-slots
			continue
		}
		r.lift(ofPass)
		s.wg.Go(func() { // joined by Close
			<-f.done
			s.refreshed(f, ofPass)
			<-slots
			r.poke()
		})
	}
}

// hear takes note of what was just read while Stale.
func (s *Syncer) hear() {
	for {
		select {
		case key := <-s.wants:
			s.refresh.readStale(key)
		default:
			return
		}
	}
}

// hold waits for d, or until a fetch has succeeded.
func (s *Syncer) hold(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.relief:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// pollTick is how often the resident keys are looked through: an eighth of the interval, so that three quarters of it plus a
// tick stay inside, give or take a quarter so that processes do not poll in step.
func pollTick(interval time.Duration) time.Duration { return retry.Jitter(interval/8, 0.25) }

// collect gathers what has become due, and draws up the queue when that was asked for.
func (s *Syncer) collect() {
	r := &s.refresh
	now := entitlements.InstantOf(time.Now())
	for _, key := range r.ripe(now) {
		e, ok := s.cfg.Store.Peek(key)
		if !ok {
			continue
		}
		switch b := e.Belief; {
		case !readLately(e.LastRead, now):
		case b.Suspect || b.Expired(now):
			r.urgent(key)
		default: // it failed, and may be tried again: that makes it no more urgent than its reads
			r.readStale(key)
		}
		if e.Belief.ExpiresAt >= now { // this was something else
			r.lookAgain(key, justAfter(e.Belief.ExpiresAt))
		}
	}
	if !r.takeBuild() {
		return
	}
	type candidate struct {
		key       entitlements.Key
		stale     bool
		age       int // power of two of the seconds since the last read
		read      uint32
		confirmed entitlements.Instant
	}
	var list []candidate
	s.cfg.Store.Range(func(e Resident) bool {
		if readLately(e.LastRead, now) && s.needs(e.Belief, now) {
			list = append(list, candidate{
				e.Key, s.stale(e.Belief, now), bits.Len64(uint64(max(0, now-e.LastRead)) / uint64(time.Second)), e.Reads, e.Belief.ConfirmedAt,
			})
		}
		return true
	})
	// What is to be fetched first stands last. What is Stale goes before what is only due: the hottest of it first, because a
	// reader sees it. What is due goes by when it was confirmed: by heat, one that cools down would be the first of one pass and
	// the last of the next, and wait for twice the time that Status.Bound names.
	slices.SortFunc(list, func(a, b candidate) int {
		switch {
		case a.stale && !b.stale:
			return 1
		case b.stale && !a.stale:
			return -1
		case a.stale:
			return cmp.Or(cmp.Compare(b.age, a.age), cmp.Compare(a.read, b.read), cmp.Compare(b.confirmed, a.confirmed))
		}
		return cmp.Compare(b.confirmed, a.confirmed)
	})
	queue := make([]entitlements.Key, len(list))
	for i, c := range list {
		queue[i] = c.key
	}
	if r.wasCut() {
		slices.SortFunc(list, func(a, b candidate) int { return cmp.Compare(b.confirmed, a.confirmed) })
		oldest := make([]entitlements.Key, len(list))
		for i, c := range list {
			oldest[i] = c.key
		}
		queue = interleave(queue, oldest)
	}
	r.draw(queue)
}

// interleave has every passShare-th turn of a pass, whose first stands last, taken by the first of oldest. When passes are replaced
// before they are through, what is hot is always first in the next: this is how what is cold comes round nevertheless.
func interleave(hottest, oldest []entitlements.Key) []entitlements.Key {
	n := len(hottest)
	order := make([]entitlements.Key, 0, n)
	taken := make(map[entitlements.Key]struct{}, n)
	take := func(from []entitlements.Key) []entitlements.Key {
		for i := len(from) - 1; i >= 0; i-- {
			if _, ok := taken[from[i]]; !ok {
				taken[from[i]] = struct{}{}
				order = append(order, from[i])
				return from[:i]
			}
		}
		return nil
	}
	for turn := 1; len(order) < n; turn++ {
		if turn%passShare == 0 {
			oldest = take(oldest)
		} else {
			hottest = take(hottest)
		}
	}
	slices.Reverse(order)
	return order
}

func readLately(lastRead, now entitlements.Instant) bool {
	return lastRead != 0 && now-lastRead < entitlements.Instant(idleAfter)
}

// stale reports whether nothing vouches for a belief any more; age apart.
func (s *Syncer) stale(b *entitlements.Belief, now entitlements.Instant) bool {
	g := s.live.Load()
	return b.Suspect || b.Expired(now) || (g != 0 && b.Generation != g)
}

// needs reports whether a belief is worth a fetch.
func (s *Syncer) needs(b *entitlements.Belief, now entitlements.Instant) bool {
	if s.stale(b, now) {
		return true
	}
	age := now - b.ConfirmedAt
	return age >= entitlements.Instant(s.interval()*3/4) || int64(age) < -clockSlack
}

// pick starts, or joins, the fetch of the next key that needs one, and says whether it is the pass's. The caller has a token
// for it.
func (s *Syncer) pick() (f *flight, ofPass, ok bool) {
	s.hear()
	s.collect() // a pass may have been asked for while the token was waited for
	for {
		key, ofPass, ok := s.refresh.next()
		if !ok {
			return nil, false, false
		}
		if f := s.refetch(key); f != nil {
			return f, ofPass, true
		}
	}
}

// refetch starts, or joins, the fetch of a key, unless it needs none, or not now. Whether it does is looked at under the lock: a flight
// that lands between the look and the take-off would make the new one needless.
func (s *Syncer) refetch(key entitlements.Key) *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if e, resident := s.cfg.Store.Peek(key); !resident || !s.needs(e.Belief, entitlements.InstantOf(now)) {
		s.refresh.settled(key)
		return nil
	}
	if f := s.ledger.flights[key]; f != nil {
		s.budget.refund() // it has its own
		return f
	}
	switch x := s.failures[key]; {
	case s.closed:
	case x != nil && now.Before(x.until):
		s.refresh.lookAgain(key, entitlements.InstantOf(x.until))
		s.refresh.skipped(key)
	default:
		return s.takeOff(key, false, true, false)
	}
	return nil
}

// refreshed takes note of how a refresh went.
func (s *Syncer) refreshed(f *flight, ofPass bool) {
	s.refresh.landed(f.key, ofPass, f.err == nil)
	if f.err == nil {
		return
	}
	if errors.Is(f.err, ErrBudget) { // somebody's miss that this refresh had joined
		s.refresh.lookAgain(f.key, entitlements.InstantOf(time.Now().Add(time.Second)))
		return
	}
	s.mu.Lock()
	var until time.Time
	if x := s.failures[f.key]; x != nil {
		until = x.until
	}
	s.mu.Unlock()
	if !until.IsZero() {
		s.refresh.lookAgain(f.key, entitlements.InstantOf(until))
	}
	if s.failuresInARow.Add(1) >= brakeAfter && s.polling() {
		// Without a stream, this is how an interruption shows.
		if s.status.set(Interrupted, f.err) {
			s.log.Warn("entcache: polling fails; answers become stale until it works again", "error", f.err)
		}
		s.refresh.pass()
	}
}
