package entcache

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/entcache/entcache/gql"
	"github.com/entcache/entcache/internal/retry"
)

// Usage reports usage. It is [Client].Usage.
type Usage struct{ c *Client }

// reportAttempts bounds how often one report is sent.
const reportAttempts = 4

// Report reports usage of a feature whose usage the program counts itself (Stigg calls it calculated usage), and waits until
// Stigg has counted it: Value is added (the default, [UsageDelta]) or replaces what there was ([UsageSet]). It returns the usage
// that results.
//
// CustomerId and FeatureId are required and Value must be finite. Without an IdempotencyKey one is generated, and in is sent
// with the same key again after a failure that may pass, so that it counts once however often it is sent. When Report returns,
// a check by this client sees the new usage. CurrentUsage of the answer is nil when Stigg does not say, and offline.
func (s *Usage) Report(ctx context.Context, in ReportUsageInput) (*ReportedUsage, error) {
	switch {
	case in.CustomerId == "":
		return nil, fmt.Errorf("entcache: report usage: %w: CustomerId is empty: name the customer", gql.ErrBadInput)
	case in.FeatureId == "":
		return nil, fmt.Errorf("entcache: report usage: %w: FeatureId is empty: name the feature", gql.ErrBadInput)
	case math.IsNaN(in.Value) || math.IsInf(in.Value, 0):
		return nil, fmt.Errorf("entcache: report usage: %w: Value is %v: give a finite number", gql.ErrBadInput, in.Value)
	}
	if deref(in.IdempotencyKey) == "" {
		in.IdempotencyKey = new(rand.Text())
	}
	ctx, done, err := s.c.writing(ctx)
	if errors.Is(err, ErrOffline) {
		// As Stigg's Node SDK: acknowledged and dropped.
		return &ReportedUsage{Id: rand.Text(), CustomerId: in.CustomerId, FeatureId: in.FeatureId, ResourceId: in.ResourceId}, nil
	}
	if err != nil {
		return nil, err
	}
	defer done()
	key := Key{CustomerID: in.CustomerId, ResourceID: deref(in.ResourceId)}
	out, err := s.send(ctx, in)
	if err != nil {
		return nil, s.c.failed(err, key)
	}
	if _, usages := out.Usages(); len(usages) == 0 || out.CurrentUsage == nil {
		s.c.awaitRefresh(key)
	} else if sync := s.c.syncer(); sync != nil {
		for _, u := range usages {
			sync.WroteUsage(key, u)
		}
	}
	return out, nil
}

// send repeats a report until it is answered: the idempotency key makes that safe even when the outcome is unknown.
func (s *Usage) send(ctx context.Context, in ReportUsageInput) (*ReportedUsage, error) {
	wait := retry.New(100*time.Millisecond, 250*time.Millisecond, 2*time.Second)
	for n := 1; ; n++ {
		// Half of the write timeout, so that a request lost on the way leaves time for a second.
		attempt, cancel := context.WithTimeout(ctx, s.c.cfg.writeTimeout/2)
		out, err := s.c.api.ReportUsage(attempt, in)
		cancel()
		e, ok := errors.AsType[*gql.Error](err)
		if err == nil || !ok || n == reportAttempts || ctx.Err() != nil || !(e.Retryable() || e.OutcomeUnknown()) {
			return out, err
		}
		pause := max(wait.Next(), e.RetryAfter)
		if end, _ := ctx.Deadline(); time.Until(end) < pause {
			return nil, err
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, err
		}
	}
}
