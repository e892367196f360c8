package syncer

import (
	"context"
	"errors"
	"time"

	"github.com/entcache/entcache/entitlements"
)

// Source is where beliefs come from: gql.Client, something that decorates it, or a test.
type Source interface {
	// Fetch asks for the full set of one key, once. "No such customer" is a snapshot, not an error. The answer must reflect
	// everything the server had done when Fetch was called.
	Fetch(ctx context.Context, key entitlements.Key) (*entitlements.Snapshot, error)
	// Subscribe opens a stream of changes. ErrNoStream means that there is none to be had: poll only. The stream may skip the
	// body of an event whose key wanted refuses; wanted is cheap and may be called from any goroutine.
	Subscribe(ctx context.Context, wanted func(entitlements.Key) bool) (Stream, error)
}

// Stream is an open stream of changes. It is pulled, so that nothing is ever queued unread.
type Stream interface {
	// Next waits for the next event. Its first EventSubscribed says that the server has read every subscription: from there on
	// changes arrive, as soon as the server's own sources are open, which no client can know. What falls into that gap is found
	// by the poll. Any error ends the stream.
	Next(ctx context.Context) (entitlements.Event, error)
	// Close ends the stream and unblocks Next.
	Close() error
}

// KeyChecker is an optional power of a Source: to ask whether the API key is accepted, at little cost. Without a stream it is
// how the first synchronization is decided.
type KeyChecker interface {
	CheckKey(ctx context.Context) error
}

// ErrNoStream is returned by a Source that has no stream to offer.
var ErrNoStream = errors.New("source has no stream")

// failure is what the syncer asks of an error; gql.Error answers, and the root package's adapter passes it on.
type failure interface {
	error
	// Unauthenticated: the API key itself is refused.
	Unauthenticated() bool
	// RateLimited: asked too often.
	RateLimited() bool
	// RetryAfter is how long the server asked to be left alone; zero when it did not say.
	RetryAfter() time.Duration
	// Retryable: the same request may succeed later.
	Retryable() bool
}

// maxRetryAfter bounds a server's wish to be left alone: a header gone wrong must not silence a process for a day.
const maxRetryAfter = 5 * time.Minute

func leaveAlone(f failure) time.Duration { return min(f.RetryAfter(), maxRetryAfter) }

// classify finds the failure in err. An error that does not say is retryable and nothing else: a network is to blame more
// often than a program.
func classify(err error) failure {
	if f, ok := errors.AsType[failure](err); ok {
		return f
	}
	return unclassified{err}
}

type unclassified struct{ error }

func (unclassified) Unauthenticated() bool     { return false }
func (unclassified) RateLimited() bool         { return false }
func (unclassified) RetryAfter() time.Duration { return 0 }
func (unclassified) Retryable() bool           { return true }

// Resident is one key that a Store holds.
type Resident struct {
	Key      entitlements.Key
	Belief   *entitlements.Belief
	LastRead entitlements.Instant // or when it was inserted
	Reads    uint32               // grows with every tick in which it was read
}

// Store is where beliefs are kept: cache.Cache, through the root package's adapter.
type Store interface {
	// Peek looks at a resident key without marking it as read.
	Peek(entitlements.Key) (Resident, bool)
	// Update replaces a resident belief with what next makes of it, atomically; nil when the key is not resident.
	Update(key entitlements.Key, next func(*entitlements.Belief) *entitlements.Belief) *entitlements.Belief
	// Insert makes a key resident unless it is; it returns the belief that stands, nil when there is no room for it.
	Insert(entitlements.Key, *entitlements.Belief) (*entitlements.Belief, bool)
	// Range visits what is resident, in no order, holding no lock.
	Range(yield func(Resident) bool)
	// Resources returns the resident resource-level keys of a customer.
	Resources(customerID string) []entitlements.Key
	// Len returns how many keys are resident.
	Len() int
}
