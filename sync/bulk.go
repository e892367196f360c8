package syncer

import (
	"context"

	"github.com/entcache/entcache/entitlements"
)

// Allow waits until the budget has a token that no miss wants, for one [Syncer.LoadAllowed].
func (s *Syncer) Allow(ctx context.Context) error { return s.budget.forRefresh(ctx) }

// LoadAllowed is Load for a bulk load: its first request is paid for by Allow.
func (s *Syncer) LoadAllowed(ctx context.Context, key entitlements.Key) (*entitlements.Belief, error) {
	s.mu.Lock()
	var f *flight
	if s.ledger.flights[key] == nil && s.failures[key] == nil && !s.closed && s.cancel != nil && s.status.refused() == nil {
		f = s.takeOff(key, true, true, false)
	}
	s.mu.Unlock()
	if f == nil {
		s.budget.refund()
		return s.Load(ctx, key, 0)
	}
	if err := wait(ctx, f); err != nil {
		return nil, err
	}
	if f.err == nil && f.belief.AwaitRefresh {
		return s.Load(ctx, key, f.belief.QuestionSeq)
	}
	return f.belief, f.err
}
