package entcache

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/entcache/entcache/gql"
	"github.com/entcache/entcache/internal/retry"
)

// repetition says when a call that failed is sent again by the client itself.
type repetition int

const (
	// ifRefused is for what has another effect when it is done twice: sent again only when it certainly had none (a rate limit, a
	// lock, a connection that was never made).
	ifRefused repetition = iota
	// harmless is for what can have its effect only once: reads, estimates, and what carries an idempotency key or an id by which
	// Stigg recognizes it. Sent again even when nobody knows whether the first arrived.
	harmless
)

// callAttempts bounds how often one call is sent.
const callAttempts = 4

// may reports whether a call that failed with e is sent again.
func (r repetition) may(e *gql.Error) bool {
	return e.Retryable() || r == harmless && e.OutcomeUnknown()
}

// send makes a call, and repeats it as r allows until it is answered or ctx ends. A Retry-After is honoured; one that reaches
// beyond ctx ends the call.
func send[T any](ctx context.Context, c *Client, r repetition, call func(context.Context) (T, error)) (T, error) {
	wait := retry.New(100*time.Millisecond, 250*time.Millisecond, 2*time.Second)
	var open error // the failure of an attempt that may have had its effect
	for n := 1; ; n++ {
		attempt, cancel := ctx, context.CancelFunc(func() {})
		if r == harmless {
			// Half of the write timeout, so that a request lost on the way leaves time for a second.
			attempt, cancel = context.WithTimeout(ctx, c.cfg.writeTimeout/2)
		}
		out, err := call(attempt)
		cancel()
		e, ok := errors.AsType[*gql.Error](err)
		switch {
		case !ok:
		case e.OutcomeUnknown():
			open = err
		case open != nil:
			err = fmt.Errorf("%w; sent again: %w", open, err) // this attempt had no effect, which says nothing of those before
		}
		if err == nil || !ok || n == callAttempts || ctx.Err() != nil || !r.may(e) {
			return out, err
		}
		pause := max(wait.Next(), e.RetryAfter)
		if end, _ := ctx.Deadline(); time.Until(end) < pause {
			return out, err
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return out, err
		}
	}
}

// ask makes a call that changes nothing.
func ask[T any](ctx context.Context, c *Client, call func(context.Context) (T, error)) (T, error) {
	var none T
	ctx, done, err := c.calling(ctx)
	if err != nil {
		return none, err
	}
	defer done()
	out, err := send(ctx, c, harmless, call)
	if err != nil {
		return none, fmt.Errorf("entcache: %w", err)
	}
	return out, nil
}

// write makes a call that changes something. After a failure that leaves its outcome open, what may have changed is waited for by
// the next read of keys; none are for a caller that sees to it after every failure.
func write[T any](ctx context.Context, c *Client, r repetition, keys []Key, call func(context.Context) (T, error)) (T, error) {
	var none T
	ctx, done, err := c.calling(ctx)
	if err != nil {
		return none, err
	}
	defer done()
	c.counts.writes.Add(1)
	out, err := send(ctx, c, r, call)
	if err != nil {
		if e, ok := errors.AsType[*gql.Error](err); !ok || e.OutcomeUnknown() {
			c.awaitRefresh(keys...)
		}
		return none, fmt.Errorf("entcache: %w", err)
	}
	return out, nil
}

// calling prepares a call: it fails on a client that cannot make one, and gives a ctx that also ends with Close and after the
// write timeout.
func (c *Client) calling(ctx context.Context) (context.Context, context.CancelFunc, error) {
	select {
	case <-c.lifetime.Done():
		return nil, nil, ErrClosed
	default:
	}
	if c.api == nil {
		return nil, nil, ErrOffline
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.lifetime, func() { cancel(ErrClosed) })
	ctx, expire := context.WithTimeoutCause(ctx, c.cfg.writeTimeout, errWriteTimeout)
	return ctx, func() { expire(); stop(); cancel(nil) }, nil
}

var errWriteTimeout = fmt.Errorf("write timeout: %w", context.DeadlineExceeded)

// required refuses an input whose field is empty, before anything is sent; or not UTF-8, which gql refuses wherever it is, but only when
// the request is made: after a report was accepted, and in the words of the wire.
func required(call, field, value string) error {
	if value == "" {
		return badInput(call, field+" is empty: give one")
	}
	return checkUTF8(call, field, value)
}

// checkUTF8 refuses what is not UTF-8, such as the bytes of a hash: on the way to Stigg two of them may become the same, and then one
// customer is taken for another, or only one of two reports is counted.
func checkUTF8(call, field, value string) error {
	if !utf8.ValidString(value) {
		return badInput(call, fmt.Sprintf("%s %q is not UTF-8, and cannot be told from others on the way to Stigg", field, value))
	}
	return nil
}

func notFound(call, what, id string) error {
	return fmt.Errorf("entcache: %s: %w: there is no %s %q", call, gql.ErrNotFound, what, id)
}

// endless is the error of a list that says it goes on, and does not.
func endless(call, problem string) error {
	return fmt.Errorf("entcache: %s: %w: the answer %s", call, gql.ErrMalformed, problem)
}

func badInput(call, problem string) error {
	return fmt.Errorf("entcache: %s: %w: %s", call, gql.ErrBadInput, problem)
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
