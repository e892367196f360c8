package syncer

import (
	"context"

	"github.com/entcache/entcache/entitlements"
)

// Allow waits until the budget has a token that no miss wants, for one [Syncer.LoadAllowed].
func (s *Syncer) Allow(ctx context.Context) error { return s.budget.forRefresh(ctx) }

// LoadAllowed is Load for a bulk load: its first request is paid for by Allow, and it fetches on the caller's goroutine, which a bulk
// load has a few of. So ctx bounds the wait for what others fetch and not its own fetch, which ends with the time limit of a fetch and
// with Close.
func (s *Syncer) LoadAllowed(ctx context.Context, key entitlements.Key) (*entitlements.Belief, error) {
	s.mu.Lock()
	var f *flight
	if s.ledger.flights[key] == nil && s.failures[key] == nil && !s.closed && s.cancel != nil && s.status.refused() == nil {
		f = s.board(key, true, false)
	}
	s.mu.Unlock()
	if f == nil {
		s.budget.refund()
		return s.Load(ctx, key, 0)
	}
	s.fly(s.ctx, f, true)
	if f.err == nil && f.belief.AwaitRefresh {
		return s.Load(ctx, key, f.belief.QuestionSeq)
	}
	return f.belief, f.err
}
