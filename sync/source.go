package syncer

import (
	"context"
	"errors"
	"time"

	"github.com/entcache/entcache/entitlements"
)

// Source is where beliefs come from: gql.Client, something that decorates it, or a test. It may be a [KeyChecker], too, and its
// errors may be [Failure]s: one that is not counts as a network's, and is tried again.
type Source interface {
	// Fetch asks for the full set of one key, once. "No such customer" is a snapshot, not an error; nil without an error is one.
	// The answer must reflect everything the server had done when Fetch was called. It is called by many goroutines at once,
	// each with a ctx that ends after Config.FetchTimeout at the latest.
	Fetch(ctx context.Context, key entitlements.Key) (*entitlements.Snapshot, error)
	// Subscribe opens a stream of changes. ErrNoStream means that there is none to be had: poll only. The stream may skip the
	// body of an event whose key wanted refuses; wanted is cheap and may be called from any goroutine. ctx bounds the opening
	// only, to 30 s. Only one stream is open at a time.
	Subscribe(ctx context.Context, wanted func(entitlements.Key) bool) (Stream, error)
}

// Stream is an open stream of changes. It is pulled, so that nothing is ever queued unread. One goroutine calls its methods. An
// error of Next that has a method Slow() bool which answers true ("go away") has the next stream wait for most of
// Config.ReconnectMax.
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

// Failure is what the syncer asks of a Source's errors, wrapped or not. Package gql's answer, through the root package's adapter.
type Failure interface {
	error
	// Unauthenticated: the API key itself is refused. When it is confirmed, nothing more is fetched until it is probed or replaced.
	Unauthenticated() bool
	// RateLimited: asked too often. The request budget halves.
	RateLimited() bool
	// RetryAfter is how long the server asked to be left alone, believed up to five minutes; zero when it did not say.
	RetryAfter() time.Duration
	// Retryable: the same request may succeed later.
	Retryable() bool
}

// maxRetryAfter bounds a server's wish to be left alone: a header gone wrong must not silence a process for a day.
const maxRetryAfter = 5 * time.Minute

func leaveAlone(f Failure) time.Duration { return min(f.RetryAfter(), maxRetryAfter) }

// classify finds the failure in err. An error that does not say is retryable and nothing else: a network is to blame more
// often than a program.
func classify(err error) Failure {
	if f, ok := errors.AsType[Failure](err); ok {
		return f
	}
	return unclassified{err}
}

type unclassified struct{ error }

func (unclassified) Unauthenticated() bool     { return false }
func (unclassified) RateLimited() bool         { return false }
func (unclassified) RetryAfter() time.Duration { return 0 }
func (unclassified) Retryable() bool           { return true }
