package entcache

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	syncer "github.com/entcache/entcache/sync"
)

// PrefetchProgress is how far a [Client.Prefetch] has come.
type PrefetchProgress struct {
	Done   int // keys that are in memory now, or were before
	Failed int // keys that could not be fetched
	Total  int
}

// prefetchers bounds the fetches that one Prefetch has in flight.
const prefetchers = 16

// Prefetch loads the given customers and resources into memory, inside the request budget, so that their first check does not
// wait. At the default budget that is 500 at once and 50 a second from there on. Keys that are in memory are left alone.
//
// progress, if not nil, is called after each key, from one goroutine at a time; it must not call Prefetch. A key that fails is
// counted and does not stop the others. Prefetch returns nil when all succeeded, ctx's error when that ended first, else an
// error that wraps one of the causes. ctx is its only time limit.
func (c *Client) Prefetch(ctx context.Context, keys []Key, progress func(PrefetchProgress)) error {
	e := c.running.Load()
	if e == nil {
		return c.whyNotRunning()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.lifetime, func() { cancel(ErrClosed) })()
	var (
		fetches errgroup.Group // its errors are counted, not returned: a key that fails does not stop the others
		mu      sync.Mutex     // guards the following
		state   = PrefetchProgress{Total: len(keys)}
		cause   error
	)
	fetches.SetLimit(prefetchers)
	report := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			state.Failed++
			cause = err
		} else {
			state.Done++
		}
		if progress != nil {
			progress(state)
		}
	}
	for _, key := range keys {
		if err := checkKey(key); err != nil {
			report(err)
			continue
		}
		if b, ok := e.cache.Peek(key); ok && !b.Belief.AwaitRefresh {
			report(nil)
			continue
		}
		if err := e.sync.Allow(ctx); err != nil {
			fetches.Wait()
			return explain(context.Cause(ctx))
		}
		fetches.Go(func() error {
			_, err := e.sync.LoadAllowed(ctx, key)
			report(err)
			return nil
		})
	}
	fetches.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if errors.Is(cause, syncer.ErrClosed) {
		return ErrClosed
	}
	if cause != nil {
		return fmt.Errorf("entcache: prefetch: %d of %d keys failed: %w", state.Failed, state.Total, cause)
	}
	return nil
}
