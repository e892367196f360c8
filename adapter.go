package entcache

import (
	"context"
	"errors"
	"time"

	"github.com/entcache/entcache/cache"
	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/gql"
	syncer "github.com/entcache/entcache/sync"
)

// The packages cache, syncer and gql do not know one another. These are the few lines that fit them together.

// stigg is Stigg's API as a source.
type stigg struct {
	api      *gql.Client
	realtime bool
}

func (s *stigg) Fetch(ctx context.Context, key Key) (*entitlements.Snapshot, error) {
	snapshot, err := s.api.Fetch(ctx, key)
	return snapshot, failure(err)
}

func (s *stigg) Subscribe(ctx context.Context, wanted func(Key) bool) (Stream, error) {
	if !s.realtime {
		return nil, syncer.ErrNoStream
	}
	stream, err := s.api.Subscribe(ctx, wanted)
	if err != nil {
		return nil, failure(err)
	}
	return following{stream}, nil
}

// edge is the same, and answers from nearby.
type edge struct{ *stigg }

func (s edge) FetchNear(ctx context.Context, key Key) (*entitlements.Snapshot, error) {
	snapshot, err := s.api.FetchEdge(ctx, key)
	return snapshot, failure(err)
}

func (s *stigg) CheckKey(ctx context.Context) error { return failure(s.api.CheckKey(ctx)) }

// following passes a stream's errors on in the words of the syncer.
type following struct{ *gql.Stream }

func (f following) Next(ctx context.Context) (entitlements.Event, error) {
	e, err := f.Stream.Next(ctx)
	return e, failure(err)
}

// apiFailure answers what the syncer asks of an error.
type apiFailure struct{ error }

func failure(err error) error {
	if err == nil {
		return nil
	}
	return apiFailure{err}
}

func (f apiFailure) Unwrap() error         { return f.error }
func (f apiFailure) Unauthenticated() bool { return errors.Is(f.error, gql.ErrUnauthenticated) }
func (f apiFailure) RateLimited() bool     { return errors.Is(f.error, gql.ErrRateLimited) }

func (f apiFailure) RetryAfter() time.Duration {
	if e, ok := errors.AsType[*gql.Error](f.error); ok {
		return e.RetryAfter
	}
	return 0
}

func (f apiFailure) Retryable() bool {
	e, ok := errors.AsType[*gql.Error](f.error)
	return !ok || e.Retryable()
}

func (f apiFailure) Slow() bool {
	e, ok := errors.AsType[interface {
		error
		Slow() bool
	}](f.error)
	return ok && e.Slow()
}

// store is the cache as the syncer's store, in which what is pending counts.
type store struct {
	*cache.Cache
	pending *pending
}

func (s store) Update(key Key, next func(*entitlements.Belief) *entitlements.Belief) *entitlements.Belief {
	return s.Cache.Update(key, func(held *entitlements.Belief) *entitlements.Belief {
		return s.pending.guard(key, held, next(held))
	})
}

func (s store) Insert(key Key, b *entitlements.Belief) (*entitlements.Belief, bool) {
	entry := &s.pending.shard(key).entry
	entry.Lock()
	defer entry.Unlock()
	s.pending.enter(key, b)
	b = s.pending.counted(key, b, true)
	b = withSnapshot(b, s.pending.recall(key, b.Snapshot))
	stands, inserted := s.Cache.Insert(key, b)
	switch {
	case inserted:
		if held := s.count(key, true); held != nil { // what was answered while it was on its way in
			b = held
		}
		s.stays(key) // whoever has not seen it yet may have let it linger
	case stands != nil:
		return nil, false
	default:
		s.forget(key)
	}
	return b, inserted
}

// forget is [pending.forget], for a key that has not been seen to be resident, and may become so in between.
func (s store) forget(key Key) {
	s.pending.forget(key)
	if _, resident := s.Cache.Peek(key); resident {
		s.stays(key)
		s.count(key, true)
	}
}

// stays is [pending.stays], for a key that has been seen to be resident, and may have left in between.
func (s store) stays(key Key) {
	s.pending.stays(key)
	if _, resident := s.Cache.Peek(key); !resident {
		s.forget(key)
	}
}

// count makes what is held of a key count what is pending for it; see [pending.count]. It returns what is held then, nil when it is not.
func (s store) count(key Key, anew bool) *entitlements.Belief {
	return s.Cache.Update(key, func(held *entitlements.Belief) *entitlements.Belief { return s.pending.counted(key, held, anew) })
}

func (s store) Peek(key Key) (syncer.Resident, bool) {
	e, ok := s.Cache.Peek(key)
	return syncer.Resident(e), ok
}

func (s store) Range(yield func(syncer.Resident) bool) {
	s.Cache.Range(func(e cache.Entry) bool { return yield(syncer.Resident(e)) })
}
